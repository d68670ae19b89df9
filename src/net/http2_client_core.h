// The inside of Http2Client: requests come in on one side (http2_client.cc), one connection after another serves them
// on the other (http2_client_run.cc), and what goes by the clock is in http2_client_sweep.cc. Internal to net/.
//
// A caller that is resumed may call anything of the client, so callers are resumed last, when all is settled; and what
// such a call starts or ends goes on from the loop, never inside the call.
#pragma once

#include <optional>
#include <vector>

#include "net/changes.h"
#include "net/client_stream.h"
#include "net/http2_client_session.h"

namespace holdfast::net {

// One connection: its socket, and the session that speaks over it.
struct Http2Connection {
  enum class End : std::uint8_t {
    lost,
    silent,  // lost to a peer that may be stuck: the next attempt has to prove that it is not
    reset,
    closed,
  };
  struct Ending {
    End kind;
    Error why;
  };

  Http2Connection(Loop& loop, const Http2ClientOptions& options, const PeerTexts& texts, Http2Exchanges& exchanges);

  // Sends what there is, as far as the socket takes it. False when it does not take all.
  bool send();
  // Whatever awaits the socket goes on soon, and not inside this call.
  void end(End kind, Error why);
  // Of a socket that has ended.
  std::string reason() const;

  ClientStream socket;
  Http2ClientSession session;
  std::unique_ptr<char[]> in;
  std::string out;
  std::size_t out_at = 0;
  std::uint64_t written = 0;
  bool is_open = false;  // the socket
  bool is_up = false;    // the session
  bool is_flushing_rest = false;
  std::optional<Ending> ending;

  // As of the last sweep.
  bool has_heard = false;  // since then
  std::uint64_t last_written = 0;
  Milliseconds silent_for{0};
  Milliseconds ping_unanswered_for{0};
  SteadyTime last_ping;
};

class Http2Client::Core {
 public:
  Core(Loop& loop, Http2ClientOptions options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Http2Exchange& add(const Http2Request& request, bool is_stream, SteadyTime deadline);
  // What those who hold an exchange ask.
  void let_go(Http2Exchange& exchange);
  bool write(Http2Exchange& exchange, std::string_view bytes);
  void end_writing(Http2Exchange& exchange);
  void cancel(Http2Exchange& exchange);
  std::string take_body(Http2Exchange& exchange);

  Task<Status> connect(SteadyTime deadline);
  Task<void> close(SteadyTime deadline);
  void reset(std::string reason);
  bool is_connected() const;
  std::size_t in_flight() const { return exchanges_.calls(); }

 private:
  using End = Http2Connection::End;

  // Requests (http2_client.cc).
  std::optional<Error> refusal(std::size_t bytes, SteadyTime deadline) const;
  void want_connection();
  void post_flush();
  void flush();
  void flush(Http2Connection& connection);
  void submit_waiting(Http2Connection& connection);
  Task<void> flush_rest(Http2Connection& connection);
  void take_out(Http2Exchange& exchange, Status result);
  void fail_waiting(const Error& why);
  void end_streams(const Error& why);

  // Connections (http2_client_run.cc).
  Task<void> run();
  bool is_wanted();
  Task<void> converse();
  Task<void> open();
  Status check_protocol() const;
  Task<void> read(Http2Connection& connection);
  void receive(Http2Connection& connection, std::string_view bytes);
  void end_if_drained();
  void leave();
  Task<void> drain(Http2Connection& connection);
  void conclude();
  void forget_drained(Http2Connection& connection);
  void give_up(Http2Connection& connection);
  void fail_attempt(const Error& why);
  void log_loss(const Http2Connection& connection);
  void calm_down(const Http2Connection& connection);

  // Time (http2_client_sweep.cc).
  void sweep_soon();
  void sweep_after(Milliseconds delay);
  void sweep();
  void expire(SteadyTime now);
  void expire_waiting(SteadyTime now);
  void expire_open(Http2Connection& connection, SteadyTime now);
  void end_late_attempt(SteadyTime now);
  void watch_silence(Http2Connection& connection, Milliseconds passed, SteadyTime now);
  void plan_next_sweep();

  template <class Work>
  void for_each_connection(Work work) {
    if (current_) work(*current_);
    for (const auto& connection : leaving_) work(*connection);
  }

  Loop& loop_;
  Http2ClientOptions options_;
  const PeerTexts texts_;
  Attempts attempts_;
  Http2Exchanges exchanges_;
  Http2ExchangeList waiting_;

  std::unique_ptr<Http2Connection> current_;  // or the attempt to have one
  // Those that finish what they have begun.
  std::vector<std::unique_ptr<Http2Connection>> leaving_;
  SteadyTime attempt_deadline_ = SteadyTime::max();
  bool running_ = false;
  bool flush_posted_ = false;

  bool closing_ = false;
  SteadyTime close_deadline_ = SteadyTime::max();
  int background_ = 0;
  int connecting_ = 0;  // callers of connect()
  Changes changes_;

  Scheduler::TimerId sweep_timer_ = 0;
  bool sweep_is_soon_ = false;
  SteadyTime last_sweep_;
  SteadyTime earliest_deadline_ = SteadyTime::max();  // no call's is earlier
  Milliseconds ping_pause_;
  Milliseconds stream_silence_;
};

}  // namespace holdfast::net
