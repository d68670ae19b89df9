// A few threads for calls that block (file scans, vendor libraries). The queue is bounded: beyond it submit()
// refuses, and the caller answers "overloaded". Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/scheduler.h"

namespace holdfast {

class WorkerPool {
 public:
  WorkerPool(std::string name, std::size_t threads, std::size_t queue_max);
  // Finishes what is queued, then joins.
  ~WorkerPool();

  // Any thread. False when the queue is full or the pool is stopping.
  bool submit(Scheduler::Work work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Scheduler::Work> queue_;
  std::size_t queue_max_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// Runs `work` (returning Result<T>) on the pool and continues on `loop`. Errc::overloaded when the queue is
// full. `work` and what it refers to live in the caller until then.
template <class Work>
auto offload(WorkerPool& pool, Scheduler& loop, Work work) -> Task<std::invoke_result_t<Work&>> {
  using R = std::invoke_result_t<Work&>;
  Arrival<R> arrival;
  std::optional<R> result;
  const bool accepted = pool.submit([&] {
    try {
      result.emplace(work());
    } catch (const std::exception& e) {
      result.emplace(fail(Errc::internal, e.what()));
    }
    loop.post([&] { arrival.set(std::move(*result)); });
  });
  if (!accepted) co_return fail(Errc::overloaded, "too many slow operations are waiting; try again later");
  co_return co_await arrival;
}

}  // namespace holdfast
