// The state routes of Dapr's HTTP API.
#include <fmt/format.h>

#include "api/caller.h"
#include "api/http/responses.h"
#include "api/http/v1_decode.h"
#include "api/http/v1_routes.h"
#include "base/encoding.h"

namespace holdfast::api {

using http::Method;
using http::Request;
using http::Response;

namespace {

// What Dapr's body reader says beyond the limit; each handler reports it as its own decoding error.
constexpr std::string_view kTooLarge = "stream too large";

bool is_write(Method method) { return method == Method::post || method == Method::put; }

// The how-to's programs send these two as headers; the query string wins.
std::string option(const Request& request, std::string_view query, std::string_view name) {
  if (auto value = query_value(query, name)) return std::move(*value);
  return std::string(request.headers.find(name));
}

void merge(state::Pairs& into, const state::Pairs& from) {
  for (const auto& [name, value] : from) set_metadata(into, name, value);
}

}  // namespace

service::CallContext V1Routes::context_of(const Request& request) const { return call_context(request, runtime_); }

Task<Response> V1Routes::state_route(Request& request, const Segments& segments,
                                     std::string_view query_text) {
  auto store = percent_decode(segments[2], Plus::space);
  if (!store) return ready(text_response(400, "invalid URL escape in the store name\n"));
  const bool alpha = segments[0] == "v1.0-alpha1";
  if (segments.size() == 3 && !alpha && is_write(request.method))
    return save(request, std::move(*store), query_text);
  if (segments.size() == 4 && is_write(request.method)) {
    if (alpha && segments[3] == "query") return query(request, std::move(*store), query_text);
    if (!alpha && segments[3] == "bulk") return bulk_get(request, std::move(*store), query_text);
    if (!alpha && segments[3] == "transaction") return transact(request, std::move(*store), query_text);
  }
  if (segments.size() == 4 && !alpha && (request.method == Method::get || request.method == Method::del)) {
    auto key = percent_decode(segments[3], Plus::space);
    if (!key) return ready(text_response(400, "invalid URL escape in the key\n"));
    if (request.method == Method::get) return get(request, std::move(*store), std::move(*key), query_text);
    return erase(request, std::move(*store), std::move(*key), query_text);
  }
  return ready(unknown_route());
}

Task<Response> V1Routes::get(Request& request, std::string store, std::string key, std::string_view query_text) {
  const auto entry = v1_.find_store(store);
  if (!entry) co_return error_response(entry.error());
  auto record =
      co_await v1_.get(**entry, context_of(request), std::move(key), option(request, query_text, "consistency"));
  if (!record) co_return error_response(record.error());
  if (!*record) co_return no_content();
  Response response = json_response(200, std::move((*record)->value));
  if (!(*record)->etag.empty()) response.headers.add("Etag", std::move((*record)->etag));
  if ((*record)->expires_at) response.headers.add("Metadata.ttlexpiretime", ttl_expire_time(**record));
  co_return response;
}

Task<Response> V1Routes::erase(Request& request, std::string store, std::string key, std::string_view query_text) {
  const auto entry = v1_.find_store(store);
  if (!entry) co_return error_response(entry.error());
  V1Item item;
  item.key = std::move(key);
  item.etag = request.headers.find("if-match");
  item.concurrency = option(request, query_text, "concurrency");
  item.consistency = option(request, query_text, "consistency");
  item.metadata = query_metadata(query_text);
  const auto done = co_await v1_.erase(**entry, context_of(request), item);
  co_return done ? no_content() : error_response(done.error());
}

Task<Response> V1Routes::save(Request& request, std::string store, std::string_view query_text) {
  const auto entry = v1_.find_store(store);
  if (!entry) co_return error_response(entry.error());
  if (request.body_too_large) co_return error_response(malformed_request(std::string(kTooLarge)));
  auto items = decode_save(parser_, request.body);
  if (!items) co_return error_response(malformed_request(items.error().message));
  const state::Pairs metadata = query_metadata(query_text);
  for (V1Item& item : *items) {
    if (item.key.empty()) co_return error_response(malformed_request("\"key\" is a required field"));
    merge(item.metadata, metadata);
    if (item.concurrency.empty()) item.concurrency = request.headers.find("concurrency");
    if (item.consistency.empty()) item.consistency = request.headers.find("consistency");
  }
  const auto done = co_await v1_.save(**entry, context_of(request), *items);
  co_return done ? no_content() : error_response(done.error());
}

namespace {

void append_bulk_item(std::string& out, std::string_view key, const Result<std::optional<state::Record>>& result) {
  out += R"({"key":)";
  json::append_string(out, key);
  if (!result) {
    out += R"(,"error":)";
    json::append_string(out, describe(result.error()).text);
  } else if (const auto& record = *result) {
    const std::size_t before = out.size();
    if (!record->value.empty()) {
      out += R"(,"data":)";
      if (!json::append_compact(out, record->value)) {
        // Dapr answers an empty body for the whole request; we say which item cannot be shown.
        out.resize(before);
        out += R"(,"error":"the stored value is not JSON; read it by key, or over gRPC")";
      }
    }
    if (!record->etag.empty()) {
      out += R"(,"etag":)";
      json::append_string(out, record->etag);
    }
    if (record->expires_at) out += R"(,"metadata":{"ttlExpireTime":")" + ttl_expire_time(*record) + "\"}";
  }
  out += '}';
}

// About what the answer takes, so that it grows once.
std::size_t bytes_of_bulk(std::span<const std::string_view> keys,
                          std::span<const Result<std::optional<state::Record>>> records) {
  constexpr std::size_t kAround = 64;  // names, quotes, the etag
  std::size_t bytes = kAround;
  for (const std::string_view key : keys) bytes += key.size() + kAround;
  for (const auto& record : records)
    if (record && *record) bytes += (*record)->value.size();
  return bytes;
}

}  // namespace

Task<Response> V1Routes::bulk_get(Request& request, std::string store, std::string_view) {
  const auto entry = v1_.find_store(store);
  if (!entry) co_return error_response(entry.error());
  if (request.body_too_large)
    co_return error_response(malformed_request(fmt::format("failed deserializing HTTP body: {}", kTooLarge)));
  auto body = decode_bulk_get(parser_, request.body);
  if (!body) co_return error_response(malformed_request("failed deserializing HTTP body: " + body.error().message));
  const std::vector<std::string_view> keys(body->keys.begin(), body->keys.end());
  const auto records = co_await v1_.bulk_get(**entry, context_of(request), keys);
  if (!records) co_return error_response(records.error());
  std::string out;
  out.reserve(bytes_of_bulk(keys, *records));
  out += '[';
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) out += ',';
    append_bulk_item(out, keys[i], (*records)[i]);
  }
  out += "]\n";
  co_return json_response(200, std::move(out));
}

Task<Response> V1Routes::transact(Request& request, std::string store, std::string_view query_text) {
  const auto entry = v1_.find_store(store);
  if (!entry) co_return error_response(entry.error());
  if ((*entry)->store->capabilities().transaction_ops_max == 0)
    co_return error_response(transactions_unsupported(store));
  if (request.body_too_large)
    co_return error_response(malformed_request(fmt::format("failed deserializing HTTP body: {}", kTooLarge)));
  bool unknown_operation = false;
  auto body = decode_transaction(parser_, request.body, unknown_operation);
  if (!body && unknown_operation) co_return error_response(bad_operation(body.error().message));
  if (!body) co_return error_response(malformed_request("failed deserializing HTTP body: " + body.error().message));
  if (body->operations.empty()) co_return no_content();
  const state::Pairs metadata = query_metadata(query_text);
  for (V1Operation& operation : body->operations) {
    if (!service::Service::check_key(operation.item.key))
      co_return error_response(illegal_key(store, operation.item.key, true));
    merge(operation.item.metadata, metadata);
  }
  const auto done = co_await v1_.transact(**entry, context_of(request), body->operations);
  co_return done ? no_content() : error_response(done.error());
}

Task<Response> V1Routes::query(Request& request, std::string store, std::string_view query_text) {
  const auto entry = v1_.find_store(store, true);
  if (!entry) co_return error_response(entry.error());
  if (request.body_too_large)
    co_return plain_error(400, "ERR_BODY_READ", fmt::format("failed to read request body: {}", kTooLarge));
  std::string index(find_metadata(query_metadata(query_text), kQueryIndexName));
  const auto page = co_await v1_.query(**entry, context_of(request), std::move(request.body), std::move(index));
  if (!page) co_return error_response(page.error());
  if (page->items.empty()) co_return no_content();
  std::string out = R"({"results":[)";
  for (std::size_t i = 0; i < page->items.size(); ++i) {
    const auto& item = page->items[i];
    out += i > 0 ? R"(,{"key":)" : R"({"key":)";
    json::append_string(out, item.key);
    out += R"(,"data":)";
    if (!json::append_compact(out, item.record.value)) out += "null";
    if (!item.record.etag.empty()) {
      out += R"(,"etag":)";
      json::append_string(out, item.record.etag);
    }
    out += '}';
  }
  out += ']';
  if (!page->token.empty()) {
    out += R"(,"token":)";
    json::append_string(out, page->token);
  }
  out += "}\n";
  co_return json_response(200, std::move(out));
}

}  // namespace holdfast::api
