#include "stores/memory/entry.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "base/hash.h"

namespace holdfast::stores::memory {
namespace {

TEST(Table, FindsWhatWasInsertedAndNothingElseWhileItGrowsAndShrinks) {
  Table table;
  for (int i = 0; i < 5000; ++i) {
    auto entry = std::make_unique<Entry>();
    entry->key = "key" + std::to_string(i);
    entry->hash = hash_of(entry->key);
    table.insert(std::move(entry));
  }
  for (int i = 0; i < 5000; i += 2) {
    const std::string key = "key" + std::to_string(i);
    Entry* entry = table.find(key, hash_of(key));
    ASSERT_NE(entry, nullptr);
    table.remove(entry);
  }
  EXPECT_EQ(table.size(), 2500u);
  for (int i = 0; i < 5000; ++i) {
    const std::string key = "key" + std::to_string(i);
    EXPECT_EQ(table.find(key, hash_of(key)) != nullptr, i % 2 == 1) << key;
  }
}

TEST(Table, EntriesThatShareAHashAreToldApartByTheirKeys) {
  Table table;
  for (const char* key : {"a", "b", "c"}) {
    auto entry = std::make_unique<Entry>();
    entry->key = key;
    entry->hash = 7;
    table.insert(std::move(entry));
  }
  table.remove(table.find("b", 7));
  EXPECT_NE(table.find("a", 7), nullptr);
  EXPECT_EQ(table.find("b", 7), nullptr);
  EXPECT_NE(table.find("c", 7), nullptr);
}

TEST(ExpiryHeap, AlwaysKnowsTheEarliestWhileTimesMoveAndEntriesLeave) {
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Entry>> entries;
  for (int i = 0; i < 200; ++i) entries.push_back(std::make_unique<Entry>());
  std::map<Entry*, std::int64_t> expected;
  ExpiryHeap heap;
  for (int round = 0; round < 5000; ++round) {
    Entry* entry = entries[random() % entries.size()].get();
    if (random() % 3 == 0) {
      entry->expires_us = kNeverExpires;
      expected.erase(entry);
    } else {
      entry->expires_us = static_cast<std::int64_t>(random() % 1000);
      expected[entry] = entry->expires_us;
    }
    heap.update(entry);
    std::int64_t earliest = kNeverExpires;
    for (const auto& [one, time] : expected) earliest = std::min(earliest, time);
    ASSERT_EQ(heap.first_us(), earliest);
  }
}

}  // namespace
}  // namespace holdfast::stores::memory
