#include "cli/state_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/encoding.h"
#include "base/number.h"
#include "cli/state_migrate.h"
#include "cli/state_options.h"
#include "service/isolation.h"
#include "wire/json/json.h"

namespace holdfast::cli {

namespace {

using Verb = StateCommand::Verb;

constexpr OptionRow kAddress{.name = "address",
                             .argument = "URL",
                             .help = "the sidecar; by default http://127.0.0.1:$DAPR_HTTP_PORT, or port 3500"};
constexpr OptionRow kResourcesPath{
    .name = "resources-path",
    .argument = "PATH",
    .help =
        "component files, or directories of them, with commas between: the store is opened here, and no sidecar is "
        "asked; backup, which asks none, takes those of holdfast serve by default",
    .completes = Completes::files};
constexpr OptionRow kIsolation{
    .name = "isolation", .argument = "KEY", .help = "of the records that belong to this isolation key"};
constexpr OptionRow kIfMatch{
    .name = "if-match", .argument = "ETAG", .help = "only if the record has this etag; * for any record"};

constexpr OptionRow kTtl{.name = "ttl", .argument = "DURATION", .help = "time to live, such as 30s"};

constexpr OptionRow kGetOptions[] = {
    {.name = "record", .help = "the whole record: who wrote it and when, its etag and expiry"},
    kIsolation,
    kJsonOption,
    kAddress,
    kResourcesPath,
    kAppIdOption};
constexpr OptionRow kPutOptions[] = {
    {.name = "type", .argument = "TYPE", .help = "content type of the value; by default what it looks like"},
    kTtl,
    kIfMatch,
    {.name = "if-absent", .help = "only if there is no record"},
    kIsolation,
    kJsonOption,
    kAddress,
    kResourcesPath,
    kAppIdOption};
constexpr OptionRow kPatchOptions[] = {
    {.name = "as",
     .argument = "KIND",
     .help = "merge (the default): a JSON merge patch; increment: a number to add, or an object with by, min, max and "
             "initial; append: bytes behind the value; append-element: one more element of an array",
     .completes = Completes::words,
     .words = "merge increment append append-element"},
    kTtl,
    kIfMatch,
    kIsolation,
    kJsonOption,
    kAddress,
    kResourcesPath,
    kAppIdOption};
constexpr OptionRow kDeleteOptions[] = {kIfMatch, kIsolation, kJsonOption, kAddress, kResourcesPath, kAppIdOption};
constexpr OptionRow kClearOptions[] = {{.name = "all", .help = "without PREFIX: every record of the store"},
                                       kIsolation,
                                       kJsonOption,
                                       kAddress,
                                       kResourcesPath,
                                       kAppIdOption};
constexpr OptionRow kTransactOptions[] = {kIsolation, kJsonOption, kAddress, kResourcesPath, kAppIdOption};
constexpr OptionRow kInfoOptions[] = {kJsonOption, kAddress, kResourcesPath, kAppIdOption};
constexpr OptionRow kValues{.name = "values", .help = "values beside the keys"};
constexpr OptionRow kListOptions[] = {kValues,
                                      {.name = "index",
                                       .argument = "NAME=VALUE",
                                       .help = "only records that carry this index entry; may be given several times"},
                                      {.name = "limit", .argument = "N", .help = "this many keys at most"},
                                      kIsolation,
                                      kJsonOption,
                                      kAddress,
                                      kResourcesPath,
                                      kAppIdOption};
constexpr OptionRow kWatchOptions[] = {
    {.name = "key", .argument = "KEY", .help = "this key alone, in the place of a prefix"},
    kValues,
    {.name = "after", .argument = "TOKEN", .help = "what came after the event with this token comes first"},
    kIsolation,
    kJsonOption,
    kAddress};
constexpr OptionRow kBackupOptions[] = {kResourcesPath, kAppIdOption, kJsonOption};

constexpr CommandRow kSidecarVerbs[] = {
    {.name = "get",
     .arguments = "STORE KEY",
     .summary = "print the value of a record",
     .options = kGetOptions,
     .words_min = 2,
     .words_max = 2},
    {.name = "put",
     .arguments = "STORE KEY [VALUE|-]",
     .summary = "save a record",
     .options = kPutOptions,
     .words_min = 2,
     .words_max = 3},
    {.name = "patch",
     .arguments = "STORE KEY [PATCH|-]",
     .summary = "change a record in place",
     .options = kPatchOptions,
     .words_min = 2,
     .words_max = 3},
    {.name = "delete",
     .arguments = "STORE KEY",
     .summary = "delete a record",
     .options = kDeleteOptions,
     .words_min = 2,
     .words_max = 2},
    {.name = "clear",
     .arguments = "STORE [PREFIX]",
     .summary = "delete all records whose keys begin with a prefix",
     .options = kClearOptions,
     .words_min = 1,
     .words_max = 2},
    {.name = "ls",
     .arguments = "STORE [PREFIX]",
     .summary = "list keys",
     .options = kListOptions,
     .words_min = 1,
     .words_max = 2},
    {.name = "watch",
     .arguments = "STORE [PREFIX]",
     .summary = "show changes as they happen, a line each, until it is interrupted",
     .options = kWatchOptions,
     .words_min = 1,
     .words_max = 2},
    {.name = "txn",
     .arguments = "STORE [OPERATIONS|-]",
     .summary = "apply a JSON array of puts, deletions and checks, all or nothing",
     .options = kTransactOptions,
     .words_min = 1,
     .words_max = 2},
    {.name = "info",
     .arguments = "[STORE]",
     .summary = "the stores, whether they answer, and what one can do",
     .options = kInfoOptions,
     .words_max = 1},
    {.name = "backup",
     .arguments = "STORE FILE",
     .summary = "copy the file of an SQLite component while sidecars use it",
     .options = kBackupOptions,
     .words_min = 2,
     .words_max = 2,
     .completes = Completes::files},
};

constexpr std::string_view kVerbNames =
    "get, put, patch, delete, clear, ls, watch, txn, info, backup, migrate, export, import";

Verb verb_of(std::string_view name) {
  constexpr std::pair<std::string_view, Verb> kVerbs[] = {
      {"get", Verb::get},     {"put", Verb::put},      {"patch", Verb::patch}, {"delete", Verb::erase},
      {"clear", Verb::clear}, {"ls", Verb::list},      {"watch", Verb::watch}, {"txn", Verb::transact},
      {"info", Verb::info},   {"backup", Verb::backup}};
  const auto found = std::ranges::find(kVerbs, name, &std::pair<std::string_view, Verb>::first);
  return found == std::end(kVerbs) ? Verb::help : found->second;
}

// "merge" and so on as PATCH's content type; nothing for another word.
std::string patch_type(std::string_view kind) {
  if (kind.empty() || kind == "merge") return "application/merge-patch+json";
  if (kind == "increment") return "application/vnd.holdfast.increment+json";
  if (kind == "append") return "application/vnd.holdfast.append";
  return kind == "append-element" ? "application/vnd.holdfast.append+json" : std::string();
}

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

Status take_options(StateCommand& command, const ParsedArguments& parsed) {
  command.record = parsed.has("record");
  command.values = parsed.has("values");
  command.json = parsed.has("json");
  command.if_absent = parsed.has("if-absent");
  command.all = parsed.has("all");
  command.type = parsed.value("type", parsed.value("as"));
  command.ttl = parsed.value("ttl");
  command.if_match = parsed.value("if-match");
  command.isolation = parsed.value("isolation");
  if (parsed.has("isolation") && !service::is_isolation_key(command.isolation))
    return refuse("--isolation takes 1 to 128 of A-Z a-z 0-9 . _ -");
  command.address = parsed.value("address", command.address);
  command.app_id = parsed.value("app-id", command.app_id);
  if (parsed.has("key")) command.watched_key = parsed.value("key");
  command.after = parsed.value("after");
  for (const auto& [name, value] : parsed.options) {
    if (name != "index") continue;
    const std::size_t sign = value.find('=');
    if (sign == 0 || sign == std::string::npos) return refuse("--index takes NAME=VALUE, such as user_id=123");
    command.indexes.emplace_back(value.substr(0, sign), value.substr(sign + 1));
  }
  for (const auto& [name, value] : parsed.options)
    if (name == "resources-path")
      for (const std::string_view path : split(value, ',')) command.resources_paths.emplace_back(path);
  if (parsed.has("address") && parsed.has("resources-path"))
    return refuse("--address and --resources-path exclude each other: a sidecar is asked, or the store is opened here");
  if (parsed.has("app-id") && !parsed.has("resources-path") && command.verb != Verb::backup)
    return refuse(
        "--app-id is for stores that are opened here; a sidecar has its own. Name the files with --resources-path");
  if (!parsed.has("limit")) return {};
  if (!read_number(parsed.value("limit"), command.limit) || command.limit == 0)
    return refuse("--limit takes a number of keys, from 1");
  return {};
}

Status place_words(StateCommand& command, std::vector<std::string> words) {
  if (words.empty()) return {};
  command.store = std::move(words[0]);
  std::size_t value_at = 2;
  if (command.verb == Verb::backup) {
    command.file = std::move(words[1]);
  } else if (command.verb == Verb::transact) {
    value_at = 1;
  } else if (words.size() > 1) {
    command.key = std::move(words[1]);
  }
  if (!command.key.empty() && command.watched_key) return refuse("PREFIX and --key exclude each other");
  if (command.verb == Verb::clear && command.key.empty() != command.all)
    return refuse(command.all ? "PREFIX and --all exclude each other" : "name a PREFIX, or say --all");
  if (command.verb == Verb::patch && patch_type(command.type).empty())
    return refuse("--as takes merge, increment, append or append-element");
  if (command.verb != Verb::put && command.verb != Verb::patch && command.verb != Verb::transact) return {};
  command.value_from_input = words.size() <= value_at || words[value_at] == "-";
  if (!command.value_from_input) command.value = std::move(words[value_at]);
  if (command.if_absent && !command.if_match.empty()) return refuse("--if-match and --if-absent exclude each other");
  return {};
}

std::string store_path(const StateCommand& command) { return "/v2/state/" + percent_encode(command.store); }
std::string record_path(const StateCommand& command) { return store_path(command) + '/' + percent_encode(command.key); }

HttpRequest start_request(const StateCommand& command, std::string method, std::string target) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  if (!command.token.empty()) request.headers.emplace_back("dapr-api-token", command.token);
  if (!command.isolation.empty()) request.headers.emplace_back("Holdfast-Isolation", command.isolation);
  return request;
}

// A bare etag works as well as a quoted one.
std::string as_entity_tag(const std::string& etag) {
  const bool is_tag = etag == "*" || etag.find('"') != std::string::npos;
  return is_tag ? etag : "\"" + etag + "\"";
}

}  // namespace

std::span<const CommandRow> state_verbs() {
  static const std::vector<CommandRow> rows = [] {
    std::vector<CommandRow> all(std::begin(kSidecarVerbs), std::end(kSidecarVerbs));
    all.insert(all.end(), migration_verbs().begin(), migration_verbs().end());
    return all;
  }();
  return rows;
}

std::string_view state_description() {
  return "Without VALUE, PATCH or OPERATIONS, or with \"-\", put, patch and txn read standard input. Without --type a "
         "value "
         "that is JSON is kept as JSON, other text as text/plain. A patch without --ttl lets the time to live go "
         "on.\n\n"
         "  holdfast state patch statestore orders/17 '{\"paid\":true}'\n"
         "  holdfast state patch statestore visits --as increment 1\n"
         "  holdfast state txn statestore "
         "'[{\"op\":\"put\",\"key\":\"a\",\"value\":1},{\"op\":\"delete\",\"key\":\"b\"}]'\n\n"
         "watch shows each event on a line, waits for a sidecar that starts again, and ends by Ctrl-C. \"resync\" says "
         "that events may be missing.\n\n"
         "  holdfast state watch statestore orders/ --values\n\n"
         "The API token is taken from the variable DAPR_API_TOKEN.\n\n"
         "With --resources-path no sidecar is needed: the store of the component file is opened here, as a sidecar of "
         "--app-id would, also while sidecars use it.\n\n"
         "  holdfast state ls statestore --resources-path ./components --app-id orders\n\n"
         "migrate, export and import open the stores of component files themselves, which --from and --to name:\n\n"
         "  holdfast state migrate --from sqlite.yaml --to redis.yaml\n"
         "  holdfast state export --from orders.yaml --output orders.jsonl\n"
         "  holdfast state import --to other.yaml orders.jsonl\n\n"
         "Ended by a signal or a failure, the same command goes on where it was. They report what the target cannot "
         "keep, "
         "and fail when a record of it is not as the source has it.\n\n"
         "Exit codes: 0 done, 1 failed, 2 misused, 3 there is no such record or store, 130 stopped by a signal.";
}

std::string_view guessed_type(std::string_view value) {
  if (json::is_valid(value)) return "application/json";
  return is_utf8(value) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

Result<StateCommand> parse_state_command(std::span<const std::string> arguments,
                                         const config::GetEnvironment& environment) {
  StateCommand command;
  if (arguments.empty()) return refuse(fmt::format("\"holdfast state\" needs one of {}", kVerbNames));
  if (arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h") return command;
  const CommandRow* row = find_row(kSidecarVerbs, arguments[0]);
  if (row == nullptr) return refuse(fmt::format("\"{}\" is none of {}", arguments[0], kVerbNames));
  auto parsed = parse_arguments(*row, "holdfast state " + arguments[0], arguments.subspan(1));
  if (!parsed) return fail(parsed.error());
  if (parsed->help) return command;
  command.verb = verb_of(row->name);
  command.address = fmt::format("http://127.0.0.1:{}", environment("DAPR_HTTP_PORT").value_or("3500"));
  command.token = environment("DAPR_API_TOKEN").value_or("");
  if (auto ok = take_options(command, *parsed); !ok) return fail(ok.error());
  if (auto ok = place_words(command, std::move(parsed->words)); !ok) return fail(ok.error());
  return command;
}

HttpRequest request_of(const StateCommand& command) {
  switch (command.verb) {
    case Verb::put: {
      std::string target = record_path(command);
      if (!command.ttl.empty()) target += "?ttl=" + percent_encode(command.ttl);
      HttpRequest request = start_request(command, "PUT", std::move(target));
      request.body = command.value;
      request.headers.emplace_back("Content-Type",
                                   command.type.empty() ? std::string(guessed_type(command.value)) : command.type);
      if (command.json) request.headers.emplace_back("Prefer", "return=representation");
      if (command.if_absent) request.headers.emplace_back("If-None-Match", "*");
      if (!command.if_match.empty()) request.headers.emplace_back("If-Match", as_entity_tag(command.if_match));
      return request;
    }
    case Verb::patch: {
      std::string target = record_path(command);
      if (!command.ttl.empty()) target += "?ttl=" + percent_encode(command.ttl);
      HttpRequest request = start_request(command, "PATCH", std::move(target));
      request.headers.emplace_back("Content-Type", patch_type(command.type));
      const bool is_number = command.type == "increment" && !trim(command.value).starts_with('{');
      request.body = is_number ? fmt::format("{{\"by\":{}}}", command.value) : command.value;
      if (command.json) request.headers.emplace_back("Prefer", "return=representation");
      if (!command.if_match.empty()) request.headers.emplace_back("If-Match", as_entity_tag(command.if_match));
      return request;
    }
    case Verb::transact: {
      HttpRequest request = start_request(command, "POST", store_path(command) + ":transact");
      request.headers.emplace_back("Content-Type", "application/json");
      const bool is_array = trim(command.value).starts_with('[');
      request.body = is_array ? fmt::format("{{\"operations\":{}}}", command.value) : command.value;
      return request;
    }
    case Verb::erase: {
      HttpRequest request = start_request(command, "DELETE", record_path(command));
      if (!command.if_match.empty()) request.headers.emplace_back("If-Match", as_entity_tag(command.if_match));
      return request;
    }
    default: {
      HttpRequest request = start_request(command, "GET", record_path(command));
      if (command.record || command.json)
        request.headers.emplace_back("Accept", "application/vnd.holdfast.record+json");
      return request;
    }
  }
}

HttpRequest clear_request(const StateCommand& command) {
  const std::string what = command.all ? "all=true" : "prefix=" + percent_encode(command.key);
  return start_request(command, "DELETE", fmt::format("{}?limit=1000&{}", store_path(command), what));
}

HttpRequest watch_request(const StateCommand& command, std::string_view after) {
  const std::string what =
      command.watched_key ? "key=" + percent_encode(*command.watched_key) : "prefix=" + percent_encode(command.key);
  HttpRequest request = start_request(
      command, "GET", fmt::format("{}:watch?{}{}", store_path(command), what, command.values ? "&values=true" : ""));
  request.headers.emplace_back("Accept", "text/event-stream");
  if (!after.empty()) request.headers.emplace_back("Last-Event-ID", after);
  return request;
}

HttpRequest stores_request(const StateCommand& command) { return start_request(command, "GET", "/v2/stores"); }
HttpRequest health_request(const StateCommand& command) { return start_request(command, "GET", "/v2/health"); }

HttpRequest page_request(const StateCommand& command, std::uint64_t limit, std::string_view cursor) {
  std::string target = fmt::format("{}?limit={}", store_path(command), limit);
  if (!command.key.empty()) target += "&prefix=" + percent_encode(command.key);
  if (command.values) target += "&values=true";
  for (const auto& [name, value] : command.indexes)
    target += fmt::format("&index.{}={}", percent_encode(name), percent_encode(value));
  if (!cursor.empty()) target += "&cursor=" + percent_encode(cursor);
  return start_request(command, "GET", std::move(target));
}

}  // namespace holdfast::cli
