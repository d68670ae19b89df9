// What keeps web pages of others away from an API that asks nobody for a token: a browser on this machine reaches
// loopback for every page that it shows. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "wire/http/message.h"

namespace holdfast::api {

// Whether a Host header names this machine whatever the network says: localhost, 127.x.y.z or [::1], with any port. A
// page of another name that resolves to loopback (DNS rebinding) carries its own.
bool names_this_machine(std::string_view host);

// Refuses what a page of another site asks for; its user may follow a link. Browsers say where a request comes from in
// Sec-Fetch-Site, to loopback and over TLS; others do not say it, and pass.
std::optional<http::Response> refuse_cross_site(const http::Request& request);

// Refuses a request over loopback to a host that is not this machine. Without a Host header it is no browser's.
std::optional<http::Response> refuse_foreign_host(const http::Request& request);

}  // namespace holdfast::api
