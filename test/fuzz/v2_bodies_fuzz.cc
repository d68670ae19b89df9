// Bodies of v2: whatever the text, the answer is commands that hold what they should, or words that say what is wrong.
// The first byte chooses the body's kind; a patch stands behind the first NUL of the rest.
#include <cstddef>
#include <cstdint>
#include <string>

#include "api/http/v2_decode.h"
#include "api/patch.h"
#include "api/query_command.h"
#include "require.h"
#include "wire/json/json.h"
#include "wire/json/raw.h"

namespace api = holdfast::api;
namespace json = holdfast::json;
using holdfast::Errc;

namespace {

template <class T>
bool is_told(const holdfast::Result<T>& result, Errc other = Errc::invalid_argument) {
  const holdfast::Error& error = result.error();
  return (error.code == Errc::invalid_argument || error.code == other) && !error.message.empty();
}

void check_commands(std::string_view body) {
  const auto commands = api::decode_commands(body, "items");
  if (!commands) {
    FUZZ_REQUIRE(is_told(commands));
    return;
  }
  FUZZ_REQUIRE(json::is_valid(body));
  for (const api::Command& command : *commands) {
    if (const auto* put = std::get_if<api::PutCommand>(&command))
      FUZZ_REQUIRE(!put->content_type.empty() && put->ttl.value_or(holdfast::Milliseconds(1)).count() > 0);
    if (const auto* check = std::get_if<api::CheckCommand>(&command))
      FUZZ_REQUIRE(check->when.kind != holdfast::state::Precondition::Kind::any);
  }
}

void check_batch_get(std::string_view body) {
  const auto command = api::decode_batch_get(body);
  if (!command) FUZZ_REQUIRE(is_told(command));
}

void check_merge(std::string_view value, std::string_view patch) {
  const auto merged = api::merge_patch(value, patch);
  if (!merged) {
    FUZZ_REQUIRE(is_told(merged));
    return;
  }
  FUZZ_REQUIRE(json::is_valid(*merged));
  // A patch that is applied already changes nothing.
  const auto again = api::merge_patch(*merged, patch);
  FUZZ_REQUIRE(again && *again == *merged);
}

void check_increment(std::string_view value, std::string_view body) {
  const auto increment = api::read_increment(body);
  if (!increment) {
    FUZZ_REQUIRE(is_told(increment));
    return;
  }
  const auto sum = api::incremented(value, *increment);
  if (!sum) {
    FUZZ_REQUIRE(is_told(sum, Errc::precondition_failed));
    return;
  }
  const auto number = json::RawValue::read(*sum);
  FUZZ_REQUIRE(number && number->is(json::RawValue::Kind::number));
}

void check_append(std::string_view value, std::string_view element) {
  const auto longer = api::with_element(value, element);
  if (!longer) {
    FUZZ_REQUIRE(is_told(longer));
    return;
  }
  const auto array = json::RawValue::read(*longer);
  FUZZ_REQUIRE(array && array->elements().size() == json::RawValue::read(value)->elements().size() + 1);
}

// Each part of a value is a value, and stands in its text.
void check_parts(std::string_view text) {
  const auto value = json::RawValue::read(text);
  FUZZ_REQUIRE(value.has_value() == json::is_valid(text));
  if (!value) return;
  const auto check = [&](json::RawValue part) {
    FUZZ_REQUIRE(json::is_valid(part.text()));
    FUZZ_REQUIRE(part.text().data() >= text.data() &&
                 part.text().data() + part.text().size() <= text.data() + text.size());
  };
  for (const json::RawValue& element : value->elements()) check(element);
  for (const json::RawMember& member : value->members()) check(member.value);
}

// What a projection leaves of a value is a value, and projecting it again changes nothing.
void check_query(std::string_view body, std::string_view value) {
  const auto command = api::read_query_body(body);
  if (!command) {
    FUZZ_REQUIRE(is_told(command));
    return;
  }
  FUZZ_REQUIRE(json::is_valid(body));
  if (!json::is_valid(value) || command->fields.is_everything()) return;
  const std::string part = command->fields.of_value(value);
  FUZZ_REQUIRE(json::is_valid(part));
  FUZZ_REQUIRE(command->fields.of_value(part) == part);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t nul = rest.find('\0');
  const std::string_view value = rest.substr(0, nul);
  const std::string_view patch = nul == std::string_view::npos ? std::string_view() : rest.substr(nul + 1);
  switch (data[0] % 7) {
    case 0:
      check_commands(rest);
      break;
    case 1:
      check_batch_get(rest);
      break;
    case 2:
      check_merge(value, patch);
      break;
    case 3:
      check_increment(value, patch);
      break;
    case 4:
      check_append(value, patch);
      break;
    case 6:
      check_query(value, patch);
      break;
    default:
      check_parts(rest);
      break;
  }
  return 0;
}
