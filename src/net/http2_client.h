// A client of one HTTP/2 server; any number of callers share its connection.
//
// The connection is made when it is first asked for, and made again when it was lost: callers see errors, never a
// connection. What is asked during one turn of the loop leaves in one write. What requests and answers mean is the
// caller's; net/grpc_client.h is one (doc/adr/0020-one-http2-client.md).
//
// All of it belongs to one loop and is used on its thread only.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "net/endpoint.h"
#include "net/loop.h"
#include "wire/http/message.h"

namespace holdfast::net {

class TlsClientContext;
struct Http2Exchange;

// Names in lower case.
using Http2Fields = std::span<const std::pair<std::string_view, std::string_view>>;

// Copied inside the call that it is given to.
struct Http2Request {
  std::string_view method = "POST";
  std::string_view path;
  // In two parts, for a caller that has fields of its own and fields of others.
  Http2Fields fields = {};
  Http2Fields more_fields = {};
  // The body, in two parts for a caller that puts something in front of what it was given.
  std::string_view body_prefix = {};
  std::string_view body = {};
};

struct Http2Answer {
  int status = 0;
  http::HeaderBlock headers;
  std::string body;  // of a Call
  http::HeaderBlock trailers;
};

struct Http2ClientOptions {
  Endpoint endpoint;
  std::shared_ptr<const TlsClientContext> tls;  // made with alpn "h2"; shared; null: plain text
  std::string name;                             // who asks, for messages: component "orders" (state.etcd)
  std::string authority;                        // empty: the endpoint; "localhost" for a Unix socket
  Milliseconds connect_timeout{5000};           // for the socket, TLS and the server's SETTINGS together
  // Silence while an answer is due, before the server is asked whether it is there, and then again before the
  // connection is given up.
  Milliseconds reply_timeout{1500};
  // Between two such questions at least: gRPC servers hang up on who asks more often than they like, etcd on more than
  // one in 5 seconds. Doubled when a server complains (ENHANCE_YOUR_CALM).
  Milliseconds ping_pause{6000};
  // Silence while only long streams are open.
  Milliseconds stream_silence{10'000};
  // Between attempts; doubled each time, with jitter.
  Milliseconds backoff_min{8};
  Milliseconds backoff_max{250};
  // Of what waits to be sent or answered; beyond it Errc::overloaded, at once. One request may be larger when nothing
  // else is there.
  std::size_t requests_max = 16384;
  std::size_t bytes_max = std::size_t{64} << 20;
  std::size_t reply_bytes_max = std::size_t{64} << 20;     // of one answer's body
  std::size_t replies_bytes_max = std::size_t{256} << 20;  // of answers that have come in part, together
  // The connection that takes calls was lost or reset, or an attempt has failed; not for close() and not when the
  // server asked us to move to another connection. Called before the callers hear of it; may call anything of the
  // client.
  std::move_only_function<void()> on_lost;
};

// A request and an answer that flow for as long as both sides like. Destroying it cancels it; not while its read() is
// awaited. Of its client, which outlives it.
class Http2ClientStream;

class Http2Client {
 public:
  class Call;
  class Core;

  Http2Client(Loop& loop, Http2ClientOptions options);
  // After close() has finished, with no Call and no stream left.
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  // Sends `request` and waits for the answer. `co_await` yields a Status; the answer is then in Call::answer(), for as
  // long as the Call lives. An answer with whatever HTTP status is a success. Failures:
  //
  // - unavailable: nothing of it was sent, or the server says that it did not process it (REFUSED_STREAM, beyond the
  //   last stream of its GOAWAY): it may safely be tried again. Also: the last attempt to connect failed (then at once,
  //   with its reason), or the client is closed.
  // - outcome_unknown: it was sent, in part at least, and the connection was lost, the server ended it without an
  //   answer, the answer was too large, or the deadline passed; the server is then told to stop (CANCEL).
  // - deadline_exceeded: the deadline passed; nothing of it was sent, and nothing will be.
  // - overloaded: a bound of the options was reached.
  //
  // A call during the first attempt, or after a loss before the next attempt has failed, waits for that attempt. A call
  // after a failed attempt, or after a connection that fell silent, fails at once; attempts go on in the background for
  // as long as calls keep coming, and for ten seconds after the last one. Calls beyond what the server takes at a time
  // (MAX_CONCURRENT_STREAMS) wait, and were not sent. Deadlines are looked at every 20 ms.
  Call call(const Http2Request& request, SteadyTime deadline);

  // Begins a stream whose request has the body so far, and goes on. Errors come from Http2ClientStream::read(). It
  // waits for a connection as a call does, without a deadline.
  std::unique_ptr<Http2ClientStream> open(const Http2Request& request);

  // Whether a call would be sent now, as far as the connection is concerned: it is there, and its server has said that
  // it speaks HTTP/2.
  bool is_connected() const;
  // Calls that were not answered yet, sent or not; without streams.
  std::size_t in_flight() const;

  // Connects, if there is no connection; does not wait out a pause between attempts. Waits until an attempt has
  // succeeded or failed. deadline_exceeded: it goes on in the background.
  Task<Status> connect(SteadyTime deadline);
  // Takes no call any more, ends the streams, waits for the answers that are due, at most until `deadline`, and closes
  // the connection. What is left then fails with outcome_unknown or unavailable. Afterwards nothing of the client is on
  // the loop.
  Task<void> close(SteadyTime deadline);
  // Gives the connection up, because it is the wrong one: what was sent fails with outcome_unknown and this reason,
  // what was not sent waits for the next connection, which is made at once. Callers hear of it after this call has
  // returned.
  void reset(std::string reason);

 private:
  std::unique_ptr<Core> core_;
};

// One request on its way. Made by Http2Client::call, awaited at most once, never moved. Destroyed before it was
// answered, it is taken back: not sent, or cancelled.
class [[nodiscard]] Http2Client::Call {
 public:
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  Status await_resume() noexcept;

  // After a success. Its parts may be moved out; the body should be, for the other parts' memory is used again.
  Http2Answer& answer() noexcept;

 private:
  friend class Http2Client;
  Call(Core& core, Http2Exchange& exchange) : core_(core), exchange_(exchange) {}

  Core& core_;
  Http2Exchange& exchange_;
};

class Http2ClientStream {
 public:
  class Read;

  Http2ClientStream(Http2Client::Core& core, Http2Exchange& exchange) : core_(core), exchange_(exchange) {}
  ~Http2ClientStream();
  Http2ClientStream(const Http2ClientStream&) = delete;
  Http2ClientStream& operator=(const Http2ClientStream&) = delete;

  // More of the request's body. False when the stream is over, or when 1 MiB waits to be sent already.
  bool write(std::string_view bytes);
  void end_writing();

  // co_await: a Result<std::string>, what has come of the answer's body since the last time; empty when the server has
  // ended it. One reader at a time. No more than 1 MiB comes that nobody has read. Errors as for a call, and
  // unavailable after cancel(), after close(), and when the server asked us to move to another connection.
  Read read();
  // What has come of it so far, but for the body.
  const Http2Answer& answer() const;

  // read() ends soon, and not inside this call.
  void cancel();

 private:
  Http2Client::Core& core_;
  Http2Exchange& exchange_;
};

class Http2ClientStream::Read {
 public:
  Read(Http2Client::Core& core, Http2Exchange& exchange) : core_(core), exchange_(exchange) {}
  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> waiter) noexcept;
  Result<std::string> await_resume();

 private:
  Http2Client::Core& core_;
  Http2Exchange& exchange_;
};

inline Http2ClientStream::Read Http2ClientStream::read() { return {core_, exchange_}; }

}  // namespace holdfast::net
