#include "api/http/problem.h"

#include "api/status_map.h"
#include "api/v2.h"
#include "wire/json/json.h"

namespace holdfast::api {

namespace {

constexpr std::string_view kProblem = "application/problem+json";

// The members that every document has; the caller closes it.
void append_document(std::string& out, int status, std::string_view name, std::string_view title,
                     std::string_view detail) {
  out += R"({"type":)";
  json::append_string(out, std::string("urn:holdfast:problem:") + std::string(name));
  out += R"(,"title":)";
  json::append_string(out, title);
  out += R"(,"status":)" + std::to_string(status);
  out += R"(,"detail":)";
  json::append_string(out, detail);
}

void append_instance(std::string& out, std::string_view instance) {
  out += R"(,"instance":)";
  json::append_string(out, instance);
}

// A cursor that is too old is Gone, whatever else is not found.
bool is_old_cursor(const Error& error) { return error.code == Errc::not_found && error.message == "cursor-expired"; }

void append_error(std::string& out, const Error& error, int status) {
  if (is_old_cursor(error)) {
    append_document(out, status, "cursor-expired", "The cursor is too old",
                    "cursors are good for 24 hours; start the listing again");
  } else {
    append_document(out, status, name_of(error.code), v2_title(error.code), error.message);
  }
  if (!error.current_etag.empty()) {
    out += R"(,"etag":)";
    append_entity_tag_json(out, error.current_etag);
  }
  if (error.operation >= 0) out += R"(,"operation":)" + std::to_string(error.operation);
}

int status_of(const Error& error) { return is_old_cursor(error) ? 410 : v2_http_status(error.code); }

http::Response response_of(const Error& error, int status, std::string_view instance) {
  http::Response response;
  response.status = status;
  response.content_type = kProblem;
  append_error(response.body, error, status);
  append_instance(response.body, instance);
  response.body += "}\n";
  if (status == 503) response.headers.add("Retry-After", "1");
  return response;
}

}  // namespace

http::Response problem(const Error& error, std::string_view instance) {
  http::Response response = response_of(error, status_of(error), instance);
  if (!error.current_etag.empty()) response.headers.add("ETag", entity_tag(error.current_etag));
  return response;
}

http::Response problem_of_transaction(const Error& error, std::string_view instance) {
  return response_of(error, error.code == Errc::precondition_failed ? 409 : status_of(error), instance);
}

void append_problem(std::string& out, const Error& error) {
  append_error(out, error, status_of(error));
  out += '}';
}

http::Response problem(int status, std::string_view name, std::string_view title, std::string_view detail,
                       std::string_view instance) {
  http::Response response;
  response.status = status;
  response.content_type = kProblem;
  append_document(response.body, status, name, title, detail);
  append_instance(response.body, instance);
  response.body += "}\n";
  return response;
}

}  // namespace holdfast::api
