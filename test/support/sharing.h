// What is asked at the same time, and so may go to a server together, is told what it would be told by itself: cases
// for every store that lets requests share transactions.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "support/load.h"

namespace holdfast::test {

inline constexpr std::size_t kSharers = 200;

// key-0, key-1 and so on, which stay.
inline const std::vector<std::string>& sharers_keys() {
  static const std::vector<std::string> kKeys = [] {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < kSharers; ++i) keys.push_back(fmt::format("key-{}", i));
    return keys;
  }();
  return kKeys;
}

// Makes all calls in one turn of the loop. What each one yields, in their order.
template <class Outcome, class Call>
std::vector<Outcome> at_once(Stores& stores, std::size_t count, Call call) {
  std::vector<std::promise<Outcome>> promises(count);
  const auto keep = [](std::promise<Outcome>& promise, Task<Outcome> task) -> Task<void> {
    promise.set_value(co_await std::move(task));
  };
  stores.loop(0).post([&] {
    for (std::size_t i = 0; i < count; ++i) start(keep(promises[i], call(stores.on(0), i)));
  });
  std::vector<Outcome> outcomes;
  for (auto& promise : promises) outcomes.push_back(promise.get_future().get());
  return outcomes;
}

using WrittenAtOnce = Result<state::Written>;
using FoundAtOnce = Result<std::optional<state::Record>>;

// One save of each key.
inline std::vector<WrittenAtOnce> save_at_once(Stores& stores) {
  return at_once<WrittenAtOnce>(stores, kSharers, [](state::StateStore& store, std::size_t i) {
    return store.set({}, save(sharers_keys()[i], sharers_keys()[i]));
  });
}

inline void expect_each_is_its_own(Stores& stores) {
  const auto written = save_at_once(stores);
  // Every other one is asked twice, and as many are not there.
  const auto found = at_once<FoundAtOnce>(stores, 2 * kSharers, [](state::StateStore& store, std::size_t i) {
    const std::string_view one = sharers_keys()[i % 2 == 0 ? i / 2 : i / 4];
    return store.get({}, {.key = i % 4 == 3 ? std::string_view("none") : one});
  });
  for (std::size_t i = 0; i < 2 * kSharers; ++i) {
    ASSERT_TRUE(found[i]) << found[i].error().message;
    if (i % 4 == 3) {
      EXPECT_FALSE(*found[i]);
      continue;
    }
    const std::size_t key = i % 2 == 0 ? i / 2 : i / 4;
    ASSERT_TRUE(written[key]) << written[key].error().message;
    ASSERT_TRUE(*found[i]);
    EXPECT_EQ((*found[i])->value, sharers_keys()[key]);
    EXPECT_EQ((*found[i])->etag, written[key]->etag);
    EXPECT_TRUE(written[key]->created);
  }
}

inline void expect_one_first_writer_of_each(Stores& stores) {
  const auto written = at_once<WrittenAtOnce>(stores, kSharers, [](state::StateStore& store, std::size_t i) {
    return store.set({}, save(i % 2 == 0 ? "a" : "b", "1", state::Precondition::absent()));
  });
  std::size_t done = 0;
  for (const WrittenAtOnce& each : written) {
    if (each)
      ++done;
    else
      EXPECT_EQ(each.error().code, Errc::precondition_failed) << each.error().message;
  }
  EXPECT_EQ(done, 2U);
}

inline void expect_one_of_an_etag(Stores& stores) {
  ASSERT_TRUE(stores.set(save("a", "1")));
  ASSERT_TRUE(stores.set(save("b", "1")));
  const std::array<std::string, 2> etags{(*stores.get("a"))->etag, (*stores.get("b"))->etag};
  const std::array<std::string_view, 2> views{etags[0], etags[1]};
  const auto saved = at_once<WrittenAtOnce>(stores, kSharers, [&](state::StateStore& store, std::size_t) {
    return store.set({}, save("a", "2", state::Precondition::one_of({views.data(), 1})));
  });
  const auto deleted = at_once<Result<state::Deleted>>(stores, kSharers, [&](state::StateStore& store, std::size_t) {
    return store.erase({}, {.key = "b", .when = state::Precondition::one_of({views.data() + 1, 1})});
  });
  EXPECT_EQ(std::ranges::count_if(saved, [](const auto& each) { return each.has_value(); }), 1);
  EXPECT_EQ(std::ranges::count_if(deleted, [](const auto& each) { return each.has_value(); }), 1);
}

// Each is good for the next write and for no other.
inline void expect_etags_of_one_key_differ(Stores& stores) {
  const auto written = at_once<WrittenAtOnce>(stores, kSharers, [](state::StateStore& store, std::size_t i) {
    static constexpr const char* kKeys[] = {"a", "b", "c"};
    return store.set({}, save(kKeys[i % 3], "1"));
  });
  std::vector<std::string> etags;
  for (std::size_t i = 0; i < kSharers; i += 3) {
    ASSERT_TRUE(written[i]) << written[i].error().message;
    etags.push_back(written[i]->etag);
  }
  std::ranges::sort(etags);
  EXPECT_EQ(std::ranges::adjacent_find(etags), etags.end());
}

// Of saves and deletions of the same records: as often as they were made they were deleted, but for those that are
// there.
inline void expect_makings_and_deletions_to_match(Stores& stores) {
  constexpr std::size_t kRecords = 10;
  const auto change =
      at_once<Result<int>>(stores, kSharers, [](state::StateStore& store, std::size_t i) -> Task<Result<int>> {
        const std::string& key = sharers_keys()[i % kRecords];
        if (i / kRecords % 2 == 0) {
          const auto saved = co_await store.set({}, save(key, key));
          if (!saved) co_return fail(saved.error());
          co_return saved->created.value() ? 1 : 0;
        }
        const auto erased = co_await store.erase({}, {.key = key, .when = {}});
        if (!erased) co_return fail(erased.error());
        co_return erased->existed.value() ? -1 : 0;
      });
  std::array<int, kRecords> there{};
  for (std::size_t i = 0; i < kSharers; ++i) {
    ASSERT_TRUE(change[i]) << change[i].error().message;
    there[i % kRecords] += *change[i];
  }
  for (std::size_t i = 0; i < kRecords; ++i)
    EXPECT_EQ(stores.get(sharers_keys()[i]).value().has_value() ? 1 : 0, there[i]) << i;
}

}  // namespace holdfast::test
