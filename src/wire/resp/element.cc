#include "wire/resp/element.h"

#include <algorithm>
#include <limits>

#include "base/number.h"

namespace holdfast::resp {
namespace {

using Read = std::expected<Element, std::string_view>;

std::unexpected<std::string_view> wrong(std::string_view reason) { return std::unexpected(reason); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_number(std::string_view digits) { return !digits.empty() && std::ranges::all_of(digits, is_digit); }

// RESP3 allows a plus before numbers of every kind.
std::string_view without_plus(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-' && text[1] != '+') text.remove_prefix(1);
  return text;
}
std::string_view without_sign(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text;
}

Read scalar(Kind kind, std::string_view text) { return Element{.kind = kind, .text = text}; }

// A length or a number of elements. "-1" stands for null where RESP2 has it so.
Read counted(Kind kind, Form form, std::string_view text, bool may_be_null) {
  // Nearly all of them have a few digits and no more.
  if (text.size() == 1 && is_digit(text[0]))
    return Element{.kind = kind, .form = form, .count = static_cast<std::uint64_t>(text[0] - '0')};
  if (text == "-1" && may_be_null) return scalar(Kind::null, {});
  if (text == "?") return wrong("a streamed string or aggregate, which is not understood here");
  if (!is_number(text)) return wrong("a length that is no number");
  const auto count = parse_integer(text);
  if (!count) return wrong("a length that no 64 bits hold");
  return Element{.kind = kind, .form = form, .count = static_cast<std::uint64_t>(*count)};
}

// Pairs: twice as many values as announced.
Read paired(Kind kind, Form form, std::string_view text) {
  Read element = counted(kind, form, text, false);
  if (!element) return element;
  if (element->count > std::numeric_limits<std::int64_t>::max() / 2) return wrong("a length that no 64 bits hold");
  element->count *= 2;
  return element;
}

Read verbatim(std::string_view text) {
  static constexpr std::uint32_t kFormatBytes = 4;  // "txt:" or "mkd:"
  Read element = counted(Kind::text, Form::bulk, text, false);
  if (!element) return element;
  if (element->count < kFormatBytes) return wrong("a verbatim string without its format");
  element->skipped = kFormatBytes;
  return element;
}

}  // namespace

bool is_type(char type) { return std::string_view("+-:$*_#,(!=%~>|").contains(type); }

std::expected<Element, std::string_view> read_element(std::string_view line) {
  const std::string_view text = line.substr(1);
  switch (line.front()) {
    case '$':
      return counted(Kind::text, Form::bulk, text, true);
    case ':':
      return parse_integer(without_plus(text)) ? scalar(Kind::integer, without_plus(text))
                                               : wrong("an integer that is none, or beyond 64 bits");
    case '*':
      return counted(Kind::array, Form::aggregate, text, true);
    case '+':
      return scalar(Kind::text, text);
    case '-':
      return scalar(Kind::error, text);
    case '_':
      return text.empty() ? scalar(Kind::null, {}) : wrong("a null with something behind it");
    case '#':
      return text == "t" || text == "f" ? scalar(Kind::boolean, text) : wrong("a boolean that is neither t nor f");
    case ',':
      return parse_real(text) ? scalar(Kind::real, text) : wrong("a double that is none");
    case '(':
      return is_number(without_sign(text)) ? scalar(Kind::big_number, text) : wrong("a big number that is none");
    case '!':
      return counted(Kind::error, Form::bulk, text, false);
    case '=':
      return verbatim(text);
    case '%':
      return paired(Kind::map, Form::aggregate, text);
    case '~':
      return counted(Kind::set, Form::aggregate, text, false);
    case '>':
      return counted(Kind::push, Form::aggregate, text, false);
    case '|':
      return paired(Kind::null, Form::attribute, text);
    default:
      return wrong("a type that does not exist");
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  return read_number(text, number) ? std::optional(number) : std::nullopt;
}

std::optional<double> parse_real(std::string_view text) {
  double number = 0;
  return read_number(without_plus(text), number) ? std::optional(number) : std::nullopt;
}

}  // namespace holdfast::resp
