// The components of one loop, by name: each with its stack of layers, its key mapping and what the runtime must
// know about it. One loop's; reload replaces entries while requests run.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/isolation.h"
#include "state/component.h"
#include "state/store.h"

namespace holdfast::service {

// Something that goes on with a store until it is told that the store goes: a watch.
class StoreUser {
 public:
  virtual ~StoreUser() = default;
  // Once, on the loop. May destroy other users of the entry, but not itself.
  virtual void store_goes() = 0;
};

struct StoreEntry {
  std::string name;
  std::string type;
  std::string version;
  std::string key_prefix;  // "app||", or empty
  std::span<const std::string_view> dapr_features;
  bool dapr_hides_empty = false;  // v1: an empty value reads as absent, as in Dapr's store
  bool v1_query = false;          // v1 may query though Dapr's store cannot
  bool trust_created_by = true;   // requests may say who writes
  Isolation isolation = Isolation::off;
  state::Consistency consistency = state::Consistency::unspecified;  // the component's default
  std::unique_ptr<state::StateStore> store;  // null while the store is still being connected
  std::string pending_reason;     // why it is null

  std::vector<StoreUser*> users;  // who has to let go when the entry is replaced or removed

  bool dapr_declares(std::string_view feature) const;
  // The table lets go of it.
  void tell_users();
};

// A request holds one for as long as it uses the entry: what is replaced meanwhile is closed only when the last
// request has let go. Copied and released on the loop only.
using StoreRef = std::shared_ptr<StoreEntry>;

class StoreTable {
 public:
  // Null when there is none of that name.
  StoreRef find(std::string_view name) const;
  bool empty() const { return entries_.empty(); }
  // Replaces the entry of that name, or adds one.
  void put(StoreRef entry);
  void remove(std::string_view name);
  // In the order of loading. Copy it before the first co_await.
  const std::vector<StoreRef>& entries() const { return entries_; }

 private:
  std::vector<StoreRef> entries_;
};

// "keyPrefix" of a component: appid (default), name, namespace, none, or a text of one's own, lower-cased.
// Errc::invalid_argument when it holds "||".
Result<std::string> key_prefix_of(const state::Component& component, std::string_view app_id,
                                  std::string_view name_space);

}  // namespace holdfast::service
