// A watch as the caller sees it: events with user keys, of what the caller reaches, until the store goes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "service/store_table.h"
#include "state/store.h"

namespace holdfast::service {

// What to watch, as the caller says it.
struct WatchWhat {
  std::string_view prefix = {};                        // empty: everything the caller reaches
  std::optional<std::string_view> key = std::nullopt;  // in its place: this key alone
  std::string_view resume = {};
  bool want_values = false;
};

// One loop's. Holds its entry, so that the store outlives it.
class Watch final : public StoreUser {
 public:
  // `own_bytes` of each key were put there by key mapping.
  Watch(StoreRef entry, std::unique_ptr<state::Watcher> watcher, std::size_t own_bytes);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() override;

  // As of state::Watcher. Nothing also when the store is replaced or removed.
  Task<bool> wait() { return watcher_->wait(); }
  bool take(state::WatchEvent& event);
  void cancel() { watcher_->cancel(); }
  StoreEntry& entry() { return *entry_; }

  void store_goes() override { cancel(); }

 private:
  StoreRef entry_;
  std::unique_ptr<state::Watcher> watcher_;
  const std::size_t own_bytes_;
};

}  // namespace holdfast::service
