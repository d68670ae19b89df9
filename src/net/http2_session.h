// One HTTP/2 connection over nghttp2, and its streams. Internal to net/: http2_session.cc has the conversation,
// http2_callbacks.cc what nghttp2 calls.
#pragma once

#include <nghttp2/nghttp2.h>

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/connection.h"

namespace holdfast::net {

class Http2Session;

// What a stream begins with.
struct Http2StreamState {
  std::int32_t id = 0;
  std::size_t body_at = 0;   // what of response.body has been framed
  std::size_t head_bytes = 0;
  std::size_t discarded = 0;  // of a body that nobody wants any more
  Cancellation cancel;
  bool handling = false;      // a handler runs: the stream must outlive it
  bool closed = false;        // nghttp2 has let go of it
  bool head_too_large = false;
  bool overloaded = false;
  bool answered = false;
  bool peer_done = false;     // END_STREAM came
  bool counted = true;        // among the session's half-sent requests
  // BodyStream only.
  bool streaming = false;
  bool head_sent = false;
  bool finished = false;  // no further write(); trailers may follow
  bool deferred = false;
  std::coroutine_handle<> reader = nullptr;
  std::coroutine_handle<> sender = nullptr;  // waits until all has left
  std::move_only_function<void()> ending;    // BodyStream::on_end
  // The session's list.
  struct Http2Stream* previous = nullptr;
  struct Http2Stream* next = nullptr;
};

struct Http2Stream final : BodyStream, Http2StreamState {
  explicit Http2Stream(Http2Session& owner);

  Task<std::optional<std::string>> read() override;
  http::HeaderLines& head_fields() override { return response.headers; }
  bool write(std::string bytes, std::string_view content_type) override;
  std::size_t unsent() const override { return response.body.size() - body_at; }
  Task<bool> sent() override;
  void on_end(std::move_only_function<void()> work) override;
  // The handler should come to an end; it is waited for.
  void tell_end();
  // All that was written has been framed.
  void all_left();

  // Ready for another request, with the buffers of the last one: a request then allocates next to nothing. The first
  // few streams of a connection have a free allowance; what more of them hold is charged from the first byte.
  void begin(std::int32_t number, std::int64_t free_bytes);

  Http2Session& session;
  http::Request request;
  http::Response response;
  Charge charge;
};

class Http2Session {
 public:
  explicit Http2Session(Connection& connection);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  Task<void> run(std::string received);
  bool upgrade(http::Request request, std::string_view settings);

  Connection& connection;

  // The stream's response is complete.
  void answer(Http2Stream& stream);
  // The end of a streaming answer: its trailers, or all of it when nothing was written.
  void finish_stream(Http2Stream& stream, http::Response response);
  void stream_wrote(Http2Stream& stream);
  void pump_soon();
  Scheduler& loop() { return connection.loop(); }

 private:
  friend struct Http2Callbacks;
  Http2Stream& open(std::int32_t id);
  void dispatch(Http2Stream& stream);
  void request_ended(Http2Stream& stream);
  // RFC 9113 5.1.1: a stream below the newest one that was never opened cannot be opened any more. nghttp2 cannot
  // tell it from one that was closed and ignores it.
  bool was_skipped(std::int32_t id) const { return id > skipped_above_ && id < skipped_below_; }
  void finish_head(Http2Stream& stream);
  void take_body(Http2Stream& stream, std::string_view bytes);
  void discard(Http2Stream& stream, std::size_t bytes);
  void stream_closed(Http2Stream& stream);
  void forget(Http2Stream& stream);
  void submit_head(Http2Stream& stream, bool body_follows);
  bool too_fast(std::uint32_t& count, std::uint32_t limit);
  void count_frame(const nghttp2_frame& frame);
  void pump();
  Task<void> write_rest();
  bool let_go(Http2Stream& stream);
  void set_deadline();
  void begin_drain();
  bool end_idle();
  Task<void> settle();

  nghttp2_session* h2_ = nullptr;
  Http2Stream* streams_ = nullptr;  // a list; nghttp2 finds one by its number
  std::vector<std::unique_ptr<Http2Stream>> spares_;  // closed streams, their buffers kept for the next
  std::vector<nghttp2_nv> fields_;
  std::string out_;
  std::size_t handling_ = 0;
  bool receiving_ = false;  // inside nghttp2_session_mem_recv
  bool pump_posted_ = false;
  bool writing_ = false;    // write_rest runs
  bool dead_ = false;       // the socket failed
  bool going_away_ = false;
  Http2Stream* newest_stream_ = nullptr;  // null once it is forgotten
  std::int32_t newest_ = 0;
  std::int32_t skipped_above_ = 0;  // the last gap that the peer left between stream identifiers
  std::int32_t skipped_below_ = 0;
  std::size_t open_streams_ = 0;
  std::size_t consumed_ = 0;   // of bodies, since the connection's window was opened last
  std::size_t half_sent_ = 0;  // streams whose request is not complete
  SteadyTime second_{};
  std::uint32_t resets_ = 0;
  std::uint32_t control_ = 0;
  std::coroutine_handle<> settled_ = nullptr;
};

// A header field whose bytes live until its frame is sent.
nghttp2_nv http2_field(std::string_view name, std::string_view value);
void append_fields(std::vector<nghttp2_nv>& fields, const http::HeaderBlock& block);
// The data provider of every answer; its source is the Http2Stream.
ssize_t http2_read_body(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                        nghttp2_data_source* source, void* user);
// With the session as user data and the Http2Stream as stream user data.
const nghttp2_session_callbacks* http2_callbacks();

}  // namespace holdfast::net
