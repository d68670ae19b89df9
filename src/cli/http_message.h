// What http_client.cc and http_stream.cc share of Beast's HTTP.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "cli/http_client.h"

namespace holdfast::cli {

using HttpMessage = boost::beast::http::request<boost::beast::http::string_body>;

HttpMessage message_of(const Address& address, const HttpRequest& request);
// Status and fields, and no body.
template <class Body>
HttpResponse head_of(const boost::beast::http::response<Body>& message) {
  HttpResponse response;
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    const auto name = field.name_string();
    const auto value = field.value();
    response.headers.emplace_back(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  return response;
}
// Why there is no answer, and where to look.
std::unexpected<Error> unreachable(const Address& address, const boost::system::error_code& error);

}  // namespace holdfast::cli
