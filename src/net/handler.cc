#include "net/handler.h"

namespace holdfast::net {

Task<void> Handler::handle_stream(http::Request&, BodyStream&, http::Response& response) {
  response.status = 501;
  co_return;
}

http::Response Handler::overloaded(const http::Request&) {
  http::Response response;
  response.status = 503;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.add("Retry-After", "1");
  response.body = "too many bytes in flight; try again later\n";
  return response;
}

}  // namespace holdfast::net
