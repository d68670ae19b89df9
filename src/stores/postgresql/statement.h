// Statements, their executions, and what a caller waits for.
#pragma once

#include <coroutine>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "stores/postgresql/errors.h"
#include "stores/postgresql/rows.h"

namespace holdfast::stores::postgresql {

struct Statement {
  static constexpr std::size_t kNotPrepared = ~std::size_t{0};
  std::size_t number = kNotPrepared;  // among those of a store, from 0: each connection prepares it once
  std::string sql;
  std::string name() const { return "holdfast_" + std::to_string(number); }
};

struct Execution {
  const Statement* statement = nullptr;
  Values values;
  std::size_t operation = 0;  // of a transaction, which it belongs to
};

// What may go in one transaction with others of its kind: a reading of one key, or writes to one key of which none
// makes the transaction fail when its condition does not hold.
struct Sharing {
  const void* kind = nullptr;  // null: it is by itself
  std::string_view key;
  bool is_write = false;
  // What does many of it at once, if something does: each parameter is an array of theirs (Values::together()), and
  // each row has the key in front. At most one row is of a key.
  const Statement* many = nullptr;
};

// The executions of one transaction and what became of them. All that was executed has happened, or nothing.
struct Answer {
  std::vector<Rows> rows;          // of each execution, when none was refused
  std::optional<Refusal> refusal;  // of execution `refused_at`; nothing has happened
  std::size_t refused_at = 0;
  // Nothing has happened, because of something in a transaction that it shared.
  bool is_spoiled = false;
  // It stands here, and on fewer standbys than it was to wait for.
  bool is_short = false;
  // The connection was lost, or the time was up, on the way: nobody knows what has happened. With `was_sent` false:
  // nothing has.
  std::optional<Error> lost;
  bool was_sent = false;
};

// One transaction on its way. Shared by who waits and by the connection, since a waiter may go while the server is
// still at it.
struct Exchange {
  std::span<const Execution> executions;  // the caller's; looked at before it was sent only
  Sharing sharing;                        // likewise
  SteadyTime deadline;
  SteadyTime cancel_at = SteadyTime::max();  // the server is asked to give up, if it is at this one
  std::size_t bytes = 0;
  Answer answer;
  bool is_done = false;
  std::coroutine_handle<> waiter;

  // Not resumed inside the call.
  void finish() { is_done = true; }
  void resume() {
    if (waiter) std::exchange(waiter, nullptr).resume();
  }
};

}  // namespace holdfast::stores::postgresql
