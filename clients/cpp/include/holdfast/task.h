// Coroutines: a call under way, and a coroutine type for programs that have none of their own.
//
// Pending<T> is a call, or a spawned task, that has begun. It can be awaited by any coroutine type that takes any
// awaitable, or waited for as a future is. Several begun one after the other are under way at once:
//
//   auto pen = store.get("stock/pen"), ink = store.get("stock/ink");
//   use(co_await pen, co_await ink);
//
// Threads: where a coroutine goes on is decided by the client's executor. Without one it goes on at once, on the thread
// of the client library that took the answer. There is one such thread in a process: what blocks it, a blocking call or
// Pending::get among them, stops every awaited call. A coroutine that waits must not be destroyed before it goes on.
//
// g++ 12 destroys a temporary aggregate inside a co_await expression twice: with that compiler give call options a name
// first (`PutOptions options{.ttl = 1h}; co_await store.put(key, value, options);`). clang needs no such care.
#pragma once

#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace holdfast::aio {

// Runs what it is given, once, soon, on a thread of its choice; called from any thread. For Asio:
//   [&io](std::function<void()> work) { asio::post(io, std::move(work)); }
using Executor = std::function<void(std::function<void()>)>;

namespace detail {

template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

// A result that is there once, for one who waits. Any thread.
template <class T>
class Promise {
 public:
  explicit Promise(Executor executor) : executor_(std::move(executor)) {}

  void set(Stored<T> value) { settle<1>(std::move(value)); }
  void fail(std::exception_ptr error) { settle<2>(std::move(error)); }

  bool is_ready() const {
    const std::lock_guard lock(mutex_);
    return result_.index() != 0;
  }
  // False: the result is there, and nobody will be resumed.
  bool resume_later(std::coroutine_handle<> waiter) {
    const std::lock_guard lock(mutex_);
    if (result_.index() != 0) return false;
    waiter_ = waiter;
    return true;
  }
  template <class Duration>
  bool wait_for(Duration duration) {
    std::unique_lock lock(mutex_);
    return ready_.wait_for(lock, duration, [this] { return result_.index() != 0; });
  }
  T take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return result_.index() != 0; });
    if (result_.index() == 2) std::rethrow_exception(std::get<2>(result_));
    if constexpr (!std::is_void_v<T>) return std::move(std::get<1>(result_));
  }

 private:
  template <std::size_t Index, class Result>
  void settle(Result result) {
    std::coroutine_handle<> waiter;
    {
      const std::lock_guard lock(mutex_);
      result_.template emplace<Index>(std::move(result));
      waiter = std::exchange(waiter_, nullptr);
      ready_.notify_all();
    }
    if (!waiter) return;
    // By value: the promise may be gone as soon as the waiter runs.
    if (const Executor executor = executor_)
      executor([waiter] { waiter.resume(); });
    else
      waiter.resume();
  }

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::variant<std::monostate, Stored<T>, std::exception_ptr> result_;
  std::coroutine_handle<> waiter_;
  Executor executor_;
};

}  // namespace detail

// A result on its way. It is given out once, by `co_await` or by `get`. Dropping it does not end the call.
template <class T>
class [[nodiscard]] Pending {
 public:
  explicit Pending(std::shared_ptr<detail::Promise<T>> promise) : promise_(std::move(promise)) {}

  bool is_ready() const { return promise_->is_ready(); }
  // Whether it was ready before the time was over.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> duration) {
    return promise_->wait_for(duration);
  }
  // Blocks until it is there. Throws what the call failed with, as co_await does.
  T get() { return std::exchange(promise_, nullptr)->take(); }

  bool await_ready() const { return promise_->is_ready(); }
  bool await_suspend(std::coroutine_handle<> waiter) { return promise_->resume_later(waiter); }
  T await_resume() { return get(); }

 private:
  std::shared_ptr<detail::Promise<T>> promise_;
};

template <class T = void>
class Task;

namespace detail {

struct TaskPromiseBase {
  std::coroutine_handle<> next = std::noop_coroutine();

  struct Final {
    bool await_ready() const noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> done) const noexcept {
      return done.promise().next;
    }
    void await_resume() const noexcept {}
  };
  std::suspend_always initial_suspend() const noexcept { return {}; }
  Final final_suspend() const noexcept { return {}; }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::variant<std::monostate, T, std::exception_ptr> result;

  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    result.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() { result.template emplace<2>(std::current_exception()); }
  T take() {
    if (result.index() == 2) std::rethrow_exception(std::get<2>(result));
    return std::move(std::get<1>(result));
  }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  std::exception_ptr error;

  Task<void> get_return_object();
  void return_void() const noexcept {}
  void unhandled_exception() { error = std::current_exception(); }
  void take() const {
    if (error) std::rethrow_exception(error);
  }
};

}  // namespace detail

// A coroutine that begins when it is awaited or spawned, and is awaited once. Parameters that outlive the caller's are
// to be taken by value, as of every coroutine.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;

  explicit Task(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Task(Task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(coroutine_, other.coroutine_);
    return *this;
  }
  ~Task() {
    if (coroutine_) coroutine_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiter) noexcept {
    coroutine_.promise().next = waiter;
    return coroutine_;
  }
  T await_resume() { return coroutine_.promise().take(); }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

inline Task<void> TaskPromise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<TaskPromise>::from_promise(*this));
}

// A coroutine that nobody waits for: it begins at once and frees itself.
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
};

template <class T>
Detached drive(Task<T> task, std::shared_ptr<Promise<T>> promise) {
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await task;
      promise->set({});
    } else {
      promise->set(co_await task);
    }
  } catch (...) {
    error = std::current_exception();
  }
  if (error) promise->fail(error);
}

}  // namespace detail

// Begins a task on this thread. It goes on where what it waits for resumes it, and who awaits it by the executor.
template <class T>
Pending<T> spawn(Task<T> task, Executor executor = {}) {
  auto promise = std::make_shared<detail::Promise<T>>(std::move(executor));
  detail::drive(std::move(task), promise);
  return Pending<T>(std::move(promise));
}

// Runs a task to its end, for a `main` that is no coroutine. Blocks.
template <class T>
T run(Task<T> task) {
  return spawn(std::move(task)).get();
}

}  // namespace holdfast::aio
