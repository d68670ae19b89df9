#include "net/handler.h"

#include "base/log.h"

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

void answer_failure(http::Response& response, const std::exception& e) {
  log::error("holdfast.net", "a request handler failed: {}", e.what());
  response.clear();
  response.status = 500;
  response.close = true;
}

}  // namespace holdfast::net
