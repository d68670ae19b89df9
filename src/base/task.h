// Task<T>: a lazy coroutine that yields one T.
//
// A Task does nothing until it is awaited or handed to start(). It is awaited once. A started Task always
// runs to its end; destroying one that was never started frees it, destroying one that is suspended is a bug
// of ours (its caller's buffers would die under it). Nothing here knows about event loops: a Task resumes on
// whichever thread completes what it waits for, so code that hops threads says so (base/scheduler.h).
//
// Coroutine parameters that must outlive the caller's full expression are taken by value; no capturing
// lambda is a coroutine (doc/adr/0002-own-task.md).
#pragma once

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/frame_pool.h"

namespace holdfast {

template <class T = void>
class Task;

namespace detail {

struct TaskPromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::exception_ptr exception;

  static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
  static void operator delete(void* frame, std::size_t bytes) { frame_free(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <class P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) noexcept {
      return self.promise().continuation;
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct TaskPromise : TaskPromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T&& take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct TaskPromise<void> : TaskPromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() noexcept {}
  void take() {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::TaskPromise<T>;
  using Handle = std::coroutine_handle<promise_type>;
  using value_type = T;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    handle_.promise().continuation = caller;
    return handle_;
  }
  // The result stands in the coroutine's frame, which lives as long as the Task: `co_return co_await call()` moves it
  // once. A reference bound to it outlives the expression only if the Task does.
  decltype(auto) await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_ = nullptr;
};

namespace detail {

template <class T>
Task<T> TaskPromise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<TaskPromise<T>>::from_promise(*this));
}
inline Task<void> TaskPromise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<TaskPromise<void>>::from_promise(*this));
}

struct Detached {
  struct promise_type {
    static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
    static void operator delete(void* frame, std::size_t bytes) { frame_free(frame, bytes); }
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    // A detached task has nobody to tell: what it may throw is caught at the request boundary.
    [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
  };
};

}  // namespace detail

// Runs `task` now, on this stack, until it first waits. Its result is dropped.
inline detail::Detached start(Task<void> task) { co_await std::move(task); }

// As above; `done` gets the result, on whichever thread finishes the task. `done` must not throw.
template <class T, class Done>
  requires(!std::is_void_v<T>)
detail::Detached start(Task<T> task, Done done) {
  done(co_await std::move(task));
}
template <class Done>
detail::Detached start(Task<void> task, Done done) {
  co_await std::move(task);
  done();
}

// For functions that hand on another's task, or know the answer already.
template <class T>
Task<T> ready(T value) {
  co_return std::move(value);
}

// A value that arrives later, once, on the waiter's own thread: the bridge from callbacks to coroutines.
// Must outlive both the waiter and the call of set(). set() resumes the waiter inside the call.
template <class T>
class Arrival {
 public:
  Arrival() = default;
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;

  void set(T value) {
    assert(!value_);
    value_.emplace(std::move(value));
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }
  bool is_set() const { return value_.has_value(); }

  bool await_ready() const noexcept { return value_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  T await_resume() { return std::move(*value_); }

 private:
  std::optional<T> value_;
  std::coroutine_handle<> waiter_ = nullptr;
};

}  // namespace holdfast
