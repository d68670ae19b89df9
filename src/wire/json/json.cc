#include "wire/json/json.h"

#include <cstring>

#include "base/encoding.h"

namespace holdfast::json {
namespace {

// A parser that has read a large text holds about six times its size. It is let go after this many small texts.
constexpr std::size_t kLargeText = 256 * 1024;
constexpr unsigned kSmallTextsBeforeTrim = 64;

// Whether a number may begin behind this byte.
bool may_precede_number(char c) {
  return c == ':' || c == ',' || c == '[' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// simdjson reads "-0" as the integer 0, Go as the double -0, which prints as "-0". May be wrong inside a string,
// where it only costs time; not for "key-0", which many keys look like.
bool has_negative_zero(std::string_view text) {
  for (std::size_t at = text.find('-'); at != std::string_view::npos; at = text.find('-', at + 1)) {
    if (at > 0 && !may_precede_number(text[at - 1])) continue;
    if (at + 1 == text.size() || text[at + 1] != '0') continue;
    if (at + 2 == text.size()) return true;
    const char after = text[at + 2];
    if (after != '.' && (after < '0' || after > '9')) return true;
  }
  return false;
}

}  // namespace

simdjson::error_code Parser::read(std::string_view text, Element& out) {
  padded_.resize(text.size() + simdjson::SIMDJSON_PADDING);
  std::memcpy(padded_.data(), text.data(), text.size());
  std::memset(padded_.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
  return parser_.parse(padded_.data(), text.size(), false).get(out);
}

void Parser::trim(std::size_t bytes) {
  if (bytes > kLargeText) {
    small_texts_ = 0;
  } else if (padded_.capacity() > 2 * kLargeText && ++small_texts_ > kSmallTextsBeforeTrim) {
    parser_ = simdjson::dom::parser();
    padded_ = std::string();
  }
}

Result<Element> Parser::parse(std::string_view text, Reading reading) {
  trim(text.size());
  Element element;
  // simdjson takes no empty text, and newer releases skip a byte order mark, which Go refuses.
  const bool is_plain = !text.empty() && text[0] != '\xef' && !has_negative_zero(text);
  if (is_plain && read(text, element) == simdjson::SUCCESS) return element;
  auto strict = tolerate(text, reading);
  if (!strict) return std::unexpected(std::move(strict.error()));
  simdjson::error_code error = read(*strict, element);
  if (error == simdjson::DEPTH_ERROR) {
    // The default depth is 1,024; the arrays for ten times as much are made only when asked for.
    error = parser_.allocate(strict->size(), kDepthMax + 8);
    if (error == simdjson::SUCCESS) error = read(*strict, element);
  }
  if (error == simdjson::SUCCESS) return element;
  return fail(Errc::internal,
              std::string("the JSON reader failed on a text it had accepted: ") + simdjson::error_message(error));
}

bool find_member(Object object, std::string_view name, Element& out) {
  bool found = false;
  for (const auto& [key, value] : object)
    if (key == name || iequals(key, name)) {
      out = value;
      found = true;
    }
  return found;
}

std::string_view go_kind(Element value) {
  using Type = simdjson::dom::element_type;
  switch (value.type()) {
    case Type::OBJECT:
      return "object";
    case Type::ARRAY:
      return "array";
    case Type::STRING:
      return "string";
    case Type::INT64:
    case Type::UINT64:
    case Type::DOUBLE:
      return "number";
    case Type::BOOL:
      return "bool";
    case Type::NULL_VALUE:
      return "null";
  }
  return "null";
}

}  // namespace holdfast::json
