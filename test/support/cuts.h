// The connection of a store to its server is lost at every byte of every kind of call, each way, and the server is
// asked what it holds then.
//
// In CI every few bytes, beginning elsewhere each time; with HOLDFAST_SOAK_SECONDS of a minute or
// more every byte, of less so much fewer.
#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "support/load.h"
#include "support/tcp_gate.h"

namespace holdfast::test {

// Of the records that calls touch: two that are there, and one that is not.
inline constexpr std::string_view kFirst = "cut/{1}/first", kSecond = "cut/{1}/second", kAbsent = "cut/{1}/absent";
inline constexpr std::string_view kOld = "old", kNew = "new";

// One kind of call.
struct CutCall {
  std::string_view name;
  std::function<Status(Stores&)> make;
  std::string_view after;  // what look() finds when it was applied; that of `before` for one that only reads
  bool is_first = false;   // that connections have seen: prepare() makes them forget the others
};

template <class T>
Status status_of(Result<T> result) {
  if (!result) return fail(std::move(result.error()));
  return {};
}

inline Status read_wrong(std::string_view what) {
  return fail(Errc::internal, "read something else: " + std::string(what));
}

inline Status get_one(Stores& stores) {
  const auto got = stores.get(kFirst);
  if (!got) return fail(got.error());
  return *got && (**got).value == kOld ? Status() : read_wrong(*got ? (**got).value : "nothing");
}

inline Status get_several(Stores& stores) {
  const std::array<state::GetRequest, 2> requests{{{.key = kFirst}, {.key = kSecond}}};
  for (const auto& one : stores.ask([&](state::StateStore& store) { return store.get_many({}, requests); })) {
    if (!one) return fail(one.error());
    if (!*one || (**one).value != kOld) return read_wrong(*one ? (**one).value : "nothing");
  }
  return {};
}

inline Status list_all(Stores& stores) {
  state::ListRequest request;
  request.prefix = "cut/";
  request.want_values = true;
  const auto page = stores.ask([&](state::StateStore& store) { return store.list({}, request); });
  if (!page) return fail(page.error());
  return page->items.size() == 2 ? Status() : read_wrong(std::to_string(page->items.size()) + " keys");
}

inline Status set_first(Stores& stores, state::Precondition when = {}) {
  return status_of(stores.set(save(kFirst, kNew, when)));
}

inline Status set_absent(Stores& stores) {
  return status_of(stores.set(save(kAbsent, kNew, state::Precondition::absent())));
}

inline Status erase_first(Stores& stores, state::Precondition when = {}) {
  return status_of(
      stores.ask([&](state::StateStore& store) { return store.erase({}, {.key = kFirst, .when = when}); }));
}

// Saves one, deletes the other and makes the third.
inline Status change_all(Stores& stores, state::Precondition when = {}) {
  const std::array<state::Operation, 3> operations{save(kFirst, kNew, when), state::DeleteRequest{kSecond, when},
                                                   save(kAbsent, kNew)};
  return status_of(stores.ask([&](state::StateStore& store) { return store.transact({}, operations); }));
}

// A store that knows its server by the gate, and the server.
class Cutter {
 public:
  // `before` is what look() finds after prepare().
  Cutter(TcpGate& gate, Stores& stores, std::string_view before) : gate_(gate), stores_(stores), before_(before) {}
  virtual ~Cutter() = default;
  Cutter(const Cutter&) = delete;
  Cutter& operator=(const Cutter&) = delete;

  // Fails the test where a call is told wrongly.
  void cut_everywhere(const std::vector<CutCall>& calls, std::uint64_t stride_in_ci) {
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(load_time(Milliseconds(0))).count();
    const std::uint64_t stride =
        is_soak() ? static_cast<std::uint64_t>(std::max<std::int64_t>(60 / std::max<std::int64_t>(seconds, 1), 1))
                  : stride_in_ci;
    const std::uint64_t first = random_u64() % stride;
    std::size_t steps = 0;
    for (const CutCall& call : calls)
      for (const Way way : {Way::to_server, Way::to_client}) {
        const std::uint64_t most = bytes_of(call, way);
        ASSERT_GT(most, 0) << call.name;
        const std::size_t cuts = gate_.cuts();
        const std::size_t begun = steps;
        for (std::uint64_t bytes = first; bytes < most; bytes += stride, ++steps) cut_at(call, way, bytes);
        // What passes by itself may use up a few.
        EXPECT_GE(2 * (gate_.cuts() - cuts), steps - begun) << call.name;
        if (testing::Test::HasFailure()) FAIL() << "first byte " << first << ", stride " << stride;
      }
    std::string told;
    for (const auto& [outcome, count] : outcomes_) told += ", " + std::to_string(count) + " " + outcome;
    std::cout << steps << " cuts from byte " << first << " on, every " << stride << told
              << "; slowest call that was cut " << text(slowest_call_) << ", slowest answer after one "
              << text(slowest_answer_) << "\n";
    EXPECT_LT(slowest_answer_, std::chrono::seconds(5));
  }

 protected:
  // At the server, not through the gate: the records as they are before each call.
  virtual void prepare(const CutCall& call) = 0;
  virtual std::string look() = 0;
  // After a cut: waits until what the server had received has been done.
  virtual void settle() = 0;

 private:
  static std::string text(std::chrono::nanoseconds time) {
    return std::to_string(std::chrono::duration_cast<Milliseconds>(time).count()) + " ms";
  }
  static SteadyTime now() { return std::chrono::steady_clock::now(); }

  // Every connection that the call needs is there again, which has to be soon.
  void recover(const CutCall& call) {
    const auto began = now();
    require_eventually(std::string(call.name) + " to work again", [&] {
      prepare(call);
      return call.make(stores_).has_value();
    });
    slowest_answer_ = std::max(slowest_answer_, now() - began);
  }

  // How many bytes the call passes that way, once everything it needs is there. The least of some: something else may
  // pass at the same time.
  std::uint64_t bytes_of(const CutCall& call, Way way) {
    recover(call);
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    for (int i = 0; i < 3; ++i) {
      prepare(call);
      const std::uint64_t before = gate_.passed(way);
      if (Status made = call.make(stores_); !made) ADD_FAILURE() << call.name << ": " << made.error().message;
      EXPECT_EQ(look(), call.after) << call.name;
      least = std::min(least, gate_.passed(way) - before);
    }
    return least;
  }

  void cut_at(const CutCall& call, Way way, std::uint64_t bytes) {
    prepare(call);
    const std::size_t cuts = gate_.cuts();
    gate_.cut_after(way, bytes);
    const auto began = now();
    const Status made = call.make(stores_);
    slowest_call_ = std::max(slowest_call_, now() - began);
    gate_.spare();
    if (gate_.cuts() > cuts) settle();
    const std::string found = look();
    ++outcomes_[made ? "applied" : std::string(name_of(made.error().code))];
    const std::string where =
        std::string(call.name) + ", cut after " + std::to_string(bytes) + " bytes " +
        (way == Way::to_server ? "to the server" : "to the client") + ", answered " +
        (made ? "success" : std::string(name_of(made.error().code)) + ": " + made.error().message);
    EXPECT_LT(now() - began, kLongestCall) << where;
    if (made) {
      EXPECT_EQ(found, call.after) << where;
    } else if (made.error().code == Errc::outcome_unknown || made.error().code == Errc::replication_shortfall) {
      EXPECT_NE(call.after, before_) << "a reading knows its outcome: " << where;
      EXPECT_TRUE(found == before_ || found == call.after) << found << ": " << where;
    } else {
      EXPECT_EQ(made.error().code, Errc::unavailable) << where;
      EXPECT_EQ(found, before_) << where;
    }
    recover(call);
  }

  // A cut is told at once; much less than any timeout, and enough for a busy machine.
  static constexpr std::chrono::seconds kLongestCall{5};

  TcpGate& gate_;
  Stores& stores_;
  const std::string before_;
  std::map<std::string, int> outcomes_;
  std::chrono::nanoseconds slowest_call_{}, slowest_answer_{};
};

}  // namespace holdfast::test
