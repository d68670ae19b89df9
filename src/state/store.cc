#include "state/store.h"

#include <fmt/format.h>

#include "state/keys.h"

namespace holdfast::state {
namespace {

// Runs `one(i)` for every i at once and waits for all. The loop is one thread, so plain counters do.
template <class R, class One>
Task<std::vector<R>> all_of(std::size_t count, One one) {
  std::vector<std::optional<R>> results(count);
  if (count > 0) {
    Arrival<bool> done;
    std::size_t left = count;
    for (std::size_t i = 0; i < count; ++i) {
      start(one(i), [&results, &left, &done, i](R result) {
        results[i].emplace(std::move(result));
        if (--left == 0) done.set(true);
      });
    }
    co_await done;
  }
  std::vector<R> out;
  out.reserve(count);
  for (auto& result : results) out.push_back(std::move(*result));
  co_return out;
}

}  // namespace

std::unexpected<Error> StateStore::unsupported(std::string_view what) {
  return fail(Errc::unsupported, fmt::format("this store does not support {}", what));
}

Status StateStore::check_going_on(const CallContext& context, SteadyTime now) {
  if (context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller gave up while keys were walked");
  if (now > context.deadline)
    return fail(Errc::deadline_exceeded, "the time was up while keys were walked; ask for smaller pages");
  return {};
}

Task<std::vector<Result<std::optional<Record>>>> StateStore::get_many(CallContext context,
                                                                      std::span<const GetRequest> requests) {
  return all_of<Result<std::optional<Record>>>(
      requests.size(), [this, context, requests](std::size_t i) { return get(context, requests[i]); });
}

Task<std::vector<Result<Written>>> StateStore::set_many(CallContext context,
                                                        std::span<const SetRequest> requests) {
  return all_of<Result<Written>>(
      requests.size(), [this, context, requests](std::size_t i) { return set(context, requests[i]); });
}

Task<std::vector<Result<Deleted>>> StateStore::erase_many(CallContext context,
                                                          std::span<const DeleteRequest> requests) {
  return all_of<Result<Deleted>>(
      requests.size(), [this, context, requests](std::size_t i) { return erase(context, requests[i]); });
}

Task<Result<std::vector<Written>>> StateStore::transact(CallContext, std::span<const Operation>) {
  co_return unsupported("transactions");
}
Task<Result<ListPage>> StateStore::list(CallContext, ListRequest) { co_return unsupported("listing"); }
Task<Result<ListPage>> StateStore::find(CallContext, FindRequest) { co_return unsupported("look-up by index entry"); }
Task<Result<KeyPage>> StateStore::keys_like(CallContext, LikeRequest) {
  co_return unsupported("listing by pattern");
}
Task<Result<std::uint64_t>> StateStore::erase_prefix(CallContext, DeletePrefixRequest) {
  co_return unsupported("deletion by prefix");
}
Task<Result<QueryPage>> StateStore::query(CallContext, const Query&) { co_return unsupported("queries"); }
Task<Result<std::unique_ptr<Watcher>>> StateStore::watch(CallContext, WatchRequest) {
  co_return unsupported("watching");
}

Task<Result<std::uint64_t>> StateStore::erase_with_dapr_prefix(CallContext context, std::string_view prefix) {
  if (!capabilities().delete_prefix) co_return unsupported("deletion by prefix");
  std::string whole(prefix);
  if (!whole.ends_with("||")) whole += "||";
  if (whole == "||") co_return fail(Errc::invalid_argument, "prefix is required");
  co_return co_await erase_prefix(context, DeletePrefixRequest{whole, whole.size()});
}

bool LikeRequest::covers(std::string_view key) const {
  return !own_bytes || is_listable(key, *own_bytes, hides_isolated);
}

std::optional<WatchEvent> Watcher::poll() {
  std::optional<WatchEvent> event(std::in_place);
  if (!take(*event)) event.reset();
  return event;
}

Task<Result<std::optional<WatchEvent>>> Watcher::next() {
  std::optional<WatchEvent> event = poll();
  while (!event && co_await wait()) event = poll();
  co_return event;
}

}  // namespace holdfast::state
