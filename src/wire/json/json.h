// JSON as Go's encoding/json reads and writes it, which is what Dapr's clients and stored data expect.
//
// Reading: simdjson parses; what it refuses is given to a tolerant reader that decides as Go does (the first
// value only, U+FFFD for bad UTF-8 and lone surrogates, depth 10,000), rewrites the text strictly, and simdjson
// parses that. So there is one tree, simdjson's.
// Writing: object keys sorted (last duplicate wins), no white space, < > & U+2028 U+2029 escaped, numbers as
// Go prints float64. All functions are pure; a Parser is one thread's and is reused.
#pragma once

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::json {

using Element = simdjson::dom::element;
using Array = simdjson::dom::array;
using Object = simdjson::dom::object;

inline constexpr std::size_t kDepthMax = 10000;

class Parser {
 public:
  // The tree lives until the next parse() or the parser's end. Errc::invalid_argument with Go's decoder text
  // ("EOF", "unexpected EOF", "invalid character 'x' looking for beginning of value", ...).
  // Trailing text after the first value is ignored.
  Result<Element> parse(std::string_view text);

 private:
  simdjson::dom::parser parser_;
  std::string padded_;
};

// Go's decoding of the first value in `text` into strict JSON text. I/O-free; the fuzz target's subject.
Result<std::string> tolerate(std::string_view text);

// Appends `value` as Go's json.Marshal(decoded value) prints it.
void append_go(std::string& out, Element value);
// Appends a quoted string as Go escapes it (HTML-safe).
void append_string(std::string& out, std::string_view text);
// Appends as Go prints a float64: shortest digits, exponent form below 1e-6 and from 1e21.
void append_number(std::string& out, double value);
// Go's json.Compact with HTML escaping: white space dropped, key order and number text kept. False, and `out` as
// it was, when `text` is not exactly one valid JSON value.
bool append_compact(std::string& out, std::string_view text);
bool is_valid(std::string_view text);

// Member look-up as Go's decoder matches struct fields: exact name first, then any case; last duplicate wins.
// Nothing when absent.
bool find_member(Object object, std::string_view name, Element& out);
// Go's word for the type in "cannot unmarshal ...": "object", "array", "string", "number", "bool", "null".
std::string_view go_kind(Element value);

}  // namespace holdfast::json
