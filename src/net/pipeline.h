// A connection to a server that answers requests in the order they came; any number of callers share it.
//
// The connection is made when it is first asked for, and made again when it was lost: callers see errors, never a
// connection. What is asked during one turn of the loop leaves in one write, and where that was more than one request,
// what the loop finds ready next goes along. Requests and replies are bytes; what they mean is the caller's, where a
// reply ends is said by a ReplyFraming (doc/adr/0010-one-pipelined-client.md).
//
// All of it belongs to one loop and is used on its thread only.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "net/endpoint.h"
#include "net/loop.h"

namespace holdfast::net {

class Pipeline;
class FinishedCalls;
class RequestQueue;
struct PipelineOptions;
class TlsClientContext;

// How replies are cut apart. One per connection, so that it may remember how far it has looked.
class ReplyFraming {
 public:
  virtual ~ReplyFraming() = default;
  // `bytes` begins where a reply begins and holds what has come of it so far: the same bytes as the last time and
  // perhaps more, not always at the same address. The length of the reply when it is whole, 0 when more must come. An
  // error says how the peer broke the protocol, and ends the connection. What a reply may hold at most is decided here.
  virtual Result<std::size_t> scan(std::string_view bytes) = 0;
  // Whether a whole reply answers no request: something the server says by itself.
  virtual bool is_push(std::string_view reply) = 0;
};

class Pipeline {
 public:
  class Call;

  Pipeline(Loop& loop, PipelineOptions options);
  // After close() has finished, and with no call in flight.
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Sends `request`, which asks for `replies` replies (at least one), and waits for them; `co_await` yields their
  // bytes, one reply after the other, VALID ONLY UNTIL THE CALLER NEXT WAITS. The bytes of the request are copied
  // inside the call, in the order of the calls, whether or not the Call is awaited at once: several may be asked first
  // and awaited then (a reply that comes before its Call is awaited is copied).
  //
  // - unavailable: nothing of it was sent, it may safely be tried again. The last attempt to connect failed (then at
  //   once, with its reason), or the Pipeline is closed.
  // - outcome_unknown: it was sent, in part at least, and the connection was lost or the deadline passed before all
  //   replies had come.
  // - deadline_exceeded: the deadline passed; nothing of it was sent, and nothing will be.
  // - overloaded: a bound of the options was reached.
  //
  // A call during the first attempt, or after a loss before the next attempt has failed, waits for that attempt. A call
  // after a failed attempt, or after a connection that fell silent, fails at once; attempts go on in the background for
  // as long as calls keep coming, and for ten seconds after the last one. Deadlines are looked at every 20 ms.
  Call call(std::string_view request, std::uint32_t replies, SteadyTime deadline);
  // From a Greeting only, until it has returned: goes before everything that waits.
  Call call_first(std::string_view request, std::uint32_t replies, SteadyTime deadline);

  // Whether a call would be sent now: there is a connection, and it was greeted.
  bool is_connected() const;
  // Calls that were not answered yet, sent or not.
  std::size_t in_flight() const;

  // Connects, if there is no connection; does not wait out a pause between attempts. Waits until an attempt has
  // succeeded or failed, with the failure's own code: `denied` from a greeting stays `denied`. deadline_exceeded: it
  // goes on in the background.
  Task<Status> connect(SteadyTime deadline);
  // Takes no call any more, waits for the replies that are due, at most until `deadline`, and closes the connection.
  // What is left then fails with outcome_unknown or unavailable. Afterwards nothing of the Pipeline is on the loop.
  Task<void> close(SteadyTime deadline);
  // Gives the connection up, because it is the wrong one: what was sent fails with outcome_unknown and this reason,
  // what was not sent waits for the next connection, which is made at once. Callers hear of it after this call has
  // returned.
  void reset(std::string reason);

 private:
  friend class Call;
  class Core;
  std::unique_ptr<Core> core_;
};

// One request on its way. Made by Pipeline::call, awaited at most once, never moved. Destroyed before it was answered,
// its replies are dropped when they come.
class [[nodiscard]] Pipeline::Call {
 public:
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  bool await_ready() const noexcept { return is_done_; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { waiter_ = waiter; }
  Result<std::string_view> await_resume() noexcept { return std::move(result_); }

 private:
  friend class Pipeline;
  friend class FinishedCalls;
  friend class RequestQueue;
  struct PipelineOptions;
  enum class Turn : bool { first, usual };
  Call(Core& core, Turn turn, std::string_view request, std::uint32_t replies, SteadyTime deadline);

  // Where it waits, until it is done.
  RequestQueue* queue_ = nullptr;
  std::uint64_t number_ = 0;
  SteadyTime deadline_;
  std::coroutine_handle<> waiter_;
  Call* next_ = nullptr;  // among those that are about to be resumed
  bool is_done_ = false;
  Result<std::string_view> result_;
  std::string kept_;  // replies that came before anyone waited
};

// What opens a conversation, before the requests of others: who we are, which version we speak. It asks by
// Pipeline::call_first. An error ends the attempt, and is what callers are told. Called once for each connection. With
// a certificate of ours it should ask something in any case: under TLS 1.3 a server refuses it only then.
using Greeting = std::move_only_function<Task<Status>(Pipeline&)>;

struct PipelineOptions {
  Endpoint endpoint;
  std::shared_ptr<const TlsClientContext> tls;  // shared by all connections of a component; null: plain text
  std::string name;                             // who asks, for messages: component "orders" (state.redis)
  Milliseconds connect_timeout{5000};           // for the socket, TLS and the greeting together
  Milliseconds reply_timeout{3000};             // silence while a reply is due: the connection is given up
  // Between attempts; doubled each time, with jitter.
  Milliseconds backoff_min{8};
  Milliseconds backoff_max{250};
  // Of what waits to be sent or answered; beyond it Errc::overloaded, at once. One request may be larger when nothing
  // else is there.
  std::size_t requests_max = 16384;
  std::size_t bytes_max = std::size_t{64} << 20;
  // A connection that nobody has used for so long is closed, until it is needed again; 0: never.
  Milliseconds idle_close{0};

  std::function<std::unique_ptr<ReplyFraming>()> framing;  // required
  Greeting greeting;                                       // may be empty
  // A push; its bytes are valid during the call.
  std::move_only_function<void(std::string_view)> on_push;
  // A connection that was up was lost or reset, or an attempt has failed; not for idle_close and close(). Called before
  // the callers hear of it; may call anything of the Pipeline.
  std::move_only_function<void()> on_lost;
};

}  // namespace holdfast::net
