// Who sends a request: found once by the front that admits it, kept with the request, and what every call to a store
// begins with.
#pragma once

#include <string>

#include "service/runtime.h"
#include "service/scope.h"
#include "service/session.h"
#include "wire/http/message.h"

namespace holdfast::api {

inline void set_grant(http::Request& request, service::GrantRef grant) { request.caller = std::move(grant); }
// Null: the caller may do everything. Lives as long as the request.
inline const service::Grant* grant_of(const http::Request& request) {
  return static_cast<const service::Grant*>(request.caller.get());
}

// Whether the caller may do what is not state: secrets, shutdown, writing metadata.
bool may_administer(const http::Request& request);
// What it is told otherwise.
std::string not_an_administrator(const http::Request& request);

// The session that the request goes on with, which lives as long as the request: what its header Holdfast-Session
// (metadata holdfast-session, as often as it is sent, or a comma between) says. Errc::invalid_argument when that is no
// token.
Status begin_session(http::Request& request, service::Session& session);
// Tells the caller, once the request was answered, what to send from now on (nothing when that has not changed) and, of
// v2, at which level it was served.
void add_session(const http::Request& request, http::Response& response, const service::Session& session);

// Cancellation, principal, trace, token and isolation key of a request; points into the request and the runtime. The
// isolation key is that of the header Holdfast-Isolation (metadata holdfast-isolation), else the token's; whether it
// may be one, the service says.
service::CallContext call_context(const http::Request& request, const service::Runtime& runtime);

}  // namespace holdfast::api
