#include "stores/memory/entry_index.h"

namespace holdfast::stores::memory {

std::string EntryIndex::text_of(std::string_view name, std::string_view value) {
  std::string text = std::to_string(name.size());
  text += ':';
  text += name;
  text += value;
  return text;
}

void EntryIndex::remove(Entry* entry) {
  if (!entry->extra) return;
  for (const auto& [name, value] : entry->extra->indexes) {
    const auto at = sets_.find(text_of(name, value));
    if (at == sets_.end()) continue;
    at->second.erase(entry);
    if (at->second.empty()) sets_.erase(at);
  }
}

void EntryIndex::add(Entry* entry) {
  if (!entry->extra) return;
  for (const auto& [name, value] : entry->extra->indexes) sets_[text_of(name, value)].insert(entry);
}

const EntrySet* EntryIndex::find(const std::string& text) const {
  const auto at = sets_.find(text);
  return at == sets_.end() ? nullptr : &at->second;
}

}  // namespace holdfast::stores::memory
