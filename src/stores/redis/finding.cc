// Look-up by index entry.
#include <fmt/format.h>

#include <algorithm>

#include "state/keys.h"
#include "stores/redis/entries.h"
#include "stores/redis/store.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::ListPage;
using state::Record;

namespace {

constexpr std::size_t kMembersMost = 500;

bool carries(const Record& record, const state::FindRequest& request) {
  return record.fields && std::ranges::any_of(record.fields->indexes, [&request](const auto& entry) {
           return entry.first == request.name && entry.second == request.value;
         });
}

}  // namespace

Status RedisStore::check_can_find() const {
  if (capabilities_.secondary_index) return {};
  return fail(Errc::unsupported,
              fmt::format("component \"{}\" (state.redis) does not look up by index entries: in a cluster an entry and "
                          "the records that carry it are in different slots, and no script changes both",
                          settings_.component));
}

Task<Result<ListPage>> RedisStore::find(CallContext context, state::FindRequest request) {
  if (auto can = check_can_find(); !can) co_return fail(std::move(can.error()));
  const state::ListRequest& of = request.of;
  if (!of.cursor.empty() && !of.cursor.starts_with('k'))
    co_return fail(Errc::invalid_argument, "this cursor was not given out by state.redis; start again without one");
  std::string after(of.cursor.substr(of.cursor.empty() ? 0 : 1));
  bool has_after = !of.cursor.empty();
  ListPage page;
  for (;;) {
    if (auto going_on = check_going_on(context); !going_on) co_return fail(std::move(going_on.error()));
    const std::size_t room = of.limit == 0 ? kMembersMost : of.limit - page.items.size();
    const auto count = static_cast<std::uint32_t>(std::min(room, kMembersMost));
    auto keys = co_await members(context, request, {of.prefix, after, has_after, count});
    if (!keys) co_return fail(std::move(keys.error()));
    const bool is_last = keys->size() < count;
    if (!keys->empty()) {
      after = keys->back();
      has_after = true;
    }
    std::erase_if(*keys,
                  [&of](const std::string& key) { return !state::is_listable(key, of.own_bytes, of.hides_isolated); });
    if (auto added = co_await add_carriers(context, request, std::move(*keys), page); !added)
      co_return fail(std::move(added.error()));
    const bool is_full = of.limit != 0 && page.items.size() >= of.limit;
    if (is_last || is_full) {
      if (!is_last) page.cursor = "k" + after;
      co_await follow_all(context);
      co_return page;
    }
  }
}

Task<Result<std::vector<std::string>>> RedisStore::members(CallContext context, state::FindRequest request,
                                                           MemberRange range) {
  const ServerRef server = router_->primary_of(0);
  if (server == nullptr) co_return fail(router_->why());
  std::string command;
  append_members(command, entry_key(request.name, request.value), range);
  auto answer = co_await server->read(command, 1, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const auto keys = read_keys(server->place(), reply->root());
  if (!keys) co_return fail(keys.error());
  co_return std::vector<std::string>(keys->begin(), keys->end());
}

// Puts those of the keys into the page whose records carry the entry, and has the set forget the others.
Task<Status> RedisStore::add_carriers(CallContext context, state::FindRequest request, std::vector<std::string> keys,
                                      ListPage& page) {
  std::vector<state::GetRequest> requests;
  for (const std::string& key : keys) requests.push_back({key, request.of.want_values, true});
  auto records = co_await get_many(at_primaries(context), requests);
  std::vector<std::string> stale;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    // What is no record any more is an error to read.
    if (!records[i] && records[i].error().code != Errc::internal) co_return fail(std::move(records[i].error()));
    if (!records[i] || !*records[i] || !carries(**records[i], request)) {
      stale.push_back(std::move(keys[i]));
      continue;
    }
    if (!request.of.want_fields) (*records[i])->fields = {};
    page.items.push_back({std::move(keys[i]), std::move(**records[i])});
  }
  if (!stale.empty()) co_await forget(context, request, std::move(stale));
  co_return Status();
}

// Only saves time: a look-up passes over what is still there.
Task<void> RedisStore::forget(CallContext context, state::FindRequest request, std::vector<std::string> keys) {
  const ServerRef server = router_->primary_of(0);
  if (server == nullptr) co_return;
  std::string command;
  append_forget(command, request.name, request.value, keys);
  (void)co_await server->call(Work::bulk, command, 1, deadline_of(context));
}

}  // namespace holdfast::stores::redis
