// Queries, which the search module answers.
#include <fmt/format.h>

#include <algorithm>

#include "stores/redis/query_text.h"
#include "stores/redis/store.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::QueryPage;

// The index has to be there before the first document that it is to find is looked for; whoever comes first makes it.
Task<Status> RedisStore::make_index(ServerRef server, const SearchIndex& index, SteadyTime deadline) {
  std::string request;
  append_create_index(request, index);
  auto answer = co_await server->call(Work::bulk, request, 1, deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!resp::is_error(*answer)) co_return Status();
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const std::string_view words = reply->root().text();
  if (words.contains("Index already exists")) co_return Status();
  co_return fail(describe(server->place(), fmt::format("make the search index \"{}\"", index.name), words));
}

Task<Result<QueryPage>> RedisStore::query(CallContext context, const state::Query& query) {
  if (settings_.indexes.empty()) co_return unsupported("queries without queryIndexes on the component");
  const ServerRef server = router_->primary_of(0);
  if (server == nullptr) co_return fail(router_->why());
  const SearchIndex& index = settings_.indexes.front();
  auto command = compile_search(index, query);
  if (!command) co_return fail(std::move(command.error()));
  for (bool made = false;; made = true) {
    auto answer = co_await server->call(Work::bulk, command->bytes, 1, deadline_of(context));
    if (!answer) co_return fail(lost_reading(std::move(answer.error())));
    const auto reply = resp::Reply::parse(*answer);
    if (!reply) co_return fail(reply.error());
    if (reply->root().kind() == resp::Kind::error && !made &&
        trouble_of(reply->root().text()) == Trouble::unknown_index) {
      if (auto ready = co_await make_index(server, index, deadline_of(context)); !ready)
        co_return fail(std::move(ready.error()));
      continue;
    }
    auto found = read_search(server->place(), reply->root());
    if (!found) co_return fail(std::move(found.error()));
    QueryPage page;
    page.token = search_token_after(*command, found->rows, found->total);
    for (state::ListedRecord& item : found->items)
      if (item.key.starts_with(query.key_prefix)) page.items.push_back(std::move(item));
    co_return page;
  }
}

}  // namespace holdfast::stores::redis
