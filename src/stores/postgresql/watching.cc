// Watching, by the change log (change_log.h).
#include <fmt/format.h>

#include "stores/postgresql/store.h"

namespace holdfast::stores::postgresql {

using state::CallContext;
using state::FeedEvents;

namespace {
constexpr std::size_t kMissedMax = 8192;
}

void PostgresqlStore::end_watches() {
  if (listener_ != nullptr) std::exchange(listener_, nullptr)->close();
}

Task<void> PostgresqlStore::catch_up() {
  Arrival<bool> arrival;
  core_.change_log()->catch_up([this, &arrival] { loop_.post([&arrival] { arrival.set(true); }); });
  co_await arrival;
}

// In place once the feed has all that was committed before; a token that the ring cannot continue, the log may.
Task<Result<std::unique_ptr<state::Watcher>>> PostgresqlStore::watch(CallContext context, state::WatchRequest request) {
  ChangeLog* const log = core_.change_log();
  if (log == nullptr)
    co_return fail(Errc::unsupported,
                   fmt::format("{} logs no changes, so that there is nothing to watch; set its field watch to log",
                               pool_.place().text()));
  co_await catch_up();
  if (listener_ == nullptr) co_return fail(Errc::unavailable, "the store was closed meanwhile");
  auto watcher = listener_->watch(request, [] {});
  const auto from = log->feed().parse_token(request.resume);
  if (!watcher->is_lost() || !from || *from > watcher->begin()) co_return std::move(watcher);
  auto missed = co_await missed_changes(context, *from, watcher->begin());
  if (!missed) co_return fail(std::move(missed.error()));
  if (*missed) watcher->continue_with(std::move(**missed));
  co_return std::move(watcher);
}

// Nothing when some of them are gone, or are very many.
Task<Result<std::optional<FeedEvents>>> PostgresqlStore::missed_changes(CallContext context, std::uint64_t from,
                                                                        std::uint64_t to) {
  context.consistency = state::Consistency::unspecified;
  if (from == to) co_return std::optional<FeedEvents>(std::in_place);
  const std::string bounds[]{std::to_string(from), std::to_string(to), std::to_string(kMissedMax + 1)};
  Execution read{&statements_.of(read_changes_sql(settings_)), {}};
  for (const std::string& bound : bounds) read.values.text(bound);
  auto rows = co_await ask(context, {&read, 1}, Kind::reading, "read the change log of");
  if (!rows) co_return fail(std::move(rows.error()));
  const std::vector<Change> changes = read_changes(rows->front());
  if (!has_all_after(rows->front(), from) || changes.size() > kMissedMax) co_return std::optional<FeedEvents>();
  std::vector<state::GetRequest> requests;
  for (const std::string_view key : state::keys_put(changes))
    requests.push_back({.key = key, .want_value = true, .want_fields = true});
  auto found = co_await get_many(context, requests);
  state::RecordsByKey records;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!found[i]) co_return fail(std::move(found[i].error()));
    if (*found[i]) records.emplace(requests[i].key, std::move(**found[i]));
  }
  co_return std::optional<FeedEvents>(state::events_of(changes, records, true));
}

}  // namespace holdfast::stores::postgresql
