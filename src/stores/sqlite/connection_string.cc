#include "stores/sqlite/connection_string.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/encoding.h"

namespace holdfast::stores::sqlite {
namespace {

struct Refused {
  std::string_view pragma;
  std::string_view advice;
};

// The first three as in Dapr; the others would break what several connections rely on.
constexpr std::array kRefused{
    Refused{"busy_timeout", "use the field busyTimeout instead"},
    Refused{"journal_mode", "use the field disableWAL instead"},
    Refused{"foreign_keys", "it cannot be set"},
    Refused{"locking_mode", "several connections share the file"},
    Refused{"query_only", "use mode=ro instead"},
    Refused{"writable_schema", "it can damage the file"},
    Refused{"read_uncommitted", "reads must not see unfinished writes"},
};

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
           c == '.' || c == '+';
  });
}

std::string upper(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// PRAGMA synchronous also takes numbers.
std::string synchronous_name(const std::string& value) {
  static constexpr std::array<std::string_view, 4> kNames{"OFF", "NORMAL", "FULL", "EXTRA"};
  std::string name = upper(value);
  if (name.size() == 1 && name[0] >= '0' && name[0] <= '3')
    return std::string(kNames[static_cast<std::size_t>(name[0] - '0')]);
  return name;
}

Status add_pragma(ConnectionString& out, std::string_view text) {
  const std::size_t mark = text.find_first_of("(=");
  const std::string name = to_lower(trim(text.substr(0, mark)));
  for (const Refused& refused : kRefused)
    if (name == refused.pragma)
      return fail(
          Errc::invalid_argument,
          fmt::format("found forbidden option '_pragma={}' in the connection string: {}", name, refused.advice));
  std::string_view value = mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
  if (mark != std::string_view::npos && text[mark] == '(') {
    if (!value.ends_with(')'))
      value = "?";
    else
      value.remove_suffix(1);
  }
  value = trim(value);
  if (name.empty() || value.empty() || !is_plain(name) || !is_plain(value))
    return fail(Errc::invalid_argument,
                "a '_pragma' of the connection string must have the form name(value) or name=value");
  if (name == "synchronous") {
    out.synchronous = synchronous_name(std::string(value));
    return {};
  }
  out.pragmas.push_back(fmt::format("{} = {}", name, value));
  return {};
}

struct Parameter {
  std::string name;
  std::string value;
};

// As Go's url.ParseQuery, which Dapr uses: what cannot be decoded is passed over.
std::vector<Parameter> parse_query_string(std::string_view text) {
  std::vector<Parameter> parameters;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const std::size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), Plus::space);
    auto value = equals == std::string_view::npos ? std::optional<std::string>("")
                                                  : percent_decode(pair.substr(equals + 1), Plus::space);
    if (name && value) parameters.push_back({std::move(*name), std::move(*value)});
  }
  return parameters;
}

bool names_memory(std::string_view text) {
  const std::string lower = to_lower(text);
  return lower.starts_with(":memory:") || lower.starts_with("file::memory:");
}

// Takes one parameter; what SQLite itself should see goes into `passed`. `cache` is dropped:
// connections never share a page cache, whose table locks would make readers fail while a write
// commits.
Status take_parameter(ConnectionString& out, const Parameter& parameter, std::vector<Parameter>& passed) {
  const auto& [name, value] = parameter;
  if (name == "_pragma") return add_pragma(out, value);
  if (name == "_txlock") out.has_other_txlock = to_lower(value) != "immediate";
  if (name.starts_with('_') || name == "cache") return {};
  for (const Parameter& earlier : passed)
    if (earlier.name == name) return {};
  if (name == "mode" && value == "memory") out.in_memory = true;
  if ((name == "mode" && value == "ro") || (name == "immutable" && value == "1")) out.read_only = true;
  passed.push_back(parameter);
  return {};
}

}  // namespace

Result<ConnectionString> parse_connection_string(std::string_view text) {
  if (trim(text).empty()) return fail(Errc::invalid_argument, "missing connection string");
  ConnectionString out;
  out.in_memory = names_memory(text);
  const std::size_t mark = text.find('?');
  const bool has_query = mark != std::string_view::npos && mark > 0;
  std::vector<Parameter> passed;
  if (has_query)
    for (const Parameter& parameter : parse_query_string(text.substr(mark + 1)))
      if (auto taken = take_parameter(out, parameter, passed); !taken) return fail(std::move(taken.error()));
  if (out.in_memory) {
    out.uri = ":memory:";
    return out;
  }
  const std::string_view path = has_query ? text.substr(0, mark) : text;
  out.uri =
      to_lower(path.substr(0, 5)) == "file:" ? "file:" + std::string(path.substr(5)) : "file:" + std::string(path);
  char separator = '?';
  for (const Parameter& parameter : passed) {
    out.uri += separator;
    out.uri += percent_encode(parameter.name) + "=" + percent_encode(parameter.value);
    separator = '&';
  }
  return out;
}

}  // namespace holdfast::stores::sqlite
