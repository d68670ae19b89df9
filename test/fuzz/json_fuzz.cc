// The two readers agree, what tolerate() writes is strict, and writing is idempotent.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/encoding.h"
#include "require.h"
#include "wire/json/json.h"

namespace json = holdfast::json;

namespace {

std::string written(json::Element element) {
  std::string out;
  json::append_go(out, element);
  return out;
}

void check_reading(std::string_view text, json::Reading reading) {
  json::Parser parser;
  const auto element = parser.parse(text, reading);
  const auto strict = json::tolerate(text, reading);
  FUZZ_REQUIRE(element.has_value() == strict.has_value());
  if (!element) {
    FUZZ_REQUIRE(element.error().code == holdfast::Errc::invalid_argument);
    FUZZ_REQUIRE(element.error().message == strict.error().message);
    return;
  }
  const std::string first = written(*element);
  FUZZ_REQUIRE(holdfast::is_utf8(*strict));
  FUZZ_REQUIRE(json::is_valid(*strict));
  json::Parser second_parser;
  const auto from_strict = second_parser.parse(*strict, json::Reading::whole_text);
  FUZZ_REQUIRE(from_strict.has_value());
  FUZZ_REQUIRE(written(*from_strict) == first);
  FUZZ_REQUIRE(holdfast::is_utf8(first));
  const auto again = second_parser.parse(first, json::Reading::whole_text);
  FUZZ_REQUIRE(again.has_value());
  FUZZ_REQUIRE(written(*again) == first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_reading(text, json::Reading::first_value);
  check_reading(text, json::Reading::whole_text);
  std::string compact = "kept";
  const bool is_compacted = json::append_compact(compact, text);
  FUZZ_REQUIRE(is_compacted == json::is_valid(text));
  if (!is_compacted) {
    FUZZ_REQUIRE(compact == "kept");
    return 0;
  }
  const std::string once = compact.substr(4);
  std::string twice;
  FUZZ_REQUIRE(json::append_compact(twice, once));
  FUZZ_REQUIRE(twice == once);
  return 0;
}
