// One connection of a loop, in libpq's pipeline mode: any number of transactions are on their way at once, and are
// answered in order. A transaction is some executions and one Sync, so that what fails takes no other one along.
//
// Of one loop, and used on its thread only.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "net/readiness.h"
#include "stores/postgresql/gathering.h"

namespace holdfast::stores::postgresql {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Events {
    std::function<void()> answered;  // something on its way has been, and whoever waited was told
    std::function<void()> ended;     // nothing of it is on the loop any more
  };
  // `handle` is connected and nonblocking.
  static std::shared_ptr<Connection> start(net::Loop& loop, ConnectionHandle handle, bool prepares, Events events);

  // In one transaction. What cannot be sent is finished as lost, and the connection with it.
  void send(Batch batch);

  bool is_usable() const { return !lost_ && !is_wrong_; }
  std::size_t in_flight() const { return queue_.size(); }
  // Transactions of what shares by this kind.
  std::size_t in_flight_of(const void* kind) const;
  SteadyTime opened_at() const { return opened_at_; }
  // When something was last sent or heard.
  SteadyTime busy_at() const { return busy_at_; }
  // Something on its way takes long: it may wait for a lock, and what is sent now would wait behind it.
  bool is_held_up(SteadyTime now) const { return !queue_.empty() && now - busy_at_ > kHeldUp; }

  // Finishes the waiters whose time is up, and everybody when the server has not been heard of since `silent_since`
  // though it should.
  void sweep(SteadyTime now, SteadyTime silent_since);
  // What asks the server to cancel, if the transaction that it is at should be over; once for each. Null: it need not.
  // Whoever gets it uses it, on another thread, and frees it.
  PGcancel* cancel_late(SteadyTime now);
  // Lets go. What is on its way is lost.
  void close(std::string reason);

 private:
  static constexpr Milliseconds kHeldUp{50};

  // What the server answers to, in order.
  struct Due {
    Batch batch = {};                                // empty: a Prepare
    std::size_t prepares = Statement::kNotPrepared;  // with a Prepare
    Answer answer = {};                              // to all of the batch
  };
  Connection(net::Loop& loop, ConnectionHandle handle, bool prepares, Events events);
  static Task<void> read(std::shared_ptr<Connection> self);
  static Task<void> write(std::shared_ptr<Connection> self);
  static void take_notice(void* self, const PGresult* notice);
  bool prepare(const Statement& statement);
  bool execute(const Execution& execution);
  bool execute_all(const Batch& batch);
  bool sync();
  void flush();
  // Takes what has come; the exchanges that it finished.
  Batch take_results();
  void take(ResultHandle result, Batch& finished);
  void deal(Due& due, Batch& finished);
  void refuse(Due& due, Refusal refusal);
  void lose(std::string reason);
  void end_task();

  net::Loop& loop_;
  ConnectionHandle handle_;
  const bool prepares_;
  Events events_;
  std::optional<net::Readiness> readiness_;
  std::deque<Due> queue_;
  std::vector<bool> prepared_;         // by a statement's number: its Prepare was sent, and not refused
  std::optional<Refusal> unprepared_;  // why the last one was
  Values::Arrays arrays_;
  SteadyTime opened_at_;
  SteadyTime busy_at_;
  bool lost_ = false;
  bool is_wrong_ = false;  // of a server that takes no writes: nothing is sent any more
  bool writing_ = false;
  int tasks_ = 0;
};

}  // namespace holdfast::stores::postgresql
