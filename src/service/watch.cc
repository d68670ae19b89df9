#include "service/watch.h"

#include <fmt/format.h>

#include "service/service.h"

namespace holdfast::service {

using namespace state;

Watch::Watch(StoreRef entry, std::unique_ptr<Watcher> watcher, std::size_t own_bytes)
    : entry_(std::move(entry)), watcher_(std::move(watcher)), own_bytes_(own_bytes) {
  entry_->users.push_back(this);
}

Watch::~Watch() {
  std::erase(entry_->users, this);
  watcher_.reset();
}

bool Watch::take(WatchEvent& event) {
  if (!watcher_->take(event)) return false;
  if (own_bytes_ > 0) event.key.erase(0, own_bytes_);
  return true;
}

Task<Result<std::unique_ptr<Watch>>> Service::watch(StoreRef entry, CallContext context, WatchWhat what) {
  const auto scope =
      Scope::enter(*entry, context, what.want_values ? Rights{Right::get, Right::watch} : Rights{Right::watch});
  if (!scope) co_return fail(scope.error());
  Result<std::string_view> reach = what.key.value_or(std::string_view());
  if (what.key) {
    if (auto ok = scope->check_key(*what.key); !ok) co_return fail(ok.error());
  } else {
    reach = scope->reach(what.prefix);
  }
  if (!reach) co_return fail(reach.error());
  const std::string stored = scope->stored_key(*reach);
  WatchRequest request;
  request.prefix = stored;
  request.own_bytes = scope->own_bytes();
  request.resume = what.resume;
  request.exact = what.key.has_value();
  request.want_values = what.want_values;
  request.hides_isolated = scope->hides_isolated();
  auto watcher = co_await entry->store->watch(context, request);
  if (!watcher) co_return fail(scope->in_callers_words(std::move(watcher.error())));
  if (stores_.find(entry->name) != entry)
    co_return fail(Errc::unavailable, fmt::format("state store {} was replaced meanwhile; watch again", entry->name));
  co_return std::make_unique<Watch>(std::move(entry), std::move(*watcher), request.own_bytes);
}

}  // namespace holdfast::service
