// Stores on loops of their own and workers on them, for tests that break servers meanwhile.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/scheduler.h"
#include "net/loop_thread.h"
#include "net/on_loop.h"
#include "state/store.h"
#include "support/eventually.h"
#include "support/soak.h"

namespace holdfast::test {

// A write that owns nothing: `key`, `value` and `when` live until it was answered.
inline state::SetRequest save(std::string_view key, std::string_view value, state::Precondition when = {}) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.when = when;
  return request;
}

inline state::CallContext at_level(state::Consistency level) {
  state::CallContext context;
  context.consistency = level;
  return context;
}

// One component with a handle on each of some loops, as a sidecar has it.
class Stores {
 public:
  explicit Stores(std::shared_ptr<state::StoreCore> core, std::size_t loops = 1) : core_(std::move(core)) {
    using Opened = Result<std::unique_ptr<state::StateStore>>;
    for (std::size_t i = 0; i < loops; ++i) {
      net::Loop& loop = threads_.emplace_back().loop();
      auto opened = net::on_loop<Opened>(loop, kLimit, [this, &loop] { return core_->open(loop); });
      if (!opened || !*opened) throw std::runtime_error(opened ? opened->error().message : "the store does not open");
      stores_.push_back(std::move(**opened));
    }
  }
  ~Stores() {
    for (std::size_t i = 0; i < stores_.size(); ++i) {
      state::CallContext soon;
      soon.deadline = std::chrono::steady_clock::now() + Milliseconds(1000);
      (void)net::on_loop<Status>(loop(i), kLimit, [this, i, soon] { return stores_[i]->close(soon); });
      std::promise<void> gone;
      loop(i).post([this, i, &gone] {
        stores_[i].reset();
        gone.set_value();
      });
      gone.get_future().wait();
    }
  }
  Stores(const Stores&) = delete;
  Stores& operator=(const Stores&) = delete;

  std::size_t size() const { return stores_.size(); }
  net::Loop& loop(std::size_t i) { return threads_[i].loop(); }
  state::StateStore& on(std::size_t i) { return *stores_[i]; }

  // What `call(store)` yields, which is a task of the first loop's store. Throws when that takes a minute.
  template <class Call>
  auto ask(Call call) {
    return ask_on(0, std::move(call));
  }
  template <class Call>
  auto ask_on(std::size_t i, Call call) {
    using Answer = typename decltype(call(on(i)))::value_type;
    auto answer = net::on_loop<Answer>(loop(i), kLimit, [this, i, &call] { return call(on(i)); });
    if (!answer) throw std::runtime_error("a call of the store was not answered within a minute");
    return std::move(*answer);
  }
  Result<state::Written> set(state::SetRequest request, state::CallContext context = {}) {
    return ask([=](state::StateStore& store) { return store.set(context, request); });
  }
  Result<std::optional<state::Record>> get(std::string_view key) {
    return ask([=](state::StateStore& store) { return store.get({}, {.key = key}); });
  }
  // The value once the store can say it.
  std::string value(std::string_view key) {
    std::string value;
    require_eventually("a reading of " + std::string(key), [&] {
      auto got = get(key);
      if (!got || !*got) return false;
      value = std::move((**got).value);
      return true;
    });
    return value;
  }

 private:
  static constexpr Milliseconds kLimit{60'000};
  const std::shared_ptr<state::StoreCore> core_;
  std::deque<net::LoopThread> threads_;
  std::vector<std::unique_ptr<state::StateStore>> stores_;
};

// Coroutines that work until they are told to stop, spread over the loops of a Stores.
class Crew {
 public:
  // A worker looks at is_over() between two pieces of work. A function, or a lambda that is no coroutine.
  using Work = std::function<Task<void>(Crew&, state::StateStore&, Scheduler&)>;

  explicit Crew(Stores& stores) : stores_(stores) {}
  ~Crew() { finish(); }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void send(std::size_t workers, const Work& work) {
    for (std::size_t i = 0; i < workers; ++i) {
      const std::size_t at = sent_++ % stores_.size();
      ++working_;
      stores_.loop(at).post([this, at, work] {
        ::holdfast::start(work(*this, stores_.on(at), stores_.loop(at)), [this] { --working_; });
      });
    }
  }
  bool is_over() const { return over_; }
  void finish() {
    over_ = true;
    wait();
  }
  // For workers that end by themselves.
  void wait() {
    require_eventually("the end of all workers", [this] { return working_ == 0; });
  }

 private:
  Stores& stores_;
  std::atomic<bool> over_ = false;
  std::atomic<std::size_t> working_ = 0;
  std::size_t sent_ = 0;  // of the test's thread
};

// What became of writes.
struct Outcomes {
  std::atomic<std::uint64_t> applied = 0, conflicts = 0, unknown = 0, refused = 0;

  // Counts one; anything but what faults may cause fails the test.
  void count(const Error* error) {
    if (error == nullptr) {
      ++applied;
      return;
    }
    switch (error->code) {
      case Errc::precondition_failed:
        ++conflicts;
        return;
      case Errc::outcome_unknown:
      case Errc::replication_shortfall:
        ++unknown;
        return;
      case Errc::unavailable:
      case Errc::deadline_exceeded:
      case Errc::overloaded:
        ++refused;
        return;
      default:
        ADD_FAILURE() << name_of(error->code) << ": " << error->message << " [" << error->backend_message << "]";
    }
  }
  std::string text() const {
    return std::to_string(applied) + " applied, " + std::to_string(conflicts) + " conflicts, " +
           std::to_string(unknown) + " unknown, " + std::to_string(refused) + " refused";
  }
};

// A caller who was refused comes back a moment later, as callers do; the others go on.
inline Task<void> breathe(Scheduler& loop, bool was_refused) {
  if (was_refused) co_await sleep_for(loop, Milliseconds(5));
  co_await resume_on(loop);
}

}  // namespace holdfast::test
