#include "dashboard/dashboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/http/browser_guard.h"
#include "api/http/problem.h"
#include "api/v2.h"
#include "dashboard/assets.h"

namespace holdfast::dashboard {

using http::Method;
using http::Peer;
using http::Request;
using http::Response;

namespace {

constexpr std::string_view kIndex = "index.html";

std::string_view content_type_of(std::string_view name) {
  struct Kind {
    std::string_view ending;
    std::string_view content_type;
  };
  static constexpr std::array<Kind, 4> kKinds{{{".html", "text/html; charset=utf-8"},
                                               {".css", "text/css; charset=utf-8"},
                                               {".js", "text/javascript; charset=utf-8"},
                                               {".svg", "image/svg+xml"}}};
  for (const auto& [ending, content_type] : kKinds)
    if (name.ends_with(ending)) return content_type;
  return "application/octet-stream";
}

// FNV-1a: whoever has the file of another version asks for this one.
std::string etag_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

// Nothing but the sidecar's own files and calls: whatever a record holds, it runs no script and reaches no other host.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kHeaders{{
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
     "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-cache"},
}};

Response refuse(const Request& request, std::string_view detail) {
  return api::problem(403, "denied", "The call is not allowed", detail, request.target);
}

// Whether a proxy passes on what somebody else has asked.
bool is_forwarded(const Request& request) {
  return request.headers.has("forwarded") || request.headers.has("x-forwarded-for");
}

bool already_has(const Request& request, std::string_view etag) {
  const auto known = api::entity_tags(request.headers.find("if-none-match"));
  return std::ranges::any_of(known, [&](const std::string& one) { return one == "*" || one == etag; });
}

}  // namespace

Dashboard::Dashboard(const api::LoopContext& context) : context_(context) {
  for (const EmbeddedFile& file : dashboard_files())
    assets_.push_back({file.name == kIndex ? std::string(kPath) : fmt::format("{}/{}", kPath, file.name),
                       content_type_of(file.name), file.bytes, etag_of(file.bytes)});
}

const Dashboard::Asset* Dashboard::find(std::string_view path) const {
  const auto found = std::ranges::find(assets_, path, &Asset::path);
  return found == assets_.end() ? nullptr : &*found;
}

std::optional<Response> Dashboard::refusal(const Request& request) const {
  if (context_.access.asks_for_token()) return std::nullopt;
  if (request.peer == Peer::elsewhere || is_forwarded(request))
    return refuse(
        request,
        "without an API token the dashboard is for this machine only: open it there, by localhost or 127.0.0.1, or "
        "set DAPR_API_TOKEN or --api-token-file and it can be opened from anywhere");
  return api::refuse_foreign_host(request);
}

Response Dashboard::answer(const Request& request, std::string_view path) const {
  if (auto refused = refusal(request)) return std::move(*refused);
  const Asset* const asset = find(path);
  if (asset == nullptr)
    return api::problem(404, "no-such-route", "There is no such route", fmt::format("the dashboard is at {}", kPath),
                        request.target);
  if (request.method != Method::get && request.method != Method::head) {
    Response response = api::problem(405, "method-not-allowed", "The method is not allowed here",
                                     "use one of: GET, HEAD", request.target);
    response.headers.add("Allow", "GET, HEAD");
    return response;
  }
  Response response;
  for (const auto& [name, value] : kHeaders) response.headers.add(name, value);
  response.headers.add("ETag", api::entity_tag(asset->etag));
  if (already_has(request, asset->etag)) {
    response.status = 304;
    return response;
  }
  response.content_type = asset->content_type;
  response.body = asset->bytes;
  return response;
}

}  // namespace holdfast::dashboard
