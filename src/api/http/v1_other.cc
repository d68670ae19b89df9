// Dapr's HTTP API outside state: metadata, health, shutdown, and what daprd answers for building blocks when nothing is
// configured for them.
#include <fmt/format.h>

#include "api/caller.h"
#include "api/http/responses.h"
#include "api/http/v1_routes.h"
#include "base/encoding.h"

namespace holdfast::api {

using http::Method;
using http::Request;
using http::Response;

namespace {

bool is_write(Method method) { return method == Method::post || method == Method::put; }

void append_list(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (const std::string& text : texts) {
    if (!out.ends_with('[')) out += ',';
    json::append_string(out, text);
  }
  out += ']';
}

std::string_view segment(const Segments& segments, std::size_t i) {
  return i < segments.size() ? segments[i] : std::string_view();
}

Response invoke_failed(std::string_view app) {
  return plain_error(500, "ERR_DIRECT_INVOKE",
                     fmt::format("failed to invoke, id: {}, err: service invocation is not part of this sidecar", app));
}

// The application that a request outside our routes names, if it names one.
std::string invoked_app(const Request& request) {
  const std::string_view header = request.headers.find("dapr-app-id");
  if (!header.empty()) return std::string(header);
  const std::string_view authorization = request.headers.find("authorization");
  static constexpr std::string_view kBasic = "Basic ";
  static constexpr std::string_view kUser = "dapr-app-id:";
  if (!authorization.starts_with(kBasic)) return {};
  const auto credentials = base64_decode(authorization.substr(kBasic.size()));
  return credentials && credentials->starts_with(kUser) ? credentials->substr(kUser.size()) : std::string();
}

Response actors_or_workflows(std::string_view type) {
  if (type.starts_with("dapr.internal."))
    return plain_error(403, "ERR_ACTOR_TYPE_RESERVED", fmt::format("actor type {} is reserved", type));
  return plain_error(400, "ERR_ACTOR_NO_PLACEMENT", "placement service is not configured");
}

Response publish(std::string_view pubsub) {
  ApiError error;
  error.http = 404;
  error.code = "ERR_PUBSUB_NOT_FOUND";
  error.message = fmt::format("pubsub {} is not found", pubsub);
  error.with(error_info("DAPR_PUBSUB_NOT_FOUND"));
  return error_response(error);
}

struct Block {
  std::string_view name;  // second segment of the path
  Response (*answer)(const Segments& segments);
};

// One row for each building block that is not ours.
constexpr Block kBlocks[] = {
    {"publish", [](const auto& s) { return publish(segment(s, 2)); }},
    {"bindings",
     [](const auto& s) {
       return plain_error(
           500, "ERR_INVOKE_OUTPUT_BINDING",
           fmt::format("error invoking output binding {0}: couldn't find output binding {0}", segment(s, 2)));
     }},
    {"configuration",
     [](const auto&) {
       return plain_error(500, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured");
     }},
    {"lock", [](const auto&) { return plain_error(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"); }},
    {"unlock",
     [](const auto&) { return plain_error(500, "ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"); }},
    {"crypto",
     [](const auto&) {
       return plain_error(500, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", "crypto providers not configured");
     }},
    {"subtlecrypto",
     [](const auto&) { return plain_error(501, "ERR_API_UNIMPLEMENTED", "this API is currently not implemented"); }},
    {"actors", [](const auto& s) { return actors_or_workflows(segment(s, 2)); }},
    {"workflows", [](const auto&) { return actors_or_workflows({}); }},
    {"jobs",
     [](const auto&) {
       return plain_error(500, "DAPR_SCHEDULER_GET_JOB", "failed to get job due to: scheduler clients are disabled");
     }},
    {"conversation",
     [](const auto& s) {
       return plain_error(400, "ERR_CONVERSATION_NOT_FOUND",
                          fmt::format("failed finding conversation component {}", segment(s, 2)));
     }},
    {"invoke", [](const auto& s) { return invoke_failed(segment(s, 2)); }},
};

// What a token that is limited to state may not call: the routes of secrets, shutdown and writing metadata.
bool is_administration(Method method, const Segments& segments) {
  if (segments.size() < 2 || !segments[0].starts_with("v1.0")) return false;
  return segments[1] == "secrets" || segments[1] == "shutdown" || (segments[1] == "metadata" && method != Method::get);
}

Response health(const service::Runtime& runtime, std::string_view query) {
  const auto app_id = query_value(query, "appid");
  if (app_id && *app_id != runtime.app_id)
    return plain_error(500, "ERR_HEALTH_APPID_NOT_MATCH", "dapr app-id does not match");
  if (runtime.ready) return no_content();
  return plain_error(500, "ERR_HEALTH_NOT_READY", "dapr is not ready: [runtime]");
}

Response outbound_health(const service::Runtime& runtime) {
  if (runtime.outbound_ready) return no_content();
  return plain_error(500, "ERR_OUTBOUND_HEALTH_NOT_READY", "dapr outbound is not ready");
}

}  // namespace

std::string metadata_json(const service::Runtime& runtime) {
  std::string out = "{";
  json::append_member(out, "id", runtime.app_id);
  json::append_member(out, "runtimeVersion", runtime.version);
  if (const auto features = runtime.features(); !features.empty()) {
    out += R"(,"enabledFeatures":)";
    append_list(out, features);
  }
  const auto components = runtime.components();
  if (!components.empty()) {
    out += R"(,"components":[)";
    for (const auto& component : components) {
      if (!out.ends_with('[')) out += ',';
      out += '{';
      json::append_member(out, "name", component.name);
      json::append_member(out, "type", component.type);
      if (!component.version.empty()) json::append_member(out, "version", component.version);
      if (!component.capabilities.empty()) {
        out += R"(,"capabilities":)";
        append_list(out, component.capabilities);
      }
      out += '}';
    }
    out += ']';
  }
  out += R"(,"extended":{)";
  for (const auto& [name, value] : runtime.extended()) json::append_member(out, name, value);
  out += R"(},"appConnectionProperties":{)";
  if (runtime.app_port > 0) out += fmt::format(R"("port":{})", runtime.app_port);
  json::append_member(out, "protocol", runtime.app_protocol);
  json::append_member(out, "channelAddress", runtime.app_channel_address);
  if (runtime.app_max_concurrency > 0) out += fmt::format(R"(,"maxConcurrency":{})", runtime.app_max_concurrency);
  if (const auto& health = runtime.app_health) {
    out += R"(,"health":{)";
    json::append_member(out, "healthCheckPath", health->path);
    json::append_member(out, "healthProbeInterval", fmt::format("{}s", health->interval_seconds));
    json::append_member(out, "healthProbeTimeout", fmt::format("{}ms", health->timeout_ms));
    out += fmt::format(R"(,"healthThreshold":{}}})", health->threshold);
  }
  out += R"(},"actorRuntime":{"runtimeStatus":"DISABLED","hostReady":false,"placement":"placement: disconnected"})";
  if (const auto names = runtime.resiliencies(); !names.empty()) {
    out += R"(,"resiliencies":[)";
    for (const std::string& name : names) {
      out += out.ends_with('[') ? "{" : ",{";
      json::append_member(out, "name", name);
      out += '}';
    }
    out += ']';
  }
  out += '}';
  out += '\n';
  return out;
}

Response V1Routes::metadata() { return json_response(200, metadata_json(runtime_)); }

Task<Response> V1Routes::handle(Request& request, std::string_view path, std::string_view query_text) {
  const Segments segments(path);
  const bool versioned = segments.size() >= 2 && (segments[0] == "v1.0" || segments[0] == "v1.0-alpha1");
  if (versioned && segments[1] == "state" && segments.size() >= 3) return state_route(request, segments, query_text);
  return ready(other_route(request, segments, path, query_text));
}

Response V1Routes::other_route(Request& request, const Segments& segments, std::string_view path,
                               std::string_view query_text) {
  const Method method = request.method;
  if (!may_administer(request) && is_administration(method, segments))
    return error_response(permission_denied(not_an_administrator(request)));
  if (method == Method::get && path == "/v1.0/healthz") return health(runtime_, query_text);
  if (method == Method::get && path == "/v1.0/healthz/outbound") return outbound_health(runtime_);
  if (method == Method::get && path == "/v1.0/metadata") return metadata();
  if (method == Method::put && segments.size() == 3 && path.starts_with("/v1.0/metadata/")) {
    auto key = percent_decode(segments[2], Plus::space);
    if (!key) return text_response(400, "invalid URL escape in the key\n");
    runtime_.set_extended(std::move(*key), std::move(request.body));
    return no_content();
  }
  if (method == Method::post && path == "/v1.0/shutdown") {
    runtime_.shutdown(iequals(request.headers.find("dapr-force-shutdown"), "true"));
    return no_content();
  }
  if (auto secrets = secrets_route(runtime_, method, segments)) return std::move(*secrets);
  const bool versioned = segments.size() >= 3 && segments[0].starts_with("v1.0");
  if (versioned && (is_write(method) || method == Method::get || method == Method::del))
    for (const Block& block : kBlocks)
      if (segments[1] == block.name) return block.answer(segments);
  const std::string app = invoked_app(request);
  return app.empty() ? unknown_route() : invoke_failed(app);
}

}  // namespace holdfast::api
