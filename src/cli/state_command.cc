#include "cli/state_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::cli {

namespace {

using Verb = StateCommand::Verb;

constexpr std::string_view kHelp = R"(holdfast state looks at the records of a running sidecar, and changes them.

  holdfast state get STORE KEY [--record]
  holdfast state put STORE KEY [VALUE|-] [--type TYPE] [--ttl 30s] [--if-match ETAG | --if-absent]
  holdfast state delete STORE KEY [--if-match ETAG]
  holdfast state ls STORE [PREFIX] [--values] [--limit N]
  holdfast state backup STORE FILE [--resources-path DIR] [--app-id ID]

Without VALUE, or with "-", put reads standard input. Without --type a value that is JSON is kept as JSON, other text as
text/plain. get --record shows who wrote a record and when. backup copies the file of an SQLite component while sidecars
use it; without --resources-path it looks where "holdfast serve" does.

  --address URL   the sidecar; by default http://127.0.0.1:$DAPR_HTTP_PORT, or port 3500
  --json          JSON for programs
The API token is taken from DAPR_API_TOKEN.

Exit codes: 0 done, 1 failed, 2 misused, 3 there is no such record or store.
)";

struct VerbRow {
  std::string_view name;
  Verb verb;
  std::size_t words_min;  // after the verb
  std::size_t words_max;
  std::string_view options;  // names, each between spaces
};
constexpr VerbRow kVerbs[] = {
    {"get", Verb::get, 2, 2, " record json address "},
    {"put", Verb::put, 2, 3, " type ttl if-match if-absent json address "},
    {"delete", Verb::erase, 2, 2, " if-match json address "},
    {"ls", Verb::list, 1, 2, " values limit json address "},
    {"backup", Verb::backup, 2, 2, " resources-path app-id json "},
};

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

bool* switch_of(StateCommand& command, std::string_view name) {
  if (name == "record") return &command.record;
  if (name == "values") return &command.values;
  if (name == "json") return &command.json;
  if (name == "if-absent") return &command.if_absent;
  return nullptr;
}

Status set_option(StateCommand& command, std::string_view name, const std::string& value) {
  if (name == "limit") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), command.limit);
    if (error != std::errc() || end != value.data() + value.size() || command.limit == 0)
      return refuse("--limit takes a number of keys, from 1");
    return {};
  }
  if (name == "resources-path") {
    for (std::size_t at = 0; at <= value.size();) {
      const std::size_t comma = std::min(value.find(',', at), value.size());
      if (comma > at) command.resources_paths.push_back(value.substr(at, comma - at));
      at = comma + 1;
    }
    return {};
  }
  if (name == "type") command.type = value;
  if (name == "ttl") command.ttl = value;
  if (name == "if-match") command.if_match = value;
  if (name == "address") command.address = value;
  if (name == "app-id") command.app_id = value;
  return {};
}

// Takes the options out of `arguments`; what is left are words. A lone "-" and what follows "--" are words.
Result<std::vector<std::string>> read_options(std::span<const std::string> arguments, const VerbRow& row,
                                              StateCommand& command) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      words.insert(words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (argument == "-h" || argument == "--help") {
      command.verb = Verb::help;
      return words;
    }
    if (!argument.starts_with("--")) {
      words.push_back(argument);
      continue;
    }
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name.empty() || row.options.find(" " + name + " ") == std::string_view::npos)
      return refuse(fmt::format("\"holdfast state {}\" has no option --{}", row.name, name));
    if (bool* flag = switch_of(command, name)) {
      if (equals != std::string::npos) return refuse(fmt::format("--{} takes no value", name));
      *flag = true;
      continue;
    }
    if (equals == std::string::npos && i + 1 == arguments.size())
      return refuse(fmt::format("--{} needs a value", name));
    const std::string value = equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
    if (auto ok = set_option(command, name, value); !ok) return fail(ok.error());
  }
  return words;
}

Status place_words(std::vector<std::string> words, const VerbRow& row, StateCommand& command) {
  if (words.size() < row.words_min)
    return refuse(fmt::format("\"holdfast state {}\" needs {}", row.name,
                              words.empty()              ? "the name of a store"
                              : row.verb == Verb::backup ? "a file"
                                                         : "a key"));
  if (words.size() > row.words_max)
    return refuse(fmt::format("\"{}\" is one word too many for \"holdfast state {}\"", words[row.words_max], row.name));
  command.store = std::move(words[0]);
  if (row.verb == Verb::backup) {
    command.file = std::move(words[1]);
  } else if (words.size() > 1) {
    command.key = std::move(words[1]);
  }
  if (row.verb != Verb::put) return {};
  command.value_from_input = words.size() < 3 || words[2] == "-";
  if (!command.value_from_input) command.value = std::move(words[2]);
  if (command.if_absent && !command.if_match.empty()) return refuse("--if-match and --if-absent exclude each other");
  return {};
}

std::string record_path(const StateCommand& command) {
  return fmt::format("/v2/state/{}/{}", percent_encode(command.store), percent_encode(command.key));
}

HttpRequest start_request(const StateCommand& command, std::string method, std::string target) {
  HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  if (!command.token.empty()) request.headers.emplace_back("dapr-api-token", command.token);
  return request;
}

// A bare etag works as well as a quoted one.
std::string as_entity_tag(const std::string& etag) {
  const bool is_tag = etag == "*" || etag.find('"') != std::string::npos;
  return is_tag ? etag : "\"" + etag + "\"";
}

}  // namespace

std::string state_help() { return std::string(kHelp); }

std::string_view guessed_type(std::string_view value) {
  if (json::is_valid(value)) return "application/json";
  return is_utf8(value) ? "text/plain; charset=utf-8" : "application/octet-stream";
}

Result<StateCommand> parse_state_command(std::span<const std::string> arguments,
                                         const config::GetEnvironment& environment) {
  StateCommand command;
  if (arguments.empty()) return refuse("\"holdfast state\" needs one of get, put, delete, ls, backup");
  if (arguments[0] == "help" || arguments[0] == "--help" || arguments[0] == "-h") return command;
  const auto row = std::ranges::find_if(kVerbs, [&](const VerbRow& r) { return r.name == arguments[0]; });
  if (row == std::end(kVerbs))
    return refuse(fmt::format("\"{}\" is none of get, put, delete, ls, backup", arguments[0]));
  command.verb = row->verb;
  command.address = fmt::format("http://127.0.0.1:{}", environment("DAPR_HTTP_PORT").value_or("3500"));
  command.token = environment("DAPR_API_TOKEN").value_or("");
  auto words = read_options(arguments.subspan(1), *row, command);
  if (!words) return fail(words.error());
  if (command.verb == Verb::help) return command;
  if (auto ok = place_words(std::move(*words), *row, command); !ok) return fail(ok.error());
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

HttpRequest page_request(const StateCommand& command, std::uint64_t limit, std::string_view cursor) {
  std::string target = fmt::format("/v2/state/{}?limit={}", percent_encode(command.store), limit);
  if (!command.key.empty()) target += "&prefix=" + percent_encode(command.key);
  if (command.values) target += "&values=true";
  if (!cursor.empty()) target += "&cursor=" + percent_encode(cursor);
  return start_request(command, "GET", std::move(target));
}

}  // namespace holdfast::cli
