#include "stores/redis/document.h"

#include <algorithm>

#include "base/number.h"
#include "stores/redis/record_text.h"
#include "wire/json/json.h"

namespace holdfast::stores::redis {
namespace {

// A walk over well-formed compact JSON that only needs to know strings from structure.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // The next value's text, a string with its quotes; empty at the end or where the text is not what it should be.
  std::string_view value() {
    const std::size_t begin = at_;
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') {
        if (!skip_string()) return {};
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth == 0 && (c == ',' || c == '}' || c == ']' || c == ':')) {
        break;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
    return text_.substr(begin, at_ - begin);
  }
  bool at_end() const { return at_ == text_.size(); }

 private:
  // Leaves at_ on the closing quote.
  bool skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    return at_ < text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<std::string> read_string(std::string_view json) {
  json::Parser parser;
  auto element = parser.parse(json, json::Reading::whole_text);
  if (!element || !element->is_string()) return std::nullopt;
  return std::string(element->get_string().value_unsafe());
}

struct Members {
  std::string_view data, version, created, modified;
};

// The path as the server writes it back, with its quotes escaped.
bool is_path(std::string_view name, std::string_view path) {
  const auto text = read_string(name);
  return text && *text == path;
}

std::optional<Members> read_members(std::string_view json) {
  Walk walk(json);
  Members members;
  if (!walk.take('{')) return std::nullopt;
  do {
    const std::string_view name = walk.value();
    if (!walk.take(':')) return std::nullopt;
    const auto value = only_element(walk.value());
    for (const auto& [path, out] :
         {std::pair(kDataPath, &members.data), std::pair(kVersionPath, &members.version),
          std::pair(kCreatedPath, &members.created), std::pair(kModifiedPath, &members.modified)})
      if (value && is_path(name, path)) *out = *value;
  } while (walk.take(','));
  return walk.take('}') ? std::optional(members) : std::nullopt;
}

bool is_integer(std::string_view text) {
  std::int64_t number = 0;
  return read_number(text, number);
}

}  // namespace

std::optional<std::string_view> only_element(std::string_view json) {
  Walk walk(json);
  if (!walk.take('[')) return std::nullopt;
  const std::string_view value = walk.value();
  if (value.empty() || !walk.take(']') || !walk.at_end()) return std::nullopt;
  return value;
}

std::optional<state::Record> read_document(std::string_view json, bool want_value, bool want_fields) {
  const auto members = read_members(json);
  if (!members || members->data.empty() || !is_integer(members->version)) return std::nullopt;
  state::Record record;
  record.shape = state::Shape::json;
  record.etag = members->version;
  if (want_value) record.value = members->data;
  if (!want_fields || members->created.empty() || members->modified.empty()) return record;
  const auto created = read_string(members->created);
  const auto modified = read_string(members->modified);
  if (!created || !modified) return record;
  if (const auto tail = believed_tail(*modified, record.etag)) record.fields = read_fields(*created, *tail);
  return record;
}

}  // namespace holdfast::stores::redis
