#include "api/caller.h"

#include <fmt/format.h>

namespace holdfast::api {

namespace {

constexpr std::string_view kIsolation = "holdfast-isolation";
// A field that is sent twice reads as a list of both, and a list is no key: neither of the two is believed.
constexpr std::string_view kList = ",";

std::optional<std::string_view> isolation_in(const http::HeaderBlock& headers) {
  std::optional<std::string_view> found;
  if (!headers.has(kIsolation)) return found;
  for (std::size_t i = 0; i < headers.size(); ++i)
    if (headers.name(i) == kIsolation) found = found ? kList : headers.value(i);
  return found;
}

}  // namespace

bool may_administer(const http::Request& request) {
  const service::Grant* grant = grant_of(request);
  return grant == nullptr || grant->rights.has(service::Right::admin);
}

std::string not_an_administrator(const http::Request& request) {
  const service::Grant* grant = grant_of(request);
  const bool named = grant != nullptr && !grant->name.empty();
  return fmt::format("the token{} is limited to state; secrets, shutdown and writing metadata need allow=admin",
                     named ? fmt::format(" \"{}\"", grant->name) : "");
}

service::CallContext call_context(const http::Request& request, const service::Runtime& runtime) {
  service::CallContext context;
  context.cancel = request.cancel;
  context.principal = runtime.app_id;
  context.trace = request.headers.find("traceparent");
  context.isolation = isolation_in(request.headers);
  if (const service::Grant* grant = grant_of(request)) {
    context.grant = grant;
    if (!grant->name.empty()) context.principal = grant->name;
    if (!context.isolation && !grant->isolation.empty()) context.isolation = grant->isolation;
  }
  return context;
}

}  // namespace holdfast::api
