#include "stores/redis/record_text.h"

#include <algorithm>
#include <charconv>

#include "state/pairs.h"

namespace holdfast::stores::redis {
namespace {

constexpr std::string_view kJson = "application/json";

// By hand, into room that was made before: this is done for every save.
constexpr std::size_t kNumberBytes = 21;  // 20 digits and ':'

template <class Number>
char* write_number(char* to, Number number) {
  to = std::to_chars(to, to + kNumberBytes, number).ptr;
  *to++ = ':';
  return to;
}

char* write_piece(char* to, std::string_view text) {
  to = write_number(to, text.size());
  return std::copy(text.begin(), text.end(), to);
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
  const std::string tags = state::encode_pairs(input.tags);
  const std::string indexes = state::encode_pairs(input.indexes);
  const std::size_t texts =
      input.modified_by.size() + input.content_type.size() + tags.size() + indexes.size() + input.write_id.size();
  std::string out;
  out.resize_and_overwrite(2 + 6 * kNumberBytes + texts, [&](char* text, std::size_t) {
    char* to = text;
    *to++ = input.shape == state::Shape::json ? 'j' : 'b';
    *to++ = ':';
    to = write_number(to, input.modified.us);
    to = write_piece(to, input.modified_by);
    if (input.content_type == kJson)
      *to++ = '~';
    else
      to = write_piece(to, input.content_type);
    to = write_piece(to, tags);
    to = write_piece(to, indexes);
    to = write_piece(to, input.write_id);
    return static_cast<std::size_t>(to - text);
  });
  return out;
}

std::string make_created(WallTime created, std::string_view created_by) {
  std::string out;
  out.resize_and_overwrite(kNumberBytes + created_by.size(), [&](char* text, std::size_t) {
    char* const to = write_number(text, created.us);
    return static_cast<std::size_t>(std::copy(created_by.begin(), created_by.end(), to) - text);
  });
  return out;
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

Boxed<state::RecordFields> read_fields(std::string_view created, std::string_view tail) {
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
