#include "api/http/browser_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/http/problem.h"
#include "base/encoding.h"

namespace holdfast::api {

namespace {

bool is_loopback_v4(std::string_view host) {
  return host.starts_with("127.") && std::ranges::count(host, '.') == 3 &&
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// A top-level GET by a link or a bookmark changes nothing, and the page it comes from does not see the answer.
bool follows_link(const http::Request& request) {
  return request.method == http::Method::get && request.headers.find("sec-fetch-mode") == "navigate" &&
         request.headers.find("sec-fetch-dest") == "document";
}

}  // namespace

bool names_this_machine(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1) == "[::1]";
  host = host.substr(0, host.find(':'));
  return iequals(host, "localhost") || is_loopback_v4(host);
}

std::optional<http::Response> refuse_cross_site(const http::Request& request) {
  if (request.headers.find("sec-fetch-site") != "cross-site" || follows_link(request)) return std::nullopt;
  return problem(403, "denied", "The call is not allowed",
                 "a web page of another site may not call this API; --allowed-origins names those that may",
                 request.target);
}

std::optional<http::Response> refuse_foreign_host(const http::Request& request) {
  if (request.peer != http::Peer::loopback) return std::nullopt;
  const std::string_view host = request.headers.find("host");
  if (host.empty() || names_this_machine(host)) return std::nullopt;
  return problem(
      403, "denied", "The call is not allowed",
      fmt::format("without an API token this answers to localhost, 127.0.0.1 and [::1] only, and not to \"{}\": a "
                  "web page could have made that name lead here. Use one of them, or set DAPR_API_TOKEN or "
                  "--api-token-file",
                  host),
      request.target);
}

}  // namespace holdfast::api
