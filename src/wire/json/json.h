// JSON as Go's encoding/json reads and writes it, which is what Dapr's clients and stored data expect.
//
// Reading: simdjson parses; what it refuses is given to a tolerant reader that decides as Go does (the first
// value only, U+FFFD for bad UTF-8 and lone surrogates, depth 10,000), rewrites the text strictly, and simdjson
// parses that. So there is one tree, simdjson's.
// Writing: object keys sorted (last duplicate wins), no white space, < > & U+2028 U+2029 escaped, numbers as
// Go prints float64. All functions are pure and use no stack per level of nesting; a Parser is one thread's and
// is reused. In a steady state neither Parser::parse nor append_go allocates, beyond what `out` needs.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::json {

using Element = simdjson::dom::element;
using Array = simdjson::dom::array;
using Object = simdjson::dom::object;

inline constexpr std::size_t kDepthMax = 10000;

// How much of a text belongs to its value.
enum class Reading : std::uint8_t {
  first_value,  // what follows it is ignored: Go's Decoder, which reads request bodies
  whole_text,   // only white space may follow: Go's Unmarshal, with its own words for a text that ends too soon
};

class Parser {
 public:
  // The tree lives until the next parse() or the parser's end. Errc::invalid_argument with Go's text ("EOF",
  // "unexpected EOF", "invalid character 'x' looking for beginning of value", ...).
  Result<Element> parse(std::string_view text, Reading reading = Reading::first_value);

 private:
  simdjson::error_code read(std::string_view text, Element& out);
  void trim(std::size_t bytes);

  simdjson::dom::parser parser_;
  std::string padded_;
  unsigned small_texts_ = 0;  // in a row, since the last large one
};

// Go's decoding of a text into strict JSON text: what Parser reads where simdjson refuses.
Result<std::string> tolerate(std::string_view text, Reading reading = Reading::first_value);

// Appends `value` as Go's json.Marshal(decoded value) prints it.
void append_go(std::string& out, Element value);
// Appends a quoted string as Go escapes it (HTML-safe); bad UTF-8 becomes \ufffd.
void append_string(std::string& out, std::string_view text);
// What stands between the quotes.
void append_escaped(std::string& out, std::string_view text);
// Appends what stands before the value of an object's next member: the name, with a comma before it unless `out` ends
// with the bracket that opens the object.
void append_name(std::string& out, std::string_view name);
// A member whose value is a string.
void append_member(std::string& out, std::string_view name, std::string_view text);
// Appends as Go prints a float64: shortest digits, exponent form below 1e-6 and from 1e21. An infinity
// or NaN, which JSON lacks, is null.
void append_number(std::string& out, double value);
// Go's json.Compact with HTML escaping: white space dropped, key order and number text kept. False, and `out` as
// it was, when `text` is not exactly one valid JSON value.
bool append_compact(std::string& out, std::string_view text);
// Go's json.Valid. Bad UTF-8 inside a string is valid, as in Go.
bool is_valid(std::string_view text);

// Member look-up as Go's decoder fills a struct field: the last member whose name is the field's in any (ASCII)
// case. Nothing when absent.
bool find_member(Object object, std::string_view name, Element& out);
// Go's word for the type in "cannot unmarshal ...": "object", "array", "string", "number", "bool", "null".
std::string_view go_kind(Element value);

}  // namespace holdfast::json
