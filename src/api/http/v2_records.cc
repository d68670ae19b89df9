// One record: PUT, GET, HEAD, DELETE, PATCH of /v2/state/{store}/{key}.
#include <fmt/format.h>

#include <algorithm>

#include "api/http/problem.h"
#include "api/http/responses.h"
#include "api/http/v2_decode.h"
#include "api/http/v2_routes.h"
#include "api/record_json.h"
#include "base/encoding.h"

namespace holdfast::api {

using http::Request;
using http::Response;
using service::StoreEntry;
using service::StoreRef;

namespace {

// Header values must not break the head, whatever a record's author wrote.
void append_safe(std::string& out, std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::none_of(text, is_control)) {
    out += text;
    return;
  }
  for (const char c : text) {
    if (is_control(c)) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
}

void add_safe(Response& response, std::string_view name, std::string_view value) {
  response.headers.add(name, [value](std::string& out) { append_safe(out, value); });
}

void add_time(Response& response, std::string_view name, WallTime time) {
  response.headers.add(name, [time](std::string& out) { append_rfc3339_ticks(out, time); });
}

void add_record_headers(Response& response, const state::Record& record) {
  response.headers.add("ETag", [&record](std::string& out) { append_entity_tag(out, record.etag); });
  if (record.expires_at) add_time(response, "Holdfast-Expires", *record.expires_at);
  if (!record.fields) return;
  const state::RecordFields& fields = *record.fields;
  response.headers.add("Last-Modified", [&fields](std::string& out) { append_http_date(out, fields.modified); });
  add_time(response, "Holdfast-Created", fields.created);
  add_safe(response, "Holdfast-Created-By", fields.created_by);
  add_time(response, "Holdfast-Modified", fields.modified);
  add_safe(response, "Holdfast-Modified-By", fields.modified_by);
  for (const auto& [name, value] : fields.tags) add_safe(response, "Holdfast-Tag-" + percent_encode(name), value);
}

bool matches_any(const std::vector<std::string>& tags, std::string_view etag) {
  return std::ranges::any_of(tags, [&](const std::string& tag) { return tag == "*" || tag == etag; });
}

// Content types are literals in a Response; a record's own goes out as a header instead.
void set_content_type(Response& response, std::string_view type) {
  if (type == kJson) {
    response.content_type = kJson;
  } else {
    add_safe(response, "Content-Type", type);
  }
}

Response no_record(const Request& request, const StoreEntry& entry) {
  return problem(Error(Errc::not_found, fmt::format("state store {} holds no record under this key", entry.name)),
                 request.target);
}

}  // namespace

// The answer to a write that left a record: its etag, and the record if it was asked for.
Response V2Routes::written(const Request& request, const RecordPlace& place, std::string_view key,
                           const Outcome& outcome, std::string_view value) const {
  Response response;
  response.status = outcome.created.value_or(false) ? 201 : 200;
  response.headers.add("ETag", outcome.etag);
  if (!wants_representation(request)) return response;
  response.content_type = kRecordType;
  response.headers.add("Preference-Applied", "return=representation");
  append_record_json(response.body, place, key, outcome.record, value, v2_.clock().wall());
  response.body += '\n';
  return response;
}

Task<Response> V2Routes::put(Request& request, StoreRef entry, std::string key, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto when = conditions_of(request);
  if (!when) co_return problem(when.error(), request.target);
  PutCommand command;
  command.key = std::move(key);
  command.value = std::move(request.body);
  command.content_type = request.headers.find("content-type");
  command.force_bytes = iequals(request.headers.find("holdfast-shape"), "bytes");
  command.when = std::move(*when);
  command.want_record = wants_representation(request);
  if (auto ok = read_put_parameters(query, command); !ok) co_return problem(ok.error(), request.target);
  const auto outcome = co_await v2_.put(*entry, *context, command);
  if (!outcome) co_return problem(outcome.error(), request.target);
  co_return written(request, {*entry, context->isolation}, command.key, *outcome, command.value);
}

Task<Response> V2Routes::patch(Request& request, StoreRef entry, std::string key, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto when = conditions_of(request);
  if (!when) co_return problem(when.error(), request.target);
  const auto kind = patch_kind_of(request.headers.find("content-type"));
  if (!kind)
    co_return problem(415, "unsupported-media-type", "The patch is of no known kind", kind.error().message,
                      request.target);
  PatchCommand command;
  command.kind = *kind;
  command.key = std::move(key);
  command.body = std::move(request.body);
  command.when = std::move(*when);
  command.want_record = wants_representation(request);
  if (auto ok = read_patch_parameters(query, command); !ok) co_return problem(ok.error(), request.target);
  const auto outcome = co_await v2_.patch(*entry, *context, command);
  if (!outcome) co_return problem(outcome.error(), request.target);
  Response response = written(request, {*entry, context->isolation}, command.key, *outcome, outcome->record.value);
  // Who counts up wants to know how far.
  if (*kind == PatchCommand::Kind::increment && response.body.empty()) {
    response.content_type = kJson;
    response.body = outcome->record.value;
  }
  co_return response;
}

Task<Response> V2Routes::get(Request& request, StoreRef entry, std::string key, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  const bool as_record = request.headers.find("accept").find(kRecordType) != std::string_view::npos;
  auto found = co_await v2_.get(*entry, *context, key, true);
  if (!found) co_return problem(found.error(), request.target);
  if (!*found) co_return no_record(request, *entry);
  state::Record& record = **found;
  Response response;
  add_record_headers(response, record);
  const std::string_view match = request.headers.find("if-match");
  if (!match.empty() && !matches_any(entity_tags(match), record.etag)) {
    Error error(Errc::precondition_failed, "the record's etag is not among those of If-Match");
    error.current_etag = record.etag;
    co_return problem(error, request.target);
  }
  const std::string_view none_match = request.headers.find("if-none-match");
  if (!none_match.empty() && matches_any(entity_tags(none_match), record.etag)) {
    response.status = 304;
    co_return response;
  }
  response.headers.add("Vary", "Accept");
  if (as_record) {
    response.content_type = kRecordType;
    append_record_json(response.body, {*entry, context->isolation}, key, record, record.value, v2_.clock().wall());
    response.body += '\n';
  } else {
    set_content_type(response, content_type_of(record));
    response.body = std::move(record.value);
  }
  co_return response;
}

Task<Response> V2Routes::erase(Request& request, StoreRef entry, std::string key, std::string_view query) {
  if (auto ok = read_no_parameters(query); !ok) co_return problem(ok.error(), request.target);
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto when = conditions_of(request);
  if (!when) co_return problem(when.error(), request.target);
  const auto deleted = co_await v2_.erase(*entry, *context, key, *when);
  if (!deleted) co_return problem(deleted.error(), request.target);
  if (!deleted->existed.value_or(true)) co_return no_record(request, *entry);
  co_return no_content();
}

}  // namespace holdfast::api
