#include "cli/init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file.h"
#include "cli/check.h"
#include "cli/output.h"
#include "config/check.h"
#include "config/resources.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultDirectory = ".dapr/components";
constexpr std::string_view kFileName = "statestore.yaml";

// A setting that a new component has, with where its value is.
struct Given {
  std::string_view name;
  std::string_view value = "";
  std::string_view variable = "";  // instead of a value
};

struct Template {
  std::string_view store;
  std::string_view type;
  std::string_view version;
  std::span<const Given> given;
  std::string_view shown;  // settings that stand there as comments, a blank between two
};

constexpr Given kSqlite[] = {{.name = "connectionString", .value = "state.db"}};
constexpr Given kRedis[] = {{.name = "redisHost", .value = "localhost:6379"}};
constexpr Given kPostgres[] = {{.name = "connectionString", .variable = "DATABASE_URL"}};

constexpr Template kTemplates[] = {
    {"memory", "state.in-memory", "v1", {}, "maxBytes keyPrefix"},
    {"sqlite", "state.sqlite", "v1", kSqlite, "timeout busyTimeout cleanupInterval synchronous disableWAL keyPrefix"},
    {"redis", "state.redis", "v1", kRedis, "redisUsername redisPassword redisDB enableTLS ttlInSeconds keyPrefix"},
    {"postgresql", "state.postgresql", "v2", kPostgres, "tablePrefix timeout maxConns cleanupInterval keyPrefix"},
};

const state::Setting* find_setting(const state::StoreType& row, std::string_view name) {
  for (const state::Setting* field : config::fields_of(row))
    if (state::has_name(*field, name)) return field;
  return nullptr;
}

std::string setting_text(std::string_view name, const state::StoreType& row, std::string_view lines) {
  const state::Setting* field = find_setting(row, name);
  return fmt::format("    # {}\n{}", field == nullptr ? "" : field->help, lines);
}

std::string settings_text(const Template& chosen, const state::StoreType& row) {
  std::string out = chosen.given.empty() ? "  # metadata:\n" : "  metadata:\n";
  for (const Given& given : chosen.given) {
    const bool is_variable = !given.variable.empty();
    out += setting_text(given.name, row,
                        fmt::format("    - name: {}\n      {}: \"{}\"\n", given.name, is_variable ? "envRef" : "value",
                                    is_variable ? given.variable : given.value));
  }
  for (const std::string_view name : split_words(chosen.shown)) {
    const state::Setting* field = find_setting(row, name);
    if (field == nullptr) continue;
    out += setting_text(name, row,
                        fmt::format("    # - name: {}\n    #   value: \"{}\"\n", name,
                                    field->fallback.empty() ? "..." : field->fallback));
  }
  return out;
}

// Written whole or not at all, and over nothing.
Status write_new(const std::string& file, std::string_view text) {
  const Descriptor made(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!made && errno == EEXIST)
    return fail(Errc::precondition_failed, fmt::format("{} is already there; it is left as it is", file));
  if (!made) return system_failure("write", file);
  Status written = write_all(made.get(), text, file);
  if (!written) ::unlink(file.c_str());
  return written;
}

// A second component of the name would keep the sidecar from starting.
Status check_name(const std::string& directory, const std::string& file, const std::string& text) {
  std::vector<std::string> ignored;
  std::vector<config::SourceFile> sources;
  for (const std::string& other : config::list_resource_files(directory, ignored).value_or(std::vector<std::string>{}))
    if (auto read = config::read_text_file(other)) sources.push_back({other, std::move(*read)});
  sources.push_back({file, text});
  for (const config::Finding& finding : config::check_files(sources, known_types()))
    if (finding.file == file && finding.field == "metadata.name")
      return fail(Errc::precondition_failed,
                  fmt::format("{}: {}; nothing is written", finding.subject, finding.message));
  return {};
}

std::string next_steps(const std::string& directory, const std::string& file, bool is_default) {
  const std::string path = is_default ? "" : " " + directory;
  const std::string flag = is_default ? "" : " --resources-path " + directory;
  return fmt::format("wrote {}\n\n", file) + fmt::format(
                                                 "Next:\n"
                                                 "  holdfast check{}\n"
                                                 "  holdfast serve{}\n"
                                                 "and beside it:\n"
                                                 "  holdfast state put statestore greeting hello\n"
                                                 "  holdfast state get statestore greeting\n",
                                                 path, flag);
}

}  // namespace

Result<std::string> component_template(std::string_view store, const config::KnownTypes& known) {
  const auto chosen = std::ranges::find(kTemplates, store, &Template::store);
  if (chosen == std::end(kTemplates))
    return fail(Errc::invalid_argument,
                fmt::format("there is no template for \"{}\"; there are: {}", store, kInitStores));
  const auto row = known.find(chosen->type, chosen->version);
  if (!row) return fail(row.error());
  std::string out = fmt::format("# A store that applications use as \"statestore\": {}.\n", (*row)->summary);
  out += fmt::format(
      "# Every setting there is: holdfast schema --type {}\n"
      "apiVersion: dapr.io/v1alpha1\n"
      "kind: Component\n"
      "metadata:\n"
      "  name: statestore\n"
      "spec:\n"
      "  type: {}\n"
      "  version: {}\n",
      chosen->type, chosen->type, chosen->version);
  out += settings_text(*chosen, **row);
  out +=
      "# Only for these applications, instead of all:\n"
      "# scopes:\n"
      "#   - app\n";
  return out;
}

int run_init(const ParsedArguments& arguments) {
  const std::string store = arguments.value("store", "sqlite");
  const auto text = component_template(store, known_types());
  if (!text) return complain(text.error().message, kMisused);
  const bool is_default = arguments.words.empty();
  const std::string directory = is_default ? std::string(kDefaultDirectory) : arguments.words[0];
  const std::string file = (fs::path(directory) / kFileName).string();
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) return complain(fmt::format("cannot make {}: {}", directory, error.message()), kFailed);
  Status status = check_name(directory, file, *text);
  if (fs::exists(file, error)) status = {};  // write_new has the better word for it
  if (status) status = write_new(file, *text);
  if (!status) return complain(status.error().message, kFailed);
  return print_or_complain(next_steps(directory, file, is_default));
}

}  // namespace holdfast::cli
