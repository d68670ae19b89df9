// Workers that go on while a server is killed, stopped and brought back, and how a store behaves meanwhile: calls end
// at once and say why, and it answers again soon after the server does.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <future>
#include <initializer_list>
#include <iostream>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/workers.h"

namespace holdfast::test {

inline constexpr Milliseconds kSoon{1000};            // the aim, which is printed
inline constexpr Milliseconds kAtLatest{10'000};      // else the test fails
inline constexpr std::uint64_t kWritesBetween = 200;  // acknowledged, between two faults

inline std::int64_t ms(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<Milliseconds>(time).count();
}

// When something works again, looked for on a thread of its own.
class FirstSuccess {
 public:
  explicit FirstSuccess(std::function<bool()> works) {
    when_ = std::async(std::launch::async, [works = std::move(works)] {
      require_eventually("an answer", works);
      return std::chrono::steady_clock::now();
    });
  }
  SteadyTime when() { return when_.get(); }

 private:
  std::future<SteadyTime> when_;
};

// Registers and counters, written by workers on two loops.
class Load {
 public:
  Load(std::shared_ptr<state::StoreCore> core, state::Consistency level, std::vector<std::string> counters,
       std::string probe = "probe", Unknown unknown = Unknown::is_over)
      : stores_(std::move(core), 2),
        context_(at_level(level)),
        counters_(std::move(counters)),
        probe_(std::move(probe)),
        crew_(stores_) {
    for (std::size_t i = 0; i < kRegisters; ++i) registers_.emplace_back("register/" + std::to_string(i), unknown);
    for (const std::string& key : counters_) {
      counts_.emplace_back();
      set("the counter " + key, key, "0");
    }
    for (Register& each : registers_)
      crew_.send(1, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
        return write_register(crew, store, loop, context_, each, written_);
      });
    auto counts = counts_.begin();
    for (const std::string& key : counters_) {
      Outcomes& outcomes = *counts++;
      crew_.send(4, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
        return count_up(crew, store, loop, context_, key, outcomes);
      });
    }
  }

  Stores& stores() { return stores_; }
  Crew& crew() { return crew_; }
  const state::CallContext& context() const { return context_; }

  // Until so many more writes were acknowledged.
  void go_on(std::uint64_t writes = kWritesBetween) {
    const std::uint64_t before = acknowledged();
    require_eventually("more writes", [&] { return acknowledged() >= before + writes; });
  }
  std::uint64_t acknowledged() const {
    return sum([](const Outcomes& each) { return each.applied.load(); });
  }
  std::uint64_t refused() const {
    return sum([](const Outcomes& each) { return each.refused + each.unknown; });
  }
  std::uint64_t unknown() const {
    return sum([](const Outcomes& each) { return each.unknown.load(); });
  }

  void finish_and_check() {
    crew_.finish();
    for (const Register& each : registers_) check_register(stores_, each);
    auto counts = counts_.begin();
    for (const std::string& key : counters_) check_counter(stores_, key, *counts++);
    std::cout << "registers: " << written_.text() << "\n";
    for (const Outcomes& each : counts_) std::cout << "a counter: " << each.text() << "\n";
  }

  // A try of one write, as a caller sees it.
  Result<state::Written> try_write() { return stores_.set(save(probe_, "1")); }
  // By each loop.
  bool answers() {
    for (std::size_t i = 0; i < stores_.size(); ++i)
      if (!stores_.ask_on(i, [this](state::StateStore& store) { return store.set({}, save(probe_, "1")); }))
        return false;
    return true;
  }

  // The server has been away for a while: each call ends at once with a message that says who, where and why.
  void expect_quick_refusals(std::initializer_list<std::string> parts, Milliseconds clear_within = Milliseconds(400)) {
    const auto began = std::chrono::steady_clock::now();
    require_eventually("the loss to be noticed", [&] { return !try_write(); });
    const auto noticed = std::chrono::steady_clock::now();
    // The first of these may still be sent, a moment before the connection is given up.
    require_eventually("a clear refusal", [&] {
      const auto written = try_write();
      return !written && written.error().code == Errc::unavailable;
    });
    const auto clear = std::chrono::steady_clock::now();
    std::cout << "noticed after " << ms(noticed - began) << " ms, clear " << ms(clear - noticed) << " ms later; ";
    EXPECT_LT(clear - noticed, clear_within) << "calls wait although the server is known to be away";
    std::vector<std::int64_t> took;
    Error last;
    for (int i = 0; i < 40; ++i) {
      const auto began = std::chrono::steady_clock::now();
      const auto written = try_write();
      took.push_back(ms(std::chrono::steady_clock::now() - began));
      ASSERT_FALSE(written) << "there is no server";
      last = written.error();
      EXPECT_EQ(last.code, Errc::unavailable) << last.message;
    }
    std::ranges::sort(took);
    std::cout << "refused within " << took[took.size() / 2] << " ms, at most " << took.back() << " ms: " << last.message
              << "\n";
    EXPECT_LT(took[took.size() * 9 / 10], 100);
    EXPECT_LT(took.back(), 1000);
    for (const std::string& part : parts)
      EXPECT_NE(last.message.find(part), std::string::npos) << part << ": " << last.message;
    EXPECT_NE(last.message.find(": "), std::string::npos) << last.message;
  }

  // `mend` brings the servers back; prints how much later than `bare` the store answers.
  void expect_soon_after(const std::string& what, const std::function<bool()>& bare,
                         const std::function<void()>& mend) {
    FirstSuccess theirs(bare);
    FirstSuccess ours([this] { return answers(); });
    mend();
    const auto late = std::chrono::duration_cast<Milliseconds>(ours.when() - theirs.when());
    std::cout << what << ": the store answered " << late.count() << " ms after a bare client\n";
    EXPECT_LT(late, kAtLatest);
    if (late > kSoon) std::cout << "  that is more than the " << kSoon.count() << " ms we aim at\n";
  }

 private:
  static constexpr std::size_t kRegisters = 8;

  void set(const std::string& what, const std::string& key, const std::string& value) {
    const auto written = stores_.set(save(key, value), context_);
    if (!written) throw std::runtime_error(what + ": " + written.error().message);
  }
  template <class Of>
  std::uint64_t sum(Of of) const {
    std::uint64_t sum = of(written_);
    for (const Outcomes& each : counts_) sum += of(each);
    return sum;
  }

  Stores stores_;
  const state::CallContext context_;
  const std::vector<std::string> counters_;
  const std::string probe_;
  std::deque<Register> registers_;
  Outcomes written_;
  std::list<Outcomes> counts_;
  Crew crew_;
};

// Rounds of a fault, for as long as the load lasts; at least so many.
template <class Round>
void rounds(int at_least, Round round) {
  const SteadyTime end = std::chrono::steady_clock::now() + load_time(Milliseconds(0));
  for (int i = 0; (i < at_least || std::chrono::steady_clock::now() < end) && !testing::Test::HasFailure(); ++i)
    round(i);
}

}  // namespace holdfast::test
