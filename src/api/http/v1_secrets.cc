// The secrets routes of Dapr's HTTP API.
#include <utility>

#include "api/http/responses.h"
#include "api/http/v1_routes.h"
#include "api/secrets.h"
#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::api {

using http::Response;

namespace {

void append_secret(std::string& out, const service::Secret& secret) {
  out += '{';
  for (const auto& [name, value] : secret) json::append_member(out, name, value);
  out += '}';
}

Response one_secret(const service::Runtime& runtime, std::string_view store, std::string_view key) {
  const auto secret = get_secret(runtime, store, key);
  if (!secret) return error_response(secret.error());
  std::string out;
  append_secret(out, *secret);
  out += '\n';
  return json_response(200, std::move(out));
}

Response all_secrets(const service::Runtime& runtime, std::string_view store) {
  const auto secrets = get_bulk_secret(runtime, store);
  if (!secrets) return error_response(secrets.error());
  std::string out = "{";
  for (const auto& [key, secret] : *secrets) {
    json::append_name(out, key);
    append_secret(out, secret);
  }
  out += "}\n";
  return json_response(200, std::move(out));
}

}  // namespace

std::optional<Response> secrets_route(const service::Runtime& runtime, http::Method method,
                                      const Segments& segments) {
  if (method != http::Method::get || segments.size() != 4 || segments[0] != "v1.0" || segments[1] != "secrets")
    return std::nullopt;
  const auto store = percent_decode(segments[2], Plus::space);
  if (!store) return text_response(400, "invalid URL escape in the store name\n");
  // Compared as it was sent: a secret that is called bulk can be asked for as %62ulk.
  if (segments[3] == "bulk") return all_secrets(runtime, *store);
  const auto key = percent_decode(segments[3], Plus::space);
  if (!key) return text_response(400, "invalid URL escape in the key\n");
  return one_secret(runtime, *store, *key);
}

}  // namespace holdfast::api
