// The connections of one loop to one role of servers, opened as they are needed and up to a bound.
//
// A transaction goes to the connection with the fewest on their way; where all have some, another connection is opened
// meanwhile. Of what may share a transaction (gathering.h) few are on their way at a time. What is waiting has a bound
// too.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/alarm.h"
#include "base/worker_pool.h"
#include "net/loop.h"
#include "stores/postgresql/connection.h"
#include "stores/postgresql/gathering.h"
#include "stores/postgresql/session.h"

namespace holdfast::stores::postgresql {

struct PoolOptions {
  Role role = Role::primary;
  std::size_t connections_max = 1;
  // Commits may wait for standbys that do not answer: shortly before its time is up such a transaction is cancelled,
  // which ends its waiting and nothing else (Answer::is_short).
  bool cancels_late = false;
  std::size_t exchanges_max = 16384;
  std::size_t bytes_max = std::size_t{64} << 20;
};

class Pool {
 public:
  // `openers` are the threads on which connections are opened. All outlive this.
  Pool(net::Loop& loop, const PostgresqlSettings& settings, WorkerPool& openers, PoolOptions options);
  // After close(), or with nothing ever run.
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Executes all in one transaction. What the statements refer to lives until this is done. Readings are asked again
  // where the connection was lost, until the deadline; a transaction that lost against another one is repeated.
  // An answer that is refused has happened in no part.
  // With `sharing` others may be in the same transaction; of a reading there is one execution, which gives a row or
  // none.
  enum class Kind : std::uint8_t { reading, writing };
  Task<Answer> run(std::span<const Execution> executions, SteadyTime deadline, Kind kind, Sharing sharing = {});

  // Waits until `deadline` for what is on its way.
  Task<void> close(SteadyTime deadline);

  const Place& place() const { return place_; }
  // Whether something asked now would be sent at once. Where not, a connection is being made.
  bool is_connected();

 private:
  Task<void> ask(std::shared_ptr<Exchange> exchange);
  Task<void> open();
  void adopt(ConnectionHandle handle);
  Connection* least_busy();
  void grow();
  void serve_waiting();
  bool dispatch(const std::shared_ptr<Exchange>& exchange);
  void gather(std::shared_ptr<Exchange> exchange);
  void share_soon();
  void share();
  void stop_gathering();
  std::size_t in_flight_of(const void* kind) const;
  void fail_waiting(const Error& error);
  void forget_ended();
  void sweep_soon();
  void sweep();
  void cancel_late(SteadyTime now);
  void close_idle(SteadyTime now);
  std::size_t usable() const;

  net::Loop& loop_;
  const PostgresqlSettings& settings_;
  WorkerPool& openers_;
  const PoolOptions options_;
  const Place place_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::deque<std::shared_ptr<Exchange>> waiting_;  // for a connection
  std::vector<Gathering> gatherings_;
  std::size_t exchanges_ = 0;
  std::size_t bytes_ = 0;
  std::size_t opening_ = 0;
  std::size_t alive_ = 0;              // connections that are not off the loop yet
  std::optional<Error> last_failure_;  // of the last attempt to connect
  Milliseconds backoff_{0};
  SteadyTime next_attempt_{};
  Scheduler::TimerId sweep_timer_ = 0;
  bool sweep_is_soon_ = false;
  bool shares_soon_ = false;
  bool closed_ = false;
  std::atomic<bool> stopped_{false};
  Alarm changed_;
};

}  // namespace holdfast::stores::postgresql
