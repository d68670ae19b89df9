// POST /v2/state/{store}:query.
#include "api/http/problem.h"
#include "api/http/responses.h"
#include "api/http/v2_decode.h"
#include "api/http/v2_routes.h"
#include "api/record_json.h"
#include "wire/json/json.h"

namespace holdfast::api {

using http::Request;
using http::Response;
using service::StoreRef;

Task<Response> V2Routes::query(Request& request, StoreRef entry, std::string_view parameters) {
  if (auto ok = read_no_parameters(parameters); !ok) co_return problem(ok.error(), request.target);
  auto context = context_of(request, parameters);
  if (!context) co_return problem(context.error(), request.target);
  auto command = read_query_body(request.body);
  if (!command) co_return problem(command.error(), request.target);
  const auto page = co_await v2_.query(*entry, *context, *command);
  if (!page) co_return problem(page.error(), request.target);
  std::string out = R"({"items":[)";
  for (const state::ListedRecord& item : page->items) {
    if (!out.ends_with('[')) out += ',';
    append_record_json(out, {*entry, context->isolation}, item.key, item.record, item.record.value, v2_.clock().wall());
  }
  out += R"(],"token":)";
  if (page->token.empty()) {
    out += "null";
  } else {
    json::append_string(out, page->token);
  }
  out += "}\n";
  co_return json_response(200, std::move(out));
}

}  // namespace holdfast::api
