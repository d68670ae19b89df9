#include "api/http/responses.h"

namespace holdfast::api {

http::Response text_response(int status, std::string text) {
  http::Response response;
  response.status = status;
  response.content_type = kPlain;
  response.body = std::move(text);
  return response;
}

http::Response json_response(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = kJson;
  response.body = std::move(body);
  return response;
}

http::Response no_content() {
  http::Response response;
  response.status = 204;
  return response;
}

http::Response error_response(const ApiError& error) {
  http::Response response = json_response(error.http, json_body(error));
  if (error.retry_after) response.headers.add("Retry-After", "1");
  return response;
}

http::Response plain_error(int status, std::string code, std::string message) {
  ApiError error;
  error.http = status;
  error.code = std::move(code);
  error.message = std::move(message);
  return error_response(error);
}

http::Response unknown_route() {
  return plain_error(404, "ERR_DIRECT_INVOKE",
                     "failed getting app id either from the URL path or the header dapr-app-id");
}

}  // namespace holdfast::api
