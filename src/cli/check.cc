#include "cli/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "base/encoding.h"
#include "cli/check_deep.h"
#include "cli/output.h"
#include "cli/store_files.h"
#include "config/components.h"
#include "config/resources.h"
#include "daemon/defaults.h"
#include "secrets/store.h"
#include "stores/all.h"
#include "wire/json/json.h"

namespace holdfast::cli {
namespace {

using config::Finding;
using config::Severity;

// What a sidecar started here reads, when nothing is said.
std::vector<std::string> default_paths() {
  const std::string found = daemon::find_resources(config::process_environment());
  return found.empty() ? std::vector<std::string>{} : std::vector<std::string>{found};
}

bool has_yaml_name(const std::string& file) {
  const std::string lower = to_lower(file);
  return lower.ends_with(".yaml") || lower.ends_with(".yml");
}

struct Read {
  std::vector<config::SourceFile> sources;
  std::vector<Finding> findings;  // of files that cannot be read, or would not be
};

Read read_all(const std::vector<std::string>& files) {
  Read read;
  for (const std::string& file : files) {
    auto text = config::read_text_file(file);
    if (!text) {
      read.findings.push_back({file, 0, Severity::error, "", "", fmt::format("skipped: {}", text.error().message), ""});
      continue;
    }
    if (!has_yaml_name(file))
      read.findings.push_back(
          {file, 0, Severity::warning, "", "", "a sidecar reads only files named *.yaml or *.yml", ""});
    read.sources.push_back({file, std::move(*text)});
  }
  return read;
}

int show(const std::vector<Finding>& findings, std::size_t files, bool as_json) {
  const bool has_errors =
      std::ranges::any_of(findings, [](const Finding& finding) { return finding.severity == Severity::error; });
  std::string text;
  if (as_json) {
    text = findings_json(findings);
  } else {
    for (const Finding& finding : findings) text += printable(config::to_line(finding)) + '\n';
    text += summary_of(findings, files) + '\n';
  }
  const int printed = print_or_complain(text);
  return printed != kDone ? printed : has_errors ? kFailed : kDone;
}

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

namespace {

// Secret stores as rows of the same form.
std::vector<state::StoreType> secret_store_rows() {
  std::vector<state::StoreType> rows;
  for (const secrets::SecretStoreType* type : secrets::types())
    rows.push_back({.type = type->type, .summary = type->summary, .settings = type->settings});
  return rows;
}

}  // namespace

const config::KnownTypes& known_types() {
  static const std::vector<state::StoreType> secret_stores = secret_store_rows();
  static const config::KnownTypes known([] {
    std::vector<const state::StoreType*> rows = stores::all();
    for (const state::StoreType& row : secret_stores) rows.push_back(&row);
    return rows;
  }());
  return known;
}

std::string summary_of(std::span<const Finding> findings, std::size_t files) {
  std::string out = counted(files, "file") + ": ";
  bool is_first = true;
  for (const Severity severity : {Severity::error, Severity::warning, Severity::note}) {
    const auto count = std::ranges::count(findings, severity, &Finding::severity);
    if (count == 0) continue;
    out += (is_first ? "" : ", ") + counted(static_cast<std::size_t>(count), config::name_of(severity));
    is_first = false;
  }
  return is_first ? out + "nothing wrong" : out;
}

std::string findings_json(std::span<const Finding> findings) {
  std::string out = "[";
  for (const Finding& finding : findings) {
    out += out.size() == 1 ? "\n{" : ",\n{";
    const auto member = [&out](std::string_view name, std::string_view value) {
      out += fmt::format("{}\"{}\":", out.ends_with('{') ? "" : ",", name);
      json::append_string(out, value);
    };
    member("file", finding.file);
    out += fmt::format(",\"line\":{}", finding.line);
    member("severity", config::name_of(finding.severity));
    member("subject", finding.subject);
    member("field", finding.field);
    member("message", finding.message);
    member("suggestion", finding.suggestion);
    out += '}';
  }
  return out + (findings.empty() ? "]\n" : "\n]\n");
}

int run_check(const ParsedArguments& arguments) {
  const std::vector<std::string> paths = arguments.words.empty() ? default_paths() : arguments.words;
  const bool as_json = arguments.has("json");
  if (paths.empty() && !as_json)
    return print_or_complain(
        "there are no component files in ./.dapr/components, ./components or ~/.dapr/components; \"holdfast serve\" "
        "uses its default store\n");
  const auto files = list_paths(paths);
  if (!files) return complain(files.error().message, kMisused);
  Read read = read_all(*files);
  std::vector<Finding> findings = std::move(read.findings);
  std::ranges::move(config::check_files(read.sources, known_types()), std::back_inserter(findings));
  if (arguments.has("deep"))
    std::ranges::move(check_deep(*files, arguments.value("app-id", "app"), findings), std::back_inserter(findings));
  if (arguments.has("strict"))
    for (Finding& finding : findings)
      if (finding.severity == Severity::warning) finding.severity = Severity::error;
  return show(findings, files->size(), as_json);
}

}  // namespace holdfast::cli
