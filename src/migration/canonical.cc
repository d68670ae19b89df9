#include "migration/canonical.h"

#include <map>

#include "wire/json/json.h"

namespace holdfast::migration {
namespace {

// False when it is nested too deeply; each level takes a little of the stack.
bool append(std::string& out, json::Element value, int depth);

bool append_array(std::string& out, json::Array array, int depth) {
  out += '[';
  bool is_first = true;
  for (const json::Element item : array) {
    if (!std::exchange(is_first, false)) out += ',';
    if (!append(out, item, depth)) return false;
  }
  out += ']';
  return true;
}

bool append_object(std::string& out, json::Object object, int depth) {
  std::map<std::string_view, json::Element> members;
  for (const auto [name, value] : object) members.insert_or_assign(name, value);
  out += '{';
  for (const auto& [name, value] : members) {
    json::append_name(out, name);
    if (!append(out, value, depth)) return false;
  }
  out += '}';
  return true;
}

bool append(std::string& out, json::Element value, int depth) {
  if (depth == kNestingMax) return false;
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::ARRAY:
      return append_array(out, json::Array(value), depth + 1);
    case Type::OBJECT:
      return append_object(out, json::Object(value), depth + 1);
    case Type::INT64:
      out += std::to_string(std::int64_t(value));
      return true;
    case Type::UINT64:
      out += std::to_string(std::uint64_t(value));
      return true;
    case Type::DOUBLE:
      json::append_number(out, double(value));
      return true;
    case Type::STRING:
      json::append_string(out, std::string_view(value));
      return true;
    case Type::BOOL:
      out += bool(value) ? "true" : "false";
      return true;
    case Type::NULL_VALUE:
      out += "null";
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> canonical_json(std::string_view text) {
  json::Parser parser;
  const auto parsed = parser.parse(text, json::Reading::whole_text);
  std::string out;
  if (!parsed || !append(out, *parsed, 0)) return std::nullopt;
  return out;
}

}  // namespace holdfast::migration
