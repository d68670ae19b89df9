#include "service/store_table.h"

#include <algorithm>

#include "base/encoding.h"
#include "state/keys.h"

namespace holdfast::service {

bool StoreEntry::dapr_declares(std::string_view feature) const {
  return std::ranges::find(dapr_features, feature) != dapr_features.end();
}

StoreRef StoreTable::find(std::string_view name) const {
  for (const StoreRef& entry : entries_)
    if (entry->name == name) return entry;
  return nullptr;
}

void StoreEntry::tell_users() {
  while (!users.empty()) {
    StoreUser* const user = users.back();
    users.pop_back();
    user->store_goes();
  }
}

void StoreTable::remove(std::string_view name) {
  const StoreRef old = find(name);
  std::erase(entries_, old);
  if (old) old->tell_users();
}

void StoreTable::put(StoreRef entry) {
  for (StoreRef& old : entries_) {
    if (old->name == entry->name) {
      std::swap(old, entry);
      entry->tell_users();
      return;
    }
  }
  entries_.push_back(std::move(entry));
}

Result<std::string> key_prefix_of(const state::Component& component, std::string_view app_id,
                                  std::string_view name_space) {
  std::string strategy;
  for (const auto& [name, value] : component.properties)
    if (iequals(name, "keyPrefix")) strategy = to_lower(value);
  if (strategy.find(state::kKeySeparator) != std::string::npos)
    return fail(Errc::invalid_argument,
                "failed to save lock keyprefix: input key/keyPrefix '" + strategy + "' can't contain '||'");
  std::string prefix;
  if (strategy.empty() || strategy == "appid") {
    prefix = app_id;
  } else if (strategy == "name") {
    prefix = component.name;
  } else if (strategy == "namespace") {
    prefix = name_space.empty() ? std::string(app_id) : std::string(name_space) + "." + std::string(app_id);
    if (app_id.empty()) prefix.clear();
  } else if (strategy != "none") {
    prefix = strategy;
  }
  if (!prefix.empty()) prefix += state::kKeySeparator;
  return prefix;
}

}  // namespace holdfast::service
