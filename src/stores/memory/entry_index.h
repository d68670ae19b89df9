// Which records carry which index entry. Belongs to a shard and is touched only under its lock.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "stores/memory/entry.h"

namespace holdfast::stores::memory {

struct KeyOrder {
  using is_transparent = void;
  bool operator()(const Entry* a, const Entry* b) const { return a->key < b->key; }
  bool operator()(const Entry* a, std::string_view b) const { return a->key < b; }
  bool operator()(std::string_view a, const Entry* b) const { return a < b->key; }
};
using EntrySet = std::set<Entry*, KeyOrder>;

class EntryIndex {
 public:
  // Around every change of an entry's index entries: what it has goes out, what it has then comes in.
  void remove(Entry* entry);
  void add(Entry* entry);
  // Null where no record carries it. Expired ones are in it until they are removed.
  const EntrySet* find(const std::string& text) const;  // state::entry_text()

 private:
  std::unordered_map<std::string, EntrySet> sets_;
};

}  // namespace holdfast::stores::memory
