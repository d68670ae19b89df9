// Waiting, from a thread that is no loop's, for a task that runs on one.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "net/loop.h"

namespace holdfast::net {

// Runs `task()` on the loop, which is running, and waits for what it yields; nothing when it took longer than `limit`:
// it then goes on by itself, and what it refers to has to stay.
template <class T>
std::optional<T> on_loop(Loop& loop, Milliseconds limit, std::function<Task<T>()> task) {
  auto answer = std::make_shared<std::promise<T>>();
  auto future = answer->get_future();
  loop.post(
      [task = std::move(task), answer] { start(task(), [answer](T value) { answer->set_value(std::move(value)); }); });
  if (future.wait_for(limit) != std::future_status::ready) return std::nullopt;
  return future.get();
}

}  // namespace holdfast::net
