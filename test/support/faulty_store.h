// A store that hands calls to another, except that the next ones fail, are delayed, or lose their
// answer as a test's script says. Keeps a record of what was asked of it.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/scheduler.h"
#include "state/layers/forwarding.h"

namespace holdfast::test {

// What happens to one call.
struct Fault {
  std::optional<Error> error;      // the answer instead of the store's
  bool after = false;              // the store does its part first: a lost answer
  Milliseconds delay{0};           // passes before anything happens
  std::vector<std::size_t> items;  // of a bulk call; empty: all of them

  static Fault none() { return {}; }
  static Fault fails(Errc code, std::string message = "scripted") {
    Fault fault;
    fault.error = Error(code, std::move(message));
    return fault;
  }
  static Fault fails_items(Errc code, std::vector<std::size_t> items) {
    Fault fault = fails(code);
    fault.items = std::move(items);
    return fault;
  }
  static Fault loses_answer() {
    Fault fault = fails(Errc::outcome_unknown);
    fault.after = true;
    return fault;
  }
  static Fault takes(Milliseconds delay) {
    Fault fault;
    fault.delay = delay;
    return fault;
  }
};

class FaultyStore final : public state::AroundStore<FaultyStore> {
 public:
  struct Call {
    state::OperationKind kind;
    SteadyTime deadline;
  };

  FaultyStore(std::unique_ptr<state::StateStore> inner, Scheduler& loop) : AroundStore(std::move(inner)), loop_(loop) {}

  // The next calls meet these, one each; those after them go through.
  void script(std::vector<Fault> faults) { faults_.insert(faults_.end(), faults.begin(), faults.end()); }
  const std::vector<Call>& calls() const { return calls_; }

  template <class T>
  Task<T> run(state::OperationKind kind, state::CallContext context, Task<T> call) {
    calls_.push_back({kind, context.deadline});
    Fault fault;
    if (!faults_.empty()) {
      fault = std::move(faults_.front());
      faults_.pop_front();
    }
    if (fault.delay.count() > 0) co_await sleep_for(loop_, fault.delay);
    if (fault.error && !fault.after && fault.items.empty() && !is_many<T>) co_return failure<T>(fault);
    T result = co_await std::move(call);
    if (fault.error) spoil(result, fault);
    co_return std::move(result);
  }

 private:
  template <class T>
  static constexpr bool is_many = requires(T many) { many.size(); };

  template <class T>
  static T failure(const Fault& fault) {
    if constexpr (is_many<T>) {
      return {};
    } else {
      return fail(*fault.error);
    }
  }
  template <class T>
  static void spoil(Result<T>& result, const Fault& fault) {
    result = fail(*fault.error);
  }
  // Items of a bulk call always reach the store first; what a test scripts is the answer.
  template <class T>
  static void spoil(std::vector<Result<T>>& results, const Fault& fault) {
    for (std::size_t i = 0; i < results.size(); ++i)
      if (fault.items.empty() || std::ranges::count(fault.items, i) > 0) results[i] = fail(*fault.error);
  }

  Scheduler& loop_;
  std::deque<Fault> faults_;
  std::vector<Call> calls_;
};

}  // namespace holdfast::test
