#include "stores/memory/entry_index.h"

#include "state/pairs.h"

namespace holdfast::stores::memory {

void EntryIndex::remove(Entry* entry) {
  if (!entry->extra) return;
  for (const auto& [name, value] : entry->extra->indexes) {
    const auto at = sets_.find(state::entry_text(name, value));
    if (at == sets_.end()) continue;
    at->second.erase(entry);
    if (at->second.empty()) sets_.erase(at);
  }
}

void EntryIndex::add(Entry* entry) {
  if (!entry->extra) return;
  for (const auto& [name, value] : entry->extra->indexes) sets_[state::entry_text(name, value)].insert(entry);
}

const EntrySet* EntryIndex::find(const std::string& text) const {
  const auto at = sets_.find(text);
  return at == sets_.end() ? nullptr : &at->second;
}

}  // namespace holdfast::stores::memory
