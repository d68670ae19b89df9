#include "conformance/remote/http_forms.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "conformance/remote/reach.h"

namespace holdfast::conformance {

using namespace state;

std::string json_text(std::string_view text) {
  std::string out;
  json::append_string(out, text);
  return out;
}

std::string text_of(json::Object from, std::string_view name) {
  std::string_view text;
  return from[name].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

void add_parameter(std::string& target, std::string_view name, std::string_view value) {
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += percent_encode(name);
  target += '=';
  target += percent_encode(value);
}

void add_level(std::string& target, Consistency level) {
  if (level != Consistency::unspecified) add_parameter(target, "consistency", name_of(level));
}

namespace {

Errc code_of_problem(std::string_view type) {
  constexpr std::string_view kPrefix = "urn:holdfast:problem:";
  if (!type.starts_with(kPrefix)) return Errc::internal;
  const std::string_view name = type.substr(kPrefix.size());
  for (int i = 0; i <= static_cast<int>(Errc::internal); ++i)
    if (name_of(static_cast<Errc>(i)) == name) return static_cast<Errc>(i);
  return Errc::internal;
}

}  // namespace

Error error_of(json::Object problem) {
  Error error(code_of_problem(text_of(problem, "type")), text_of(problem, "detail"));
  error.current_etag = etag_of(text_of(problem, "etag"));
  std::int64_t operation = -1;
  if (problem["operation"].get(operation) == simdjson::SUCCESS) error.operation = static_cast<int>(operation);
  return error;
}

std::unexpected<Error> problem_of(const HttpAnswer& answer) {
  json::Parser parser;
  const auto body = parser.parse(answer.body);
  if (answer.header("content-type") != "application/problem+json" || !body || !body->is_object())
    return fail(Errc::internal, fmt::format("status {} without a problem document", answer.status));
  return fail(error_of(body->get_object().value()));
}

}  // namespace holdfast::conformance
