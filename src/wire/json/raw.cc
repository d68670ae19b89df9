#include "wire/json/raw.h"

#include "base/encoding.h"
#include "wire/json/json.h"
#include "wire/json/scanner.h"

namespace holdfast::json {
namespace {

// Walks over a text that is known to be valid.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}

  // Behind the bracket that opens it; false when it is empty.
  bool enter() {
    ++at_;
    return !next_is_close();
  }
  // The value that begins here, and past it.
  std::string_view value() {
    skip_space();
    const std::size_t start = at_;
    std::size_t depth = 0;
    do {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
      } else if (c == '{' || c == '[') {
        ++depth;
        ++at_;
      } else if (c == '}' || c == ']') {
        --depth;
        ++at_;
      } else if (depth > 0) {
        ++at_;
      } else {
        at_ = std::min(text_.find_first_of(" \t\r\n,:]}", at_), text_.size());
      }
    } while (depth > 0);
    return text_.substr(start, at_ - start);
  }
  void skip_colon() {
    skip_space();
    ++at_;
  }
  // Past the comma; false when the end of the aggregate stands here instead.
  bool more() {
    if (next_is_close()) return false;
    ++at_;
    return true;
  }

 private:
  bool next_is_close() {
    skip_space();
    return text_[at_] == '}' || text_[at_] == ']';
  }
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  void skip_string() {
    ++at_;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string unquote(std::string_view quoted) {
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  if (inner.find('\\') == std::string_view::npos && is_utf8(inner)) return std::string(inner);
  thread_local Parser parser;
  const auto parsed = parser.parse(quoted, Reading::whole_text);
  std::string_view text;
  if (!parsed || parsed->get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

}  // namespace

Result<RawValue> RawValue::read(std::string_view text) {
  Discard discard;
  Scanner scanner(text, Reading::whole_text, discard);
  if (!scanner.run()) return fail(Errc::invalid_argument, "it is not valid JSON: " + scanner.error());
  return RawValue(trim(text));
}

RawValue::Kind RawValue::kind() const {
  switch (text_.front()) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return Kind::number;
  }
}

std::vector<RawMember> RawValue::members() const {
  std::vector<RawMember> out;
  if (!is(Kind::object)) return out;
  Walk walk(text_);
  if (!walk.enter()) return out;
  do {
    std::string name = unquote(walk.value());
    walk.skip_colon();
    out.push_back({std::move(name), RawValue(walk.value())});
  } while (walk.more());
  return out;
}

std::vector<RawValue> RawValue::elements() const {
  std::vector<RawValue> out;
  if (!is(Kind::array)) return out;
  Walk walk(text_);
  if (!walk.enter()) return out;
  do out.push_back(RawValue(walk.value()));
  while (walk.more());
  return out;
}

std::string RawValue::string() const { return is(Kind::string) ? unquote(text_) : std::string(); }

std::string_view name_of(RawValue::Kind kind) {
  using Kind = RawValue::Kind;
  switch (kind) {
    case Kind::object:
      return "an object";
    case Kind::array:
      return "an array";
    case Kind::string:
      return "a string";
    case Kind::number:
      return "a number";
    case Kind::boolean:
      return "a boolean";
    case Kind::null:
      break;
  }
  return "null";
}

}  // namespace holdfast::json
