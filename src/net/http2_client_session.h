// The client's side of one HTTP/2 connection over nghttp2, as bytes in and bytes out: no socket, no timer. Internal to
// net/: http2_client_session.cc has the conversation, http2_client_callbacks.cc what nghttp2 calls.
//
// What a server may make us hold: answers' fields (64 KiB each) and bodies (the options), 1 MiB of a stream that nobody
// reads, and 4096 answers to PING and SETTINGS.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string>
#include <string_view>
#include <vector>

#include "net/attempts.h"
#include "net/http2_exchange.h"

namespace holdfast::net {

class Http2ClientSession {
 public:
  // All three outlive it.
  Http2ClientSession(const Http2ClientOptions& options, const PeerTexts& texts, Http2Exchanges& exchanges);
  ~Http2ClientSession();
  Http2ClientSession(const Http2ClientSession&) = delete;
  Http2ClientSession& operator=(const Http2ClientSession&) = delete;

  // What the server sent. Whom it concerns is told by Http2Exchanges::resume_all(), which is left to the caller.
  void receive(std::string_view bytes, SteadyTime now);
  // Appends what is to be sent, until `out` has about `enough` bytes.
  void take_output(std::string& out, std::size_t enough);

  // Whether the server has said, by its SETTINGS, that it speaks HTTP/2.
  bool is_ready() const { return is_ready_; }
  // Whether it takes no new streams: because of GOAWAY, or when all identifiers are used up.
  bool is_leaving() const;
  // How the server broke the protocol; empty: it did not, or it is not known before take_output(). After that there is
  // something to send, and nothing to receive.
  const std::string& failure() const { return failure_; }
  // Whether take_output() will say that it did.
  bool is_failing() const { return nghttp2_session_check_request_allowed(h2_) == 0 && !is_leaving(); }
  // What the server said in its GOAWAY: "ENHANCE_YOUR_CALM: too_many_pings"; empty when that was nothing special.
  const std::string& farewell() const { return farewell_; }
  // It asked us to be calm: that we ask it whether it is there less often.
  bool was_told_to_calm_down() const { return was_told_to_calm_down_; }
  // Whether an answer has begun on it.
  bool has_answered() const { return has_answered_; }

  // Whether another stream may be opened now.
  bool has_room() const;
  // `exchange` is the session's until the stream is closed.
  void submit(Http2Exchange& exchange);
  // Whether take_output() would give something.
  bool has_output() const { return nghttp2_session_want_write(h2_) != 0; }
  // Its `out` has more, or has ended.
  void resume(Http2Exchange& exchange);
  // Its holder has taken so many bytes of its answer's body.
  void consume(Http2Exchange& exchange, std::size_t bytes);
  // Tells the server to stop. What comes of the exchange is told already.
  void cancel(Http2Exchange& exchange);
  void cancel_streams(const Error& why);
  const Http2ExchangeList& open() const { return open_; }
  std::size_t open_calls() const { return open_.size() - open_streams_; }

  void ping();
  bool is_ping_due() const { return is_ping_due_; }

  // Nothing is to follow but this.
  void say_goodbye();
  // The connection is over. What was sent is finished with `if_sent`; what was not is the caller's, in its order.
  void give_up(const Error& if_sent, Http2ExchangeList& unsent);

 private:
  friend struct Http2ClientCallbacks;

  void remove(Http2Exchange& exchange);
  void take_field(Http2Exchange& exchange, bool is_trailer, std::string_view name, std::string_view value);
  void take_status(Http2Exchange& exchange, std::string_view value);
  void take_body(Http2Exchange& exchange, std::string_view bytes, bool is_last);
  void take_goaway(const nghttp2_goaway& frame);
  void answer_ended(Http2Exchange& exchange);
  void stream_closed(Http2Exchange& exchange, std::uint32_t error_code);
  // The server's side of this stream cannot be used any more, because of something that it did.
  void break_off(Http2Exchange& exchange, std::string_view why);
  void count_control_frame();

  const Http2ClientOptions& options_;
  const PeerTexts& texts_;
  Http2Exchanges& exchanges_;
  const std::string authority_;
  nghttp2_session* h2_ = nullptr;
  Http2ExchangeList open_;
  std::size_t open_streams_ = 0;
  std::vector<nghttp2_nv> fields_;
  bool is_ready_ = false;
  bool is_ping_due_ = false;
  bool has_goaway_ = false;
  bool has_answered_ = false;
  bool was_told_to_calm_down_ = false;
  std::string failure_;
  std::string farewell_;
  std::size_t consumed_ = 0;  // of the connection's window, since it was opened last
  SteadyTime now_;
  SteadyTime second_;
  std::uint32_t control_ = 0;  // frames that we have to answer, within that second
};

// With the session as user data and the Http2Exchange as stream user data.
const nghttp2_session_callbacks* http2_client_callbacks();
// The data provider of every request; its source is the Http2Exchange.
ssize_t http2_read_request(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user);

}  // namespace holdfast::net
