// Bodies of v1: whatever the text, the answer is values that read back the same, or Go's words. The first byte chooses
// the body's kind.
#include <cstddef>
#include <cstdint>
#include <string>

#include "api/http/v1_decode.h"
#include "require.h"

namespace api = holdfast::api;
namespace json = holdfast::json;
using holdfast::state::Shape;

namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  if (!out.ends_with('{')) out += ',';
  json::append_string(out, name);
  out += ':';
  json::append_string(out, text);
}

void append_item(std::string& out, const api::V1Item& item) {
  out += '{';
  append_member(out, "key", item.key);
  out += ",\"value\":" + item.value;
  append_member(out, "etag", item.etag);
  out += ",\"metadata\":{";
  for (const auto& [name, value] : item.metadata) append_member(out, name, value);
  out += "},\"options\":{";
  append_member(out, "concurrency", item.concurrency);
  append_member(out, "consistency", item.consistency);
  out += "}}";
}

void check_value(const api::V1Item& item) {
  FUZZ_REQUIRE(item.shape == Shape::json);
  FUZZ_REQUIRE(json::is_valid(item.value));
}

bool same(const api::V1Item& a, const api::V1Item& b) {
  return a.key == b.key && a.value == b.value && a.shape == b.shape && a.etag == b.etag &&
         a.concurrency == b.concurrency && a.consistency == b.consistency && a.metadata == b.metadata;
}

template <class T>
bool is_told(const holdfast::Result<T>& result) {
  return result.error().code == holdfast::Errc::invalid_argument && !result.error().message.empty();
}

void check_save(std::string_view body) {
  json::Parser parser;
  const auto items = api::decode_save(parser, body);
  if (!items) {
    FUZZ_REQUIRE(is_told(items));
    return;
  }
  std::string again = "[";
  for (const api::V1Item& item : *items) {
    check_value(item);
    if (again.size() > 1) again += ',';
    append_item(again, item);
  }
  again += ']';
  const auto second = api::decode_save(parser, again);
  FUZZ_REQUIRE(second && second->size() == items->size());
  for (std::size_t i = 0; i < items->size(); ++i) FUZZ_REQUIRE(same((*items)[i], (*second)[i]));
}

void check_bulk_get(std::string_view body) {
  json::Parser parser;
  const auto request = api::decode_bulk_get(parser, body);
  if (!request) {
    FUZZ_REQUIRE(is_told(request));
    return;
  }
  std::string again = "{\"keys\":[";
  for (const std::string& key : request->keys) {
    if (!again.ends_with('[')) again += ',';
    json::append_string(again, key);
  }
  again += "]}";
  const auto second = api::decode_bulk_get(parser, again);
  FUZZ_REQUIRE(second && second->keys == request->keys);
}

void check_transaction(std::string_view body) {
  json::Parser parser;
  bool bad_operation = true;
  const auto request = api::decode_transaction(parser, body, bad_operation);
  if (!request) {
    FUZZ_REQUIRE(bad_operation || is_told(request));
    return;
  }
  FUZZ_REQUIRE(!bad_operation);
  std::string again = "{\"operations\":[";
  for (const api::V1Operation& operation : request->operations) {
    check_value(operation.item);
    if (!again.ends_with('[')) again += ',';
    again += operation.is_delete ? R"({"operation":"delete","request":)" : R"({"operation":"upsert","request":)";
    append_item(again, operation.item);
    again += '}';
  }
  again += "]}";
  const auto second = api::decode_transaction(parser, again, bad_operation);
  FUZZ_REQUIRE(second && second->operations.size() == request->operations.size());
  for (std::size_t i = 0; i < second->operations.size(); ++i) {
    FUZZ_REQUIRE(same(second->operations[i].item, request->operations[i].item));
    FUZZ_REQUIRE(second->operations[i].is_delete == request->operations[i].is_delete);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      check_save(body);
      break;
    case 1:
      check_bulk_get(body);
      break;
    default:
      check_transaction(body);
      break;
  }
  return 0;
}
