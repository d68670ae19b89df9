#include "api/http/v2_routes.h"

#include <fmt/format.h>

#include <charconv>

#include "api/http/openapi.h"
#include "api/http/problem.h"
#include "api/http/responses.h"
#include "api/record_json.h"
#include "api/v1.h"
#include "base/encoding.h"
#include "state/component.h"
#include "wire/json/json.h"

namespace holdfast::api {

using http::Method;
using http::Request;
using http::Response;
using service::StoreEntry;

namespace {

constexpr std::string_view kState = "/v2/state/";
constexpr std::string_view kRecordType = "application/vnd.holdfast.record+json";

Response method_not_allowed(const Request& request, std::string_view allow) {
  Response response = problem(405, "method-not-allowed", "The method is not allowed here",
                              fmt::format("use one of: {}", allow), request.target);
  response.headers.emplace_back("Allow", allow);
  return response;
}

Response bad_request(const Request& request, std::string detail) {
  return problem(Error(Errc::invalid_argument, std::move(detail)), request.target);
}

// If-Match and If-None-Match as a precondition of a write.
Result<Conditions> conditions_of(const Request& request) {
  Conditions when;
  const std::string_view match = request.headers.find("if-match");
  const std::string_view none_match = request.headers.find("if-none-match");
  if (!match.empty() && !none_match.empty())
    return fail(Errc::invalid_argument, "If-Match and If-None-Match exclude each other on a write");
  if (!none_match.empty()) {
    if (trim(none_match) != "*") return fail(Errc::invalid_argument, "If-None-Match takes only * on a write");
    when.kind = state::Precondition::Kind::absent;
  } else if (!match.empty()) {
    when.etags = entity_tags(match);
    if (when.etags.empty()) return fail(Errc::invalid_argument, "If-Match holds no entity tag");
    const bool any = std::ranges::find(when.etags, "*") != when.etags.end();
    when.kind = any ? state::Precondition::Kind::present : state::Precondition::Kind::one_of;
  }
  return when;
}

// "30s", "1m30s", or whole seconds; 0 and -1 mean none.
Result<std::optional<Milliseconds>> ttl_of(const std::string& text) {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  Milliseconds ttl{};
  if (error == std::errc() && end == text.data() + text.size() && seconds >= -1 && seconds <= 0x7fffffff) {
    ttl = std::chrono::seconds(seconds);
  } else if (auto duration = state::parse_go_duration(text); duration && *duration >= Milliseconds(0)) {
    ttl = *duration;
  } else {
    return fail(Errc::invalid_argument, "ttl is neither whole seconds nor a duration such as 30s or 1h30m");
  }
  if (ttl <= Milliseconds(0)) return std::nullopt;
  return ttl;
}

// Header values must not break the head, whatever a record's author wrote.
std::string header_safe(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

void add_record_headers(Response& response, const state::Record& record) {
  response.headers.emplace_back("ETag", entity_tag(record.etag));
  if (record.expires_at) response.headers.emplace_back("Holdfast-Expires", rfc3339_ticks(*record.expires_at));
  if (!record.fields) return;
  const state::RecordFields& fields = *record.fields;
  response.headers.emplace_back("Last-Modified", http_date(fields.modified));
  response.headers.emplace_back("Holdfast-Created", rfc3339_ticks(fields.created));
  response.headers.emplace_back("Holdfast-Created-By", header_safe(fields.created_by));
  response.headers.emplace_back("Holdfast-Modified", rfc3339_ticks(fields.modified));
  response.headers.emplace_back("Holdfast-Modified-By", header_safe(fields.modified_by));
  for (const auto& [name, value] : fields.tags)
    response.headers.emplace_back("Holdfast-Tag-" + percent_encode(name), header_safe(value));
}

bool matches_any(const std::vector<std::string>& tags, std::string_view etag) {
  return std::ranges::any_of(tags, [&](const std::string& tag) { return tag == "*" || tag == etag; });
}

// Content types are literals in a Response; a record's own goes out as a header instead.
void set_content_type(Response& response, std::string type) {
  if (type == kJson) {
    response.content_type = kJson;
  } else {
    response.headers.emplace_back("Content-Type", header_safe(type));
  }
}

}  // namespace

Result<state::CallContext> V2Routes::context_of(const Request& request, std::string_view query) const {
  state::CallContext context;
  context.cancel = request.cancel;
  context.principal = v2_.runtime().app_id;
  context.trace = request.headers.find("traceparent");
  if (const auto name = query_value(query, "consistency")) {
    const auto level = state::parse_consistency(*name);
    if (!level)
      return fail(Errc::invalid_argument, "consistency is not one of strong, quorum, bounded-staleness, session, "
                                          "consistent-prefix, eventual");
    context.consistency = *level;
  }
  return context;
}

Task<Response> V2Routes::handle(Request& request, const Target& target) {
  if (target.raw_path == "/openapi.json") {
    if (request.method != Method::get && request.method != Method::head) co_return method_not_allowed(request, "GET");
    co_return json_response(200, std::string(openapi_json()));
  }
  if (target.raw_path == "/v2/health") {
    if (request.method != Method::get) co_return method_not_allowed(request, "GET");
    co_return co_await health();
  }
  if (target.raw_path == "/v2/stores") {
    if (request.method != Method::get) co_return method_not_allowed(request, "GET");
    co_return stores();
  }
  if (target.raw_path.starts_with(kState)) co_return co_await state_route(request, target);
  co_return problem(404, "no-such-route", "There is no such route", "see /openapi.json for what there is",
                    request.target);
}

// /v2/state/STORE or /v2/state/STORE/KEY; the key is all the rest, slashes included, decoded once.
Task<Response> V2Routes::state_route(Request& request, const Target& target) {
  const std::string_view rest = target.raw_path.substr(kState.size());
  const std::size_t slash = rest.find('/');
  const auto store = percent_decode(rest.substr(0, slash), Plus::literal);
  if (!store) co_return bad_request(request, "the store's name holds a malformed escape");
  const auto entry = v2_.find_store(*store);
  if (!entry) co_return problem(entry.error(), request.target);
  if (request.body_too_large)
    co_return problem(413, "body-too-large", "The body is too large", "it is larger than --max-body-size allows",
                      request.target);
  if (slash == std::string_view::npos) {
    if (request.method != Method::get) co_return method_not_allowed(request, "GET");
    co_return co_await list(request, **entry, target.query);
  }
  auto key = percent_decode(rest.substr(slash + 1), Plus::literal);
  if (!key) co_return bad_request(request, "the key holds a malformed escape");
  switch (request.method) {
    case Method::put: co_return co_await put(request, **entry, std::move(*key), target.query);
    case Method::get:
    case Method::head: co_return co_await get(request, **entry, std::move(*key), target.query);
    case Method::del: co_return co_await erase(request, **entry, std::move(*key), target.query);
    default: co_return method_not_allowed(request, "GET, HEAD, PUT, DELETE");
  }
}

namespace {

Status read_put_parameters(std::string_view query, PutCommand& command) {
  for (auto& [name, value] : query_parameters(query)) {
    if (name == "ttl") {
      auto ttl = ttl_of(value);
      if (!ttl) return fail(ttl.error());
      command.ttl = *ttl;
    } else if (name.starts_with("tag.")) {
      set_metadata(command.tags, name.substr(4), value);
    } else if (name.starts_with("index.")) {
      set_metadata(command.indexes, name.substr(6), value);
    } else if (name == "createdBy") {
      command.created_by = value;
    } else if (name == "modifiedBy") {
      command.modified_by = value;
    } else if (name != "consistency") {
      return fail(Errc::invalid_argument, fmt::format("unknown parameter \"{}\"; known: ttl, consistency, tag.NAME, "
                                                      "index.NAME, createdBy, modifiedBy", name));
    }
  }
  return {};
}

}  // namespace

Task<Response> V2Routes::put(Request& request, StoreEntry& entry, std::string key, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto when = conditions_of(request);
  if (!when) co_return problem(when.error(), request.target);
  PutCommand command;
  command.key = std::move(key);
  command.value = std::move(request.body);
  command.content_type = request.headers.find("content-type");
  if (command.content_type.empty()) command.content_type = "application/octet-stream";
  command.force_bytes = iequals(request.headers.find("holdfast-shape"), "bytes");
  command.when = std::move(*when);
  command.want_record = request.headers.find("prefer").find("return=representation") != std::string_view::npos;
  if (auto ok = read_put_parameters(query, command); !ok) co_return problem(ok.error(), request.target);
  auto outcome = co_await v2_.put(entry, *context, command);
  if (!outcome) co_return problem(outcome.error(), request.target);
  Response response;
  response.status = outcome->created.value_or(false) ? 201 : 200;
  response.headers.emplace_back("ETag", outcome->etag);
  if (command.want_record) {
    response.content_type = kRecordType;
    response.headers.emplace_back("Preference-Applied", "return=representation");
    append_record_json(response.body, entry, command.key, outcome->record, command.value, v2_.clock().wall());
    response.body += '\n';
  }
  co_return response;
}

Task<Response> V2Routes::get(Request& request, StoreEntry& entry, std::string key, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  const bool as_record = request.headers.find("accept").find(kRecordType) != std::string_view::npos;
  auto found = co_await v2_.get(entry, *context, key, true);
  if (!found) co_return problem(found.error(), request.target);
  if (!*found)
    co_return problem(Error(Errc::not_found, fmt::format("state store {} holds no record under this key", entry.name)),
                      request.target);
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
  if (const auto level = service::Service::served_level(entry, context->consistency, false))
    response.headers.emplace_back("Holdfast-Consistency", name_of(*level));
  response.headers.emplace_back("Vary", "Accept");
  if (as_record) {
    response.content_type = kRecordType;
    append_record_json(response.body, entry, key, record, record.value, v2_.clock().wall());
    response.body += '\n';
  } else {
    set_content_type(response, content_type_of(record));
    response.body = std::move(record.value);
  }
  co_return response;
}

Task<Response> V2Routes::erase(Request& request, StoreEntry& entry, std::string key, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto when = conditions_of(request);
  if (!when) co_return problem(when.error(), request.target);
  const auto deleted = co_await v2_.erase(entry, *context, std::move(key), *when);
  if (!deleted) co_return problem(deleted.error(), request.target);
  if (!deleted->existed.value_or(true))
    co_return problem(Error(Errc::not_found, fmt::format("state store {} holds no record under this key", entry.name)),
                      request.target);
  co_return no_content();
}

namespace {

Status read_list_parameters(std::string_view query, state::Pairs& held, state::ListRequest& out) {
  held = query_parameters(query);
  for (const auto& [name, value] : held) {
    if (name == "prefix") {
      out.prefix = value;
    } else if (name == "cursor") {
      out.cursor = value;
    } else if (name == "values") {
      out.want_values = state::truthy(value);
    } else if (name == "limit") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out.limit);
      if (error != std::errc() || end != value.data() + value.size() || out.limit == 0)
        return fail(Errc::invalid_argument, fmt::format("limit is not a number from 1 to {}", kListLimitMax));
    } else if (name != "consistency") {
      return fail(Errc::invalid_argument,
                  fmt::format("unknown parameter \"{}\"; known: prefix, limit, cursor, values, consistency", name));
    }
  }
  return {};
}

}  // namespace

Task<Response> V2Routes::list(Request& request, StoreEntry& entry, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  state::ListRequest wanted;
  state::Pairs held;
  if (auto ok = read_list_parameters(query, held, wanted); !ok) co_return problem(ok.error(), request.target);
  const auto listing = co_await v2_.list(entry, *context, wanted);
  if (!listing) co_return problem(listing.error(), request.target);
  std::string out = R"({"items":[)";
  for (const state::ListedRecord& item : listing->items) {
    if (!out.ends_with('[')) out += ',';
    if (wanted.want_values) {
      append_record_json(out, entry, item.key, item.record, item.record.value, v2_.clock().wall());
      continue;
    }
    out += R"({"key":)";
    json::append_string(out, item.key);
    out += R"(,"etag":)";
    json::append_string(out, entity_tag(item.record.etag));
    out += '}';
  }
  out += R"(],"cursor":)";
  if (listing->cursor.empty()) {
    out += "null";
  } else {
    json::append_string(out, listing->cursor);
  }
  out += "}\n";
  co_return json_response(200, std::move(out));
}

Task<Response> V2Routes::health() {
  std::string out = R"({"stores":{)";
  bool all_up = true;
  const std::vector<service::StoreRef> entries = v2_.service().stores().entries();  // a reload may come while we wait
  for (const auto& entry : entries) {
    Status answer;
    if (entry->store) {
      state::CallContext context;
      context.deadline = v2_.clock().steady() + std::chrono::seconds(2);
      answer = co_await entry->store->ping(context);
    } else {
      answer = fail(Errc::unavailable, entry->pending_reason);
    }
    all_up &= answer.has_value();
    if (!out.ends_with('{')) out += ',';
    json::append_string(out, entry->name);
    out += answer ? R"(:{"status":"up")" : R"(:{"status":"down","reason":)";
    if (!answer) json::append_string(out, answer.error().message);
    out += '}';
  }
  out += all_up ? R"(},"status":"up"})" : R"(},"status":"down"})";
  out += '\n';
  co_return json_response(all_up ? 200 : 503, std::move(out));
}

Response V2Routes::stores() {
  std::string out = R"({"stores":[)";
  for (const auto& entry : v2_.service().stores().entries()) {
    if (!out.ends_with('[')) out += ',';
    out += R"({"name":)";
    json::append_string(out, entry->name);
    out += R"(,"type":)";
    json::append_string(out, entry->type);
    out += R"(,"version":)";
    json::append_string(out, entry->version);
    if (entry->store) {
      out += R"(,"capabilities":)";
      append_capabilities(out, entry->store->capabilities());
    }
    out += '}';
  }
  out += "]}\n";
  return json_response(200, std::move(out));
}

}  // namespace holdfast::api
