#include "api/http/problem.h"

#include "api/status_map.h"
#include "api/v2.h"
#include "wire/json/json.h"

namespace holdfast::api {

namespace {

struct Document {
  int status;
  std::string_view name;
  std::string_view title;
  std::string_view detail;
  std::string_view instance;
};

std::string text_of(const Document& document) {
  std::string out = R"({"type":)";
  json::append_string(out, std::string("urn:holdfast:problem:") + std::string(document.name));
  out += R"(,"title":)";
  json::append_string(out, document.title);
  out += R"(,"status":)" + std::to_string(document.status);
  out += R"(,"detail":)";
  json::append_string(out, document.detail);
  out += R"(,"instance":)";
  json::append_string(out, document.instance);
  return out;
}

http::Response response_of(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = std::move(body) + "}\n";
  return response;
}

}  // namespace

http::Response problem(const Error& error, std::string_view instance) {
  const int status = v2_http_status(error.code);
  // A cursor that is too old is Gone, whatever else is not found.
  const bool expired = error.code == Errc::not_found && error.message == "cursor-expired";
  std::string body = text_of({expired ? 410 : status, expired ? "cursor-expired" : name_of(error.code),
                              expired ? "The cursor is too old" : v2_title(error.code),
                              expired ? "cursors are good for 24 hours; start the listing again" : error.message,
                              instance});
  if (!error.current_etag.empty()) {
    body += R"(,"etag":)";
    json::append_string(body, entity_tag(error.current_etag));
  }
  if (error.operation >= 0) body += R"(,"operation":)" + std::to_string(error.operation);
  http::Response response = response_of(expired ? 410 : status, std::move(body));
  if (!error.current_etag.empty()) response.headers.emplace_back("ETag", entity_tag(error.current_etag));
  if (status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

http::Response problem(int status, std::string_view name, std::string_view title, std::string_view detail,
                       std::string_view instance) {
  return response_of(status, text_of({status, name, title, detail, instance}));
}

}  // namespace holdfast::api
