// Queries, which the search module answers from an index over the documents.
//
// Each of the component's queryIndexes is made when the store opens, with the schema that Dapr makes. One whose
// definition has changed is dropped and made anew, as Dapr does; the documents stay, and the server adds them to the
// new one in its own time. Loops and processes do so without a lock: whoever comes second finds the index as it wants
// it. Processes that want different indexes under one name do not fight over it: each makes its own when it opens, so
// the last one wins, and a query of the others, which would compare the wrong paths, is refused. For that a query asks
// for the index' definition in the same trip. It also learns so that an index has gone (FLUSHALL takes them along) or
// is not yet complete, and makes it again, or waits.
#include <fmt/format.h>

#include <algorithm>

#include "stores/redis/query_text.h"
#include "stores/redis/store.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::QueryPage;

namespace {

// Of two that make one index at the same time each sees the other's at the next look.
constexpr int kRoundsMost = 8;
constexpr Milliseconds kFillingPause{20};

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::unexpected<Error> of_another(const Place& place, const SearchIndex& index) {
  return fail(
      Errc::conflict,
      fmt::format("component \"{}\" (state.redis): the search index \"{}\" at {} was made anew with another "
                  "definition, by a process with other queryIndexes. Give indexes that differ different names, or "
                  "reload this component to make it its own again",
                  place.component, index.name, place.server));
}

}  // namespace

Task<Result<std::string>> RedisStore::say_of_index(ServerRef server, const SearchIndex& index, std::string_view doing,
                                                   std::string request, SteadyTime deadline) {
  auto answer = co_await server->call(Work::bulk, request, 1, deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!resp::is_error(*answer)) co_return std::string();
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const std::string_view words = reply->root().text();
  if (words.contains("Index already exists") || trouble_of(words) == Trouble::unknown_index)
    co_return std::string(words);
  co_return fail(describe(server->place(), fmt::format("{} the search index \"{}\"", doing, index.name), words));
}

Task<Status> RedisStore::make_index(ServerRef server, const SearchIndex& index, SteadyTime deadline) {
  for (int round = 0; round < kRoundsMost; ++round) {
    std::string request;
    append_index_info(request, index.name);
    auto answer = co_await server->call(Work::bulk, request, 1, deadline);
    if (!answer) co_return fail(std::move(answer.error()));
    const auto reply = resp::Reply::parse(*answer);
    if (!reply) co_return fail(reply.error());
    const auto found = read_index_state(server->place(), index, reply->root());
    if (!found) co_return fail(found.error());
    if (*found == IndexState::filling || *found == IndexState::ready) co_return Status();
    request.clear();
    if (*found == IndexState::different) {
      append_drop_index(request, index.name);
      auto dropped = co_await say_of_index(server, index, "drop", std::exchange(request, {}), deadline);
      if (!dropped) co_return fail(std::move(dropped.error()));
    }
    append_create_index(request, index);
    auto made = co_await say_of_index(server, index, "make", std::move(request), deadline);
    if (!made) co_return fail(std::move(made.error()));
    if (made->empty()) co_return Status();
  }
  co_return of_another(server->place(), index);
}

Status RedisStore::check_can_query() const {
  if (capabilities_.query) return {};
  std::string_view why = "the server has no RedisJSON and search modules";
  if (settings_.indexes.empty())
    why = "the component has no queryIndexes";
  else if (router_->is_cluster())
    why = "in a cluster no node could search the documents of the others";
  return fail(Errc::unsupported,
              fmt::format("component \"{}\" (state.redis) cannot answer queries: {}", settings_.component, why));
}

Task<Status> RedisStore::prepare_queries(SteadyTime deadline) {
  if (settings_.indexes.empty() || core_.only_looks()) co_return Status();
  if (auto can = check_can_query(); !can) {
    core_.warn_once(can.error().message);
    co_return Status();
  }
  const ServerRef server = router_->primary_of(0);
  if (server == nullptr) co_return fail(router_->why());
  for (const SearchIndex& index : settings_.indexes)
    if (auto made = co_await make_index(server, index, deadline); !made) co_return made;
  co_return Status();
}

Task<Result<QueryPage>> RedisStore::query(CallContext context, const state::Query& query) {
  if (auto can = check_can_query(); !can) co_return fail(std::move(can.error()));
  auto plan = plan_search(settings_.indexes, query);
  if (!plan) co_return fail(std::move(plan.error()));
  const SteadyTime deadline = deadline_of(context);
  std::string request;
  append_index_info(request, plan->index->name);
  request += plan->command.bytes;
  while (true) {
    const ServerRef server = router_->primary_of(0);
    if (server == nullptr) co_return fail(router_->why());
    auto answer = co_await server->read(request, 2, deadline);
    if (!answer) co_return fail(std::move(answer.error()));
    std::string_view replies = *answer;
    resp::Reply reply;
    if (auto info = reply.read(replies); !info) co_return fail(std::move(info.error()));
    const auto index = read_index_state(server->place(), *plan->index, reply.root());
    if (!index) co_return fail(index.error());
    if (*index == IndexState::different) co_return of_another(server->place(), *plan->index);
    if (*index == IndexState::ready) {
      if (auto rows = reply.read(replies); !rows) co_return fail(std::move(rows.error()));
      auto page = page_of(server->place(), query, plan->command, reply.root());
      if (page) co_await follow_all(context);
      co_return page;
    }
    if (now() >= deadline)
      co_return fail(Errc::unavailable,
                     fmt::format("component \"{}\" (state.redis): the search index \"{}\" at {} is still being filled; "
                                 "try again",
                                 settings_.component, plan->index->name, server->place().server));
    if (*index == IndexState::absent) {
      if (auto made = co_await make_index(server, *plan->index, deadline); !made)
        co_return fail(std::move(made.error()));
    } else {
      co_await sleep_for(loop_, kFillingPause);
    }
  }
}

Result<QueryPage> RedisStore::page_of(const Place& place, const state::Query& query, const SearchCommand& command,
                                      resp::Value reply) {
  auto found = read_search(place, reply);
  if (!found) return fail(std::move(found.error()));
  QueryPage page;
  page.token = search_token_after(command, found->rows, found->total);
  for (state::ListedRecord& item : found->items)
    if (query.covers(item.key)) page.items.push_back(std::move(item));
  return page;
}

}  // namespace holdfast::stores::redis
