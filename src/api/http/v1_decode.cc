#include "api/http/v1_decode.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace holdfast::api {

using json::Array;
using json::Element;
using json::Object;
using simdjson::dom::element_type;

namespace {

std::unexpected<Error> type_error(Element value, std::string_view where, std::string_view wanted) {
  return fail(Errc::invalid_argument, fmt::format("json: cannot unmarshal {} into Go {}of type {}", json::go_kind(value),
                                                  where.empty() ? "value " : fmt::format("struct field {} ", where),
                                                  wanted));
}

bool is_null(Element value) { return value.type() == element_type::NULL_VALUE; }

// null leaves the field as it was, as in Go.
Status read_string(Element value, std::string_view where, std::string& out) {
  if (is_null(value)) return {};
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return type_error(value, where, "string");
  out = text;
  return {};
}

// Programs of Dapr's how-to send the etag as a number: its digits are the etag.
Status read_etag(Element value, std::string_view where, std::string& out) {
  std::int64_t signed_number = 0;
  std::uint64_t number = 0;
  if (value.get(number) == simdjson::SUCCESS) return out = std::to_string(number), Status{};
  if (value.get(signed_number) == simdjson::SUCCESS) return out = std::to_string(signed_number), Status{};
  return read_string(value, where, out);
}

Status read_pairs(Element value, std::string_view where, state::Pairs& out) {
  if (is_null(value)) return {};
  Object object;
  if (value.get(object) != simdjson::SUCCESS) return type_error(value, where, "map[string]string");
  for (const auto [name, member] : object) {
    std::string text;
    if (auto ok = read_string(member, where, text); !ok) return ok;
    set_metadata(out, name, text);
  }
  return {};
}

Status read_options(Element value, V1Item& item) {
  if (is_null(value)) return {};
  Object object;
  if (value.get(object) != simdjson::SUCCESS)
    return type_error(value, "SetRequest.options", "state.SetStateOption");
  for (const auto [name, member] : object) {
    Status ok;
    if (iequals(name, "concurrency")) ok = read_string(member, "SetStateOption.options.concurrency", item.concurrency);
    if (iequals(name, "consistency")) ok = read_string(member, "SetStateOption.options.consistency", item.consistency);
    if (!ok) return ok;
  }
  return {};
}

// One item of a save, or the request of an upsert or delete.
Status read_item(Element value, V1Item& item) {
  item.shape = state::Shape::json;
  item.value = "null";
  if (is_null(value)) return {};
  Object object;
  if (value.get(object) != simdjson::SUCCESS) return type_error(value, "", "state.SetRequest");
  for (const auto [name, member] : object) {
    Status ok;
    if (iequals(name, "key")) {
      ok = read_string(member, "SetRequest.key", item.key);
    } else if (iequals(name, "value")) {
      item.value.clear();
      json::append_go(item.value, member);
    } else if (iequals(name, "etag")) {
      ok = read_etag(member, "SetRequest.etag", item.etag);
    } else if (iequals(name, "metadata")) {
      ok = read_pairs(member, "SetRequest.metadata", item.metadata);
    } else if (iequals(name, "options")) {
      ok = read_options(member, item);
    } else if (iequals(name, "contentType")) {
      std::string type;
      ok = read_string(member, "SetRequest.contentType", type);
      if (ok && !type.empty() && find_metadata(item.metadata, "contentType").empty())
        set_metadata(item.metadata, "contentType", type);
    }
    if (!ok) return ok;
  }
  return {};
}

Result<std::vector<V1Item>> read_items(Element root) {
  std::vector<V1Item> items;
  if (is_null(root)) return items;
  Array array;
  if (root.get(array) != simdjson::SUCCESS) return type_error(root, "", "[]state.SetRequest");
  items.resize(array.size());
  std::size_t i = 0;
  for (const Element element : array)
    if (auto ok = read_item(element, items[i++]); !ok) return fail(ok.error());
  return items;
}

}  // namespace

Result<std::vector<V1Item>> decode_save(json::Parser& parser, std::string_view body) {
  auto root = parser.parse(body);
  if (!root) return fail(root.error());
  std::string_view text;
  if (root->get(text) != simdjson::SUCCESS) return read_items(*root);
  const std::string inner(text);
  auto again = parser.parse(inner);
  if (!again) return fail(again.error());
  return read_items(*again);
}

Result<BulkGetBody> decode_bulk_get(json::Parser& parser, std::string_view body) {
  auto root = parser.parse(body);
  if (!root) return fail(root.error());
  BulkGetBody out;
  if (is_null(*root)) return out;
  Object object;
  if (root->get(object) != simdjson::SUCCESS) return type_error(*root, "", "http.BulkGetRequest");
  for (const auto [name, member] : object) {
    Status ok;
    if (iequals(name, "keys") && !is_null(member)) {
      Array array;
      if (member.get(array) != simdjson::SUCCESS)
        return type_error(member, "BulkGetRequest.keys", "[]string");
      out.keys.clear();
      out.keys.reserve(array.size());
      for (const Element element : array) {
        out.keys.emplace_back();
        if (auto read = read_string(element, "BulkGetRequest.keys", out.keys.back()); !read) return fail(read.error());
      }
    } else if (iequals(name, "metadata")) {
      ok = read_pairs(member, "BulkGetRequest.metadata", out.metadata);
    } else if (iequals(name, "parallelism") && !is_null(member)) {
      std::int64_t parallelism = 0;  // accepted for its type; every key is asked for in one go
      if (member.get(parallelism) != simdjson::SUCCESS)
        return type_error(member, "BulkGetRequest.parallelism", "int");
    }
    if (!ok) return fail(ok.error());
  }
  return out;
}

namespace {

// Dapr decodes the request of an operation with mapstructure, whose errors read differently.
Status map_error(std::string_view field, Element value) {
  return fail(Errc::invalid_argument,
              fmt::format("1 error(s) decoding:\n\n* '{}' expected type 'string', got unconvertible type '{}', value: '{}'",
                          field, value.is_number() ? "float64" : json::go_kind(value), simdjson::minify(value)));
}

Status read_operation_request(Element request, V1Item& item) {
  item.shape = state::Shape::json;
  item.value = "null";
  if (is_null(request)) return {};
  Object object;
  if (request.get(object) != simdjson::SUCCESS)
    return fail(Errc::invalid_argument, fmt::format("'' expected a map, got '{}'", json::go_kind(request)));
  for (const auto [name, member] : object) {
    if (iequals(name, "key") && !member.is_string() && !is_null(member)) return map_error("Key", member);
    if (iequals(name, "etag") && !member.is_string() && !is_null(member) && !member.is_number())
      return map_error("ETag", member);
  }
  return read_item(request, item);
}

Status read_operation(Element element, V1Operation& operation, bool& bad_operation) {
  Object object;
  if (element.get(object) != simdjson::SUCCESS) return type_error(element, "", "state.TransactionalStateOperation");
  std::string name;
  Element request;
  bool has_request = false;
  for (const auto [field, member] : object) {
    if (iequals(field, "operation")) {
      if (auto ok = read_string(member, "operations.operation", name); !ok) return ok;
    } else if (iequals(field, "request")) {
      request = member;
      has_request = true;
    }
  }
  if (name != "upsert" && name != "delete") {
    bad_operation = true;
    return fail(Errc::invalid_argument, name);
  }
  operation.is_delete = name == "delete";
  operation.item.shape = state::Shape::json;
  operation.item.value = "null";
  return has_request ? read_operation_request(request, operation.item) : Status{};
}

}  // namespace

Result<TransactionBody> decode_transaction(json::Parser& parser, std::string_view body, bool& bad_operation) {
  bad_operation = false;
  auto root = parser.parse(body);
  if (!root) return fail(root.error());
  TransactionBody out;
  if (is_null(*root)) return out;
  Object object;
  if (root->get(object) != simdjson::SUCCESS) return type_error(*root, "", "http.stateTransactionRequestBody");
  for (const auto [name, member] : object) {
    if (iequals(name, "metadata")) {
      state::Pairs ignored;  // for the transaction as a whole; no store of ours reads any of it
      if (auto ok = read_pairs(member, "stateTransactionRequestBody.metadata", ignored); !ok) return fail(ok.error());
    }
    if (!iequals(name, "operations") || is_null(member)) continue;
    Array array;
    if (member.get(array) != simdjson::SUCCESS)
      return type_error(member, "stateTransactionRequestBody.operations", "[]state.TransactionalStateOperation");
    out.operations.clear();
    out.operations.resize(array.size());
    std::size_t i = 0;
    for (const Element element : array)
      if (auto ok = read_operation(element, out.operations[i++], bad_operation); !ok) return fail(ok.error());
  }
  return out;
}

}  // namespace holdfast::api
