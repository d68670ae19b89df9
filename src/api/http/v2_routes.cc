#include "api/http/v2_routes.h"

#include <fmt/format.h>

#include "api/caller.h"
#include "api/http/openapi.h"
#include "api/http/problem.h"
#include "api/http/responses.h"
#include "api/record_json.h"
#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::api {

using http::Method;
using http::Request;
using http::Response;
using service::StoreEntry;
using service::StoreRef;

namespace {

Response method_not_allowed(const Request& request, std::string_view allow) {
  Response response = problem(405, "method-not-allowed", "The method is not allowed here",
                              fmt::format("use one of: {}", allow), request.target);
  response.headers.add("Allow", allow);
  return response;
}

Response bad_request(const Request& request, std::string detail) {
  return problem(Error(Errc::invalid_argument, std::move(detail)), request.target);
}

}  // namespace

Result<service::CallContext> V2Routes::context_of(const Request& request, std::string_view query) const {
  service::CallContext context = call_context(request, v2_.runtime());
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
    if (request.method != Method::get && request.method != Method::head)
      return ready(method_not_allowed(request, "GET"));
    return ready(json_response(200, std::string(openapi_files().front().bytes)));
  }
  if (target.raw_path == "/v2/health") {
    if (request.method != Method::get) return ready(method_not_allowed(request, "GET"));
    return health();
  }
  if (target.raw_path == "/v2/stores") {
    if (request.method != Method::get) return ready(method_not_allowed(request, "GET"));
    return ready(stores());
  }
  if (target.raw_path == "/v2/stats") {
    if (request.method != Method::get) return ready(method_not_allowed(request, "GET"));
    return ready(stats());
  }
  if (target.raw_path.starts_with(kState)) return state_route(request, target);
  return ready(
      problem(404, "no-such-route", "There is no such route", "see /openapi.json for what there is", request.target));
}

// /v2/state/STORE, /v2/state/STORE:VERB or /v2/state/STORE/KEY; the key is all the rest, slashes included, decoded
// once.
Task<Response> V2Routes::state_route(Request& request, const Target& target) {
  const std::string_view rest = target.raw_path.substr(kState.size());
  const std::size_t slash = rest.find('/');
  const auto named = percent_decode(rest.substr(0, slash), Plus::literal);
  if (!named) return ready(bad_request(request, "the store's name holds a malformed escape"));
  const std::size_t colon = slash == std::string_view::npos ? named->find(':') : std::string::npos;
  auto entry = v2_.find_store(std::string_view(*named).substr(0, colon));
  if (!entry) return ready(problem(entry.error(), request.target));
  if (request.body_too_large)
    return ready(problem(413, "body-too-large", "The body is too large", "it is larger than --max-body-size allows",
                         request.target));
  if (colon != std::string::npos)
    return verb_route(request, std::move(*entry), std::string_view(*named).substr(colon + 1), target.query);
  if (slash == std::string_view::npos) {
    if (request.method == Method::get) return list(request, std::move(*entry), target.query);
    if (request.method == Method::del) return erase_prefix(request, std::move(*entry), target.query);
    return ready(method_not_allowed(request, "GET, DELETE"));
  }
  auto key = percent_decode(rest.substr(slash + 1), Plus::literal);
  if (!key) return ready(bad_request(request, "the key holds a malformed escape"));
  switch (request.method) {
    case Method::put:
      return put(request, std::move(*entry), std::move(*key), target.query);
    case Method::get:
    case Method::head:
      return get(request, std::move(*entry), std::move(*key), target.query);
    case Method::del:
      return erase(request, std::move(*entry), std::move(*key), target.query);
    case Method::patch:
      return patch(request, std::move(*entry), std::move(*key), target.query);
    default:
      return ready(method_not_allowed(request, "GET, HEAD, PUT, PATCH, DELETE"));
  }
}

Task<Response> V2Routes::verb_route(Request& request, StoreRef entry, std::string_view verb, std::string_view query) {
  using Verb = Task<Response> (V2Routes::*)(Request&, StoreRef, std::string_view);
  Verb found = nullptr;
  if (verb == "batchGet") found = &V2Routes::batch_get;
  if (verb == "batchWrite") found = &V2Routes::batch_write;
  if (verb == "query") found = &V2Routes::query;
  if (verb == "transact") found = &V2Routes::transact;
  if (verb == "watch") return ready(method_not_allowed(request, "GET"));  // a GET has its own way (is_watch)
  if (found == nullptr)
    return ready(problem(404, "no-such-route", "There is no such route",
                         fmt::format("a store has :batchGet, :batchWrite, :transact, :query and :watch, and no :{}", verb),
                         request.target));
  if (request.method != Method::post) return ready(method_not_allowed(request, "POST"));
  return (this->*found)(request, std::move(entry), query);
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
    json::append_name(out, entry->name);
    out += answer ? R"({"status":"up")" : R"({"status":"down","reason":)";
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
