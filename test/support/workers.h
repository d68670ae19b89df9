// What workers do to a store while servers come and go, and what has to be true of it afterwards.
#pragma once

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "support/load.h"

namespace holdfast::test {

// What becomes of a write whose outcome is unknown: it was done or never will be, or it may also be done later, over
// newer ones, when servers find each other again that passed it on.
enum class Unknown : std::uint8_t { is_over, may_come_late };

// A number that only one worker writes, each value once.
struct Register {
  std::string key;
  Unknown fate = Unknown::is_over;
  std::uint64_t last = 0;                // tried
  std::uint64_t acknowledged = 0;        // the newest that was
  std::set<std::uint64_t> unknown = {};  // those that it may hold as well
  std::atomic<std::uint64_t> acknowledgements = 0, unknowns = 0;
};

inline Task<void> write_register(Crew& crew, state::StateStore& store, Scheduler& loop, state::CallContext context,
                                 Register& mine, Outcomes& outcomes) {
  while (!crew.is_over()) {
    const std::string value = std::to_string(++mine.last);
    const auto written = co_await store.set(context, save(mine.key, value));
    outcomes.count(written ? nullptr : &written.error());
    if (written) {
      mine.acknowledged = mine.last;
      if (mine.fate == Unknown::is_over) mine.unknown.clear();
      ++mine.acknowledgements;
    } else if (written.error().code == Errc::outcome_unknown || written.error().code == Errc::replication_shortfall) {
      mine.unknown.insert(mine.last);
      ++mine.unknowns;
    }
    co_await breathe(loop, !written);
  }
}

// The newest acknowledged value or one whose outcome is open; nothing that was told to have failed.
inline void check_register(Stores& stores, const Register& wrote) {
  if (wrote.acknowledgements == 0) return;
  const std::uint64_t found = std::stoull(stores.value(wrote.key));
  EXPECT_TRUE(found == wrote.acknowledged || wrote.unknown.contains(found))
      << wrote.key << " holds " << found << "; acknowledged was " << wrote.acknowledged << ", " << wrote.unknown.size()
      << " others are open";
}

// Adds one to a number by its etag, again and again.
inline Task<void> count_up(Crew& crew, state::StateStore& store, Scheduler& loop, state::CallContext context,
                           std::string key, Outcomes& outcomes) {
  while (!crew.is_over()) {
    const auto found = co_await store.get({}, {.key = key});
    if (!found || !*found) {
      outcomes.count(found ? nullptr : &found.error());
      if (found) ADD_FAILURE() << "the counter " << key << " is gone";
      co_await breathe(loop, true);
      continue;
    }
    const std::string next = std::to_string(std::stoull((**found).value) + 1);
    const std::string_view etags[] = {(**found).etag};
    const auto written = co_await store.set(context, save(key, next, state::Precondition::one_of(etags)));
    outcomes.count(written ? nullptr : &written.error());
    co_await breathe(loop, !written && written.error().code != Errc::precondition_failed);
  }
}

// Saves, or deletes by its etag, once.
inline Task<void> write_first(state::StateStore& store, Scheduler& loop, std::string key, std::string value,
                              Outcomes& outcomes) {
  co_await resume_on(loop);
  const auto written = co_await store.set({}, save(key, value, state::Precondition::absent()));
  outcomes.count(written ? nullptr : &written.error());
}

inline Task<void> erase_once(state::StateStore& store, Scheduler& loop, std::string key, std::string etag,
                             Outcomes& outcomes) {
  co_await resume_on(loop);
  const std::string_view etags[] = {etag};
  const auto erased = co_await store.erase({}, {.key = key, .when = state::Precondition::one_of(etags)});
  outcomes.count(erased ? nullptr : &erased.error());
}

// Every acknowledged step was taken, none twice, and none that was told to have failed.
inline void check_counter(Stores& stores, const std::string& key, const Outcomes& outcomes) {
  const std::uint64_t found = std::stoull(stores.value(key));
  EXPECT_GE(found, outcomes.applied) << key << ": acknowledged writes were lost (" << outcomes.text() << ")";
  EXPECT_LE(found, outcomes.applied + outcomes.unknown)
      << key << ": writes were applied twice, or after they had failed (" << outcomes.text() << ")";
}

// Accounts whose sum does not change.
struct Bank {
  static constexpr std::uint64_t kEach = 1000;
  std::vector<std::string> accounts;

  explicit Bank(const std::string& name, std::size_t count = 16) {
    for (std::size_t i = 0; i < count; ++i) accounts.push_back("bank/{" + name + "}/" + std::to_string(i));
  }
  void open(Stores& stores, state::CallContext context = {}) const {
    for (const std::string& account : accounts) {
      const auto written = stores.set(save(account, std::to_string(kEach)), context);
      if (!written) throw std::runtime_error(written.error().message);
    }
  }
  void check(Stores& stores) const {
    std::uint64_t total = 0;
    for (const std::string& account : accounts) total += std::stoull(stores.value(account));
    EXPECT_EQ(total, kEach * accounts.size()) << "money was made or lost";
  }
};

// Moves one from an account to another, by a transaction with both etags.
inline Task<void> move_money(Crew& crew, state::StateStore& store, Scheduler& loop, state::CallContext context,
                             const Bank& bank, Outcomes& outcomes) {
  while (!crew.is_over()) {
    const std::size_t one = random_u64() % bank.accounts.size();
    const std::size_t other = (one + 1 + random_u64() % (bank.accounts.size() - 1)) % bank.accounts.size();
    const std::string &from = bank.accounts[one], &to = bank.accounts[other];
    const state::GetRequest wanted[] = {{.key = from}, {.key = to}};
    const auto found = co_await store.get_many({}, wanted);
    const auto missing = std::ranges::find_if(found, [](const auto& each) { return !each || !*each; });
    if (missing != found.end()) {
      if (!*missing) outcomes.count(&missing->error());
      if (*missing) ADD_FAILURE() << "an account is gone";
      co_await breathe(loop, true);
      continue;
    }
    const state::Record &source = **found[0], &target = **found[1];
    const std::string less = std::to_string(std::stoll(source.value) - 1);
    const std::string more = std::to_string(std::stoll(target.value) + 1);
    const std::string_view source_etag[] = {source.etag}, target_etag[] = {target.etag};
    const state::Operation operations[] = {save(from, less, state::Precondition::one_of(source_etag)),
                                           save(to, more, state::Precondition::one_of(target_etag))};
    const auto moved =
        source.value == "0" ? Result<std::vector<state::Written>>() : co_await store.transact(context, operations);
    outcomes.count(moved ? nullptr : &moved.error());
    co_await breathe(loop, !moved && moved.error().code != Errc::precondition_failed);
  }
}

}  // namespace holdfast::test
