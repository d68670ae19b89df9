#include "stores/redis/record_text.h"

#include <array>
#include <charconv>

#include "state/pairs.h"

namespace holdfast::stores::redis {
namespace {

constexpr std::string_view kJson = "application/json";

// By hand: this is done for every save.
template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
  out += ':';
}

void append_piece(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out += text;
}

// Takes "NUMBER:" off the front.
template <class Number>
bool take_number(std::string_view& text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end == text.data() + text.size() || *end != ':') return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

bool take_piece(std::string_view& text, std::string_view& out) {
  std::size_t length = 0;
  if (!take_number(text, length) || length > text.size()) return false;
  out = text.substr(0, length);
  text.remove_prefix(length);
  return true;
}

bool take_content_type(std::string_view& text, std::string_view& out) {
  if (!text.starts_with('~')) return take_piece(text, out);
  out = kJson;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::string make_tail(const TailInput& input) {
  std::string out;
  out.reserve(48 + input.modified_by.size() + input.content_type.size() + input.write_id.size());
  out += input.shape == state::Shape::json ? "j:" : "b:";
  append_number(out, input.modified.us);
  append_piece(out, input.modified_by);
  if (input.content_type == kJson)
    out += '~';
  else
    append_piece(out, input.content_type);
  append_piece(out, state::encode_pairs(input.tags));
  append_piece(out, state::encode_pairs(input.indexes));
  append_piece(out, input.write_id);
  return out;
}

std::string make_created(WallTime created, std::string_view created_by) {
  std::string out;
  append_number(out, created.us);
  return out += created_by;
}

std::optional<std::string_view> believed_tail(std::string_view modified, std::string_view version) {
  if (version.empty() || modified.size() <= version.size() || !modified.starts_with(version) ||
      modified[version.size()] != ':')
    return std::nullopt;
  return modified.substr(version.size() + 1);
}

state::Shape shape_of(std::string_view tail) {
  return tail.starts_with('j') ? state::Shape::json : state::Shape::bytes;
}

std::optional<state::RecordFields> read_fields(std::string_view created, std::string_view tail) {
  state::RecordFields fields;
  if (!take_number(created, fields.created.us)) return std::nullopt;
  fields.created_by = created;
  if (!tail.starts_with("j:") && !tail.starts_with("b:")) return std::nullopt;
  tail.remove_prefix(2);
  std::string_view by, type, tags, indexes;
  if (!take_number(tail, fields.modified.us) || !take_piece(tail, by) || !take_content_type(tail, type) ||
      !take_piece(tail, tags) || !take_piece(tail, indexes))
    return std::nullopt;
  fields.modified_by = by;
  fields.content_type = type;
  fields.tags = state::decode_pairs(tags);
  fields.indexes = state::decode_pairs(indexes);
  return fields;
}

}  // namespace holdfast::stores::redis
