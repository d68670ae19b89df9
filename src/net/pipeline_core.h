// The inside of Pipeline: calls come in on one side (pipeline.cc), one connection after another serves them on the
// other (pipeline_run.cc). Internal to net/.
//
// A caller that is resumed may call anything of the Pipeline, so callers are resumed last, when all is settled; and
// what such a call starts or ends (run(), the connection) goes on from the loop, never inside the call.
#pragma once

#include <optional>

#include "net/attempts.h"
#include "net/byte_queue.h"
#include "net/changes.h"
#include "net/client_stream.h"
#include "net/request_queue.h"

namespace holdfast::net {

class Pipeline::Core {
 public:
  Core(Pipeline& owner, Loop& loop, PipelineOptions options);
  ~Core();

  void add(Call& call, Call::Turn turn, std::string_view request, std::uint32_t replies);
  Task<Status> connect(SteadyTime deadline);
  Task<void> close(SteadyTime deadline);
  void reset(std::string reason);
  bool is_connected() const { return state_ == State::up && !end_; }
  std::size_t in_flight() const { return usual_.size(); }

 private:
  enum class State : std::uint8_t {
    idle,        // no connection, and nobody has asked for one
    connecting,  // or in a pause before that
    greeting,
    up,
  };
  // Ends the connection, or the attempt, that is under way.
  enum class End : std::uint8_t {
    lost,
    silent,  // lost to a peer that may be stuck: the next attempt has to prove that it is not
    reset,
    idle,
    closed,
  };
  struct Ending {
    End kind;
    Error why;
  };

  // Calls (pipeline.cc).
  std::optional<Error> refusal(std::size_t bytes, SteadyTime deadline) const;
  void want_connection();
  void post_flush();
  void flush_turn();
  void flush();
  void send_all();
  void send(RequestQueue& queue);
  Task<void> flush_rest();
  bool has_more_to_send() const;

  // The connection (pipeline_run.cc).
  Task<void> run();
  bool is_wanted();
  Task<void> converse();
  Task<void> read_replies();
  void greet();
  void on_greeted(Status status);
  void dispatch();
  void take_reply(std::size_t bytes);
  void end(End kind, Error why);
  void end_if_drained();
  void fail_greeting();
  void conclude();
  void forget_connection();
  void fail_attempt(const Error& why, FinishedCalls& finished);
  void log_loss(const Error& why);

  // Time (pipeline_sweep.cc).
  void sweep_soon();
  void sweep_after(Milliseconds delay);
  void sweep();
  void expire_calls(SteadyTime now, FinishedCalls& finished);
  void watch_silence(SteadyTime now);
  void plan_next_sweep(SteadyTime now);

  Pipeline& owner_;
  Loop& loop_;
  PipelineOptions options_;
  const PeerTexts texts_;
  Attempts attempts_;

  RequestQueue first_;  // of the Greeting
  RequestQueue usual_;

  State state_ = State::idle;
  std::optional<Ending> end_;  // of the connection that is under way
  std::unique_ptr<ClientStream> stream_;
  std::unique_ptr<ReplyFraming> framing_;
  ByteQueue in_;
  std::size_t held_ = 0;  // bytes of whole replies at the front of in_, to a call that has more to come
  bool has_answered_ = false;
  bool running_ = false;
  bool is_greeting_ = false;
  bool flush_posted_ = false;
  bool come_in_company_ = false;  // more than one request waits for the flush
  bool flushing_rest_ = false;

  bool closing_ = false;
  SteadyTime close_deadline_ = SteadyTime::max();
  int background_ = 0;
  int connecting_ = 0;  // callers of connect()
  Changes changes_;

  Scheduler::TimerId sweep_timer_ = 0;
  bool sweep_is_soon_ = false;
  SteadyTime last_sweep_;
  SteadyTime attempt_deadline_ = SteadyTime::max();
  bool heard_ = false;  // since the last sweep
  Milliseconds silent_for_{0};
  std::uint64_t last_sent_ = 0;  // as of the last sweep
};

}  // namespace holdfast::net
