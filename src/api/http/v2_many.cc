// Many records: listing, deletion by prefix, batches and transactions of /v2/state/{store}.
#include <fmt/format.h>

#include "api/http/problem.h"
#include "api/http/responses.h"
#include "api/http/v2_decode.h"
#include "api/http/v2_routes.h"
#include "api/record_json.h"
#include "api/status_map.h"
#include "wire/json/json.h"

namespace holdfast::api {

using http::Request;
using http::Response;
using service::StoreEntry;
using service::StoreRef;

Task<Response> V2Routes::list(Request& request, StoreRef entry, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  ListCommand command;
  if (auto ok = read_list_parameters(query, command); !ok) co_return problem(ok.error(), request.target);
  const auto listing = co_await v2_.list(*entry, *context, command);
  if (!listing) co_return problem(listing.error(), request.target);
  std::string out = R"({"items":[)";
  for (const state::ListedRecord& item : listing->items) {
    if (!out.ends_with('[')) out += ',';
    if (command.want_values) {
      append_record_json(out, {*entry, context->isolation}, item.key, item.record, item.record.value,
                         v2_.clock().wall());
      continue;
    }
    out += R"({"key":)";
    json::append_string(out, item.key);
    out += R"(,"etag":)";
    append_entity_tag_json(out, item.record.etag);
    out += '}';
  }
  out += R"(],"cursor":)";
  if (listing->cursor.empty()) {
    out += "null";
  } else {
    json::append_string(out, listing->cursor);
  }
  out += "}\n";
  co_return json_response(200, std::move(out));
}

Task<Response> V2Routes::erase_prefix(Request& request, StoreRef entry, std::string_view query) {
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  ErasePrefixCommand command;
  if (auto ok = read_erase_parameters(query, command); !ok) co_return problem(ok.error(), request.target);
  const auto erased =
      co_await v2_.erase_prefix(*entry, *context, std::move(command.prefix), command.all, command.limit);
  if (!erased) co_return problem(erased.error(), request.target);
  co_return json_response(200, fmt::format("{{\"deleted\":{},\"more\":{}}}\n", erased->erased, erased->is_more));
}

namespace {

void begin_item(std::string& out, std::string_view key, int status) {
  if (!out.ends_with('[')) out += ',';
  out += R"({"key":)";
  json::append_string(out, key);
  out += R"(,"status":)" + std::to_string(status);
}

void append_failure(std::string& out, std::string_view key, const Error& error) {
  begin_item(out, key, v2_http_status(error.code));
  if (!error.current_etag.empty()) {
    out += R"(,"etag":)";
    append_entity_tag_json(out, error.current_etag);
  }
  out += R"(,"problem":)";
  append_problem(out, error);
  out += '}';
}

int status_of(const Command& command, const Outcome& outcome) {
  if (std::holds_alternative<PutCommand>(command)) return outcome.created.value_or(false) ? 201 : 200;
  if (std::holds_alternative<CheckCommand>(command)) return 200;
  return outcome.existed.value_or(true) ? 204 : 404;
}

}  // namespace

void V2Routes::append_outcome(std::string& out, const RecordPlace& place, const Command& command,
                              const Outcome& outcome) const {
  begin_item(out, key_of(command), status_of(command, outcome));
  if (const auto* put = std::get_if<PutCommand>(&command)) {
    out += R"(,"etag":)";
    json::append_string(out, outcome.etag);
    if (put->want_record) {
      out += R"(,"record":)";
      append_record_json(out, place, put->key, outcome.record, put->value, v2_.clock().wall());
    }
  }
  out += '}';
}

Task<Response> V2Routes::batch_get(Request& request, StoreRef entry, std::string_view query) {
  if (auto ok = read_no_parameters(query); !ok) co_return problem(ok.error(), request.target);
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  const auto command = decode_batch_get(request.body);
  if (!command) co_return problem(command.error(), request.target);
  const auto records = co_await v2_.batch_get(*entry, *context, command->keys, command->want_values);
  if (!records) co_return problem(records.error(), request.target);
  std::string out = R"({"items":[)";
  for (std::size_t i = 0; i < records->size(); ++i) {
    const std::string& key = command->keys[i];
    const auto& found = (*records)[i];
    if (!found) {
      append_failure(out, key, found.error());
    } else if (!*found) {
      begin_item(out, key, 404);
      out += '}';
    } else {
      begin_item(out, key, 200);
      out += R"(,"etag":)";
      append_entity_tag_json(out, (*found)->etag);
      if (command->want_values) {
        out += R"(,"record":)";
        append_record_json(out, {*entry, context->isolation}, key, **found, (*found)->value, v2_.clock().wall());
      }
      out += '}';
    }
  }
  out += "]}\n";
  co_return json_response(200, std::move(out));
}

Result<std::vector<Command>> V2Routes::commands_of(const Request& request, std::string_view list) const {
  auto commands = decode_commands(request.body, list);
  if (commands && wants_representation(request))
    for (Command& command : *commands)
      if (auto* put = std::get_if<PutCommand>(&command)) put->want_record = true;
  return commands;
}

Task<Response> V2Routes::batch_write(Request& request, StoreRef entry, std::string_view query) {
  if (auto ok = read_no_parameters(query); !ok) co_return problem(ok.error(), request.target);
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto commands = commands_of(request, "items");
  if (!commands) co_return problem(commands.error(), request.target);
  const auto results = co_await v2_.batch_write(*entry, *context, *commands);
  if (!results) co_return problem(results.error(), request.target);
  std::string out = R"({"items":[)";
  for (std::size_t i = 0; i < results->size(); ++i) {
    const auto& result = (*results)[i];
    if (result)
      append_outcome(out, {*entry, context->isolation}, (*commands)[i], *result);
    else
      append_failure(out, key_of((*commands)[i]), result.error());
  }
  out += "]}\n";
  co_return json_response(200, std::move(out));
}

Task<Response> V2Routes::transact(Request& request, StoreRef entry, std::string_view query) {
  if (auto ok = read_no_parameters(query); !ok) co_return problem(ok.error(), request.target);
  auto context = context_of(request, query);
  if (!context) co_return problem(context.error(), request.target);
  auto commands = commands_of(request, "operations");
  if (!commands) co_return problem(commands.error(), request.target);
  const auto outcomes = co_await v2_.transact(*entry, *context, *commands);
  if (!outcomes) co_return problem_of_transaction(outcomes.error(), request.target);
  std::string out = R"({"results":[)";
  for (std::size_t i = 0; i < outcomes->size(); ++i)
    append_outcome(out, {*entry, context->isolation}, (*commands)[i], (*outcomes)[i]);
  out += "]}\n";
  co_return json_response(200, std::move(out));
}

}  // namespace holdfast::api
