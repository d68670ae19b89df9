// HTTP/2 on one connection, over nghttp2. Requests are handled as their bodies complete; everything that becomes
// ready in one turn of the loop leaves in one write.
//
// Bounds: kStreamsMax streams, a 1 MiB receive window for the connection, caps on what a peer may send per second
// without asking for anything (PING, SETTINGS, RST_STREAM), and the process budget for bodies. Windows open only
// as bodies are accepted, so a peer cannot push more than we agreed to hold.
#include "net/http2_session.h"

#include "net/http2_memory.h"

namespace holdfast::net {

namespace {

constexpr std::uint32_t kStreamsMax = 100;
constexpr std::int32_t kConnectionWindow = 1 << 20;
constexpr std::uint32_t kStreamWindow = 256 * 1024;
constexpr std::size_t kFlushAt = 128 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr auto kRequestTime = std::chrono::seconds(60);  // for the rest of a half-sent request to arrive
constexpr std::size_t kDiscardMax = 16 << 20;
// What a stream costs beside its body: its objects here and in nghttp2.
constexpr std::size_t kStreamBytes = 2 * 1024;
constexpr std::size_t kFreeStreams = 8;
constexpr std::int64_t kFreeBytesPerStream = 4 * 1024;
constexpr std::int64_t kChargeStep = 4 * 1024;
constexpr std::size_t kSparesMax = 16;
constexpr std::size_t kSpareBytes = 4 * 1024;
constexpr std::size_t kStreamQueueMax = 1 << 20;  // unread output of one BodyStream
// Per second and connection. Resets are generous: a client that cancels 100 calls ten times a second is odd, not
// an attack; rapid-reset attacks send tens of thousands.
constexpr std::uint32_t kResetsMax = 2000;
constexpr std::uint32_t kControlMax = 200;

nghttp2_option* session_options() {
  nghttp2_option* made = nullptr;
  nghttp2_option_new(&made);
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_max_outbound_ack(made, kControlMax);
  return made;
}

}  // namespace

Http2Stream::Http2Stream(Http2Session& owner) : session(owner), charge(owner.connection.budget(), 0, kChargeStep) {}

void Http2Stream::begin(std::int32_t number, std::int64_t free_bytes) {
  static_cast<Http2StreamState&>(*this) = {};
  id = number;
  request.clear();
  request.is_http2 = true;
  request.peer = session.connection.peer();
  request.cancel = &cancel;
  response.clear();
  charge.begin(free_bytes);
}

Task<std::optional<std::string>> Http2Stream::read() {
  struct Wait {
    Http2Stream& stream;
    bool await_ready() const noexcept {
      return !stream.request.body.empty() || stream.peer_done || stream.closed;
    }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { stream.reader = waiter; }
    void await_resume() const noexcept {}
  };
  co_await Wait{*this};
  if (request.body.empty()) co_return std::nullopt;
  std::string bytes = std::move(request.body);
  request.body.clear();
  co_return bytes;
}

bool Http2Stream::write(std::string bytes, std::string_view content_type) {
  if (closed || finished) return false;
  if (response.body.size() - body_at + bytes.size() > kStreamQueueMax) return false;
  response.body.erase(0, body_at);
  body_at = 0;
  response.body += bytes;
  if (!head_sent) response.content_type = content_type;
  session.stream_wrote(*this);
  return true;
}

Task<bool> Http2Stream::sent() {
  struct Wait {
    Http2Stream& stream;
    bool await_ready() const noexcept { return stream.unsent() == 0 || stream.closed; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { stream.sender = waiter; }
    void await_resume() const noexcept {}
  };
  co_await Wait{*this};
  co_return !closed;
}

void Http2Stream::on_end(std::move_only_function<void()> work) {
  if (work && (closed || session.connection.draining())) return work();
  ending = std::move(work);
}

void Http2Stream::tell_end() {
  if (ending) std::exchange(ending, nullptr)();
}

// Inside of nghttp2, which the sender will call again: later, therefore.
void Http2Stream::all_left() {
  body_at = 0;
  response.body = {};  // streams are many, and mostly have nothing to say
  if (sender) session.loop().post([waiter = std::exchange(sender, nullptr)] { waiter.resume(); });
}

Http2Session::Http2Session(Connection& owner) : connection(owner) {
  static nghttp2_option* const options = session_options();
  if (nghttp2_session_server_new3(&h2_, http2_callbacks(), this, options, http2_memory()) != 0) throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kStreamsMax},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, connection.options().h2_head_bytes_max},
  };
  nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(h2_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
  connection.on_drain([this] { begin_drain(); });
  connection.on_late([this] { return end_idle(); });
}

Http2Session::~Http2Session() {
  connection.on_drain(nullptr);
  connection.on_late(nullptr);
  nghttp2_session_del(h2_);  // closes no stream: those left are ours to free
  while (streams_ != nullptr) forget(*streams_);
}

Http2Stream& Http2Session::open(std::int32_t id) {
  if (id > newest_ + 2) {
    skipped_above_ = newest_;
    skipped_below_ = id;
  }
  newest_ = id;
  const std::int64_t free_bytes = open_streams_ < kFreeStreams ? kFreeBytesPerStream : 0;
  std::unique_ptr<Http2Stream> stream;
  if (!spares_.empty()) {
    stream = std::move(spares_.back());
    spares_.pop_back();
  } else {
    stream = std::make_unique<Http2Stream>(*this);
  }
  stream->begin(id, free_bytes);
  Http2Stream& ref = *stream.release();  // the list owns it; forget() takes it back
  ref.next = streams_;
  if (streams_ != nullptr) streams_->previous = &ref;
  streams_ = &ref;
  newest_stream_ = &ref;
  ++open_streams_;
  ++half_sent_;
  return ref;
}

namespace {

Task<void> run_handler(Http2Session& session, Http2Stream& stream) {
  try {
    co_await session.connection.handler().handle(stream.request, stream.response);
  } catch (const std::exception& e) {
    answer_failure(stream.response, e);
  }
  session.answer(stream);
}

Task<void> run_stream_handler(Http2Session& session, Http2Stream& stream) {
  http::Response response;
  try {
    co_await session.connection.handler().handle_stream(stream.request, stream, response);
  } catch (const std::exception& e) {
    answer_failure(response, e);
  }
  session.finish_stream(stream, std::move(response));
}

}  // namespace

void Http2Session::finish_head(Http2Stream& stream) {
  if (stream.head_too_large || stream.handling || stream.answered) return;
  if (!stream.charge.cover(kStreamBytes + stream.head_bytes)) {
    stream.overloaded = true;
    return;
  }
  if (connection.handler().wants_stream(stream.request)) {
    stream.streaming = true;
    stream.handling = true;
    stream.request.headers.shrink();
    ++handling_;
    start(run_stream_handler(*this, stream));
  }
}

void Http2Session::request_ended(Http2Stream& stream) {
  if (!stream.counted) return;
  stream.counted = false;
  --half_sent_;
}

// The request is complete, or as complete as we let it become.
void Http2Session::dispatch(Http2Stream& stream) {
  request_ended(stream);
  if (stream.streaming) {
    if (stream.reader) std::exchange(stream.reader, nullptr).resume();
    return;
  }
  if (stream.handling || stream.answered) return;
  stream.handling = true;
  ++handling_;
  if (stream.head_too_large) {
    stream.response.status = 431;
    return answer(stream);
  }
  if (stream.overloaded) {
    stream.response = connection.handler().overloaded(stream.request);
    return answer(stream);
  }
  start(run_handler(*this, stream));
}

// The rest of a request that has had its answer: many clients read the answer only when they have sent everything, so
// we let them, up to a point (RFC 9113 8.1 allows to stop them at once).
void Http2Session::discard(Http2Stream& stream, std::size_t bytes) {
  stream.discarded += bytes;
  if (stream.discarded > kDiscardMax)
    nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_NO_ERROR);
}

void Http2Session::take_body(Http2Stream& stream, std::string_view bytes) {
  if (stream.answered || stream.request.body_too_large || stream.overloaded || stream.head_too_large)
    return discard(stream, bytes.size());
  const std::uint64_t limit = connection.options().body_bytes_max;
  std::string& body = stream.request.body;
  // The five bytes of a gRPC frame's prefix are not part of the message that the limit is about.
  if (limit != 0 && body.size() + bytes.size() > limit + 5) {
    stream.request.body_too_large = true;
    if (body.size() > 5) body.resize(5);
    stream.charge.release();
    return dispatch(stream);
  }
  if (!stream.charge.cover(kStreamBytes + stream.head_bytes + body.size() + bytes.size())) {
    stream.overloaded = true;
    body.clear();
    stream.charge.release();
    return dispatch(stream);
  }
  body += bytes;
  if (stream.reader) std::exchange(stream.reader, nullptr).resume();
}

// The handler has ended. True when nobody is left to hear the answer.
bool Http2Session::let_go(Http2Stream& stream) {
  stream.handling = false;
  --handling_;
  if (stream.closed || dead_) {
    forget(stream);
    if (handling_ == 0 && settled_) std::exchange(settled_, nullptr).resume();
    return true;
  }
  stream.answered = true;
  return false;
}

void Http2Session::answer(Http2Stream& stream) {
  if (let_go(stream)) return;
  if (!stream.charge.cover(kStreamBytes + stream.request.body.size() + stream.response.body.size()))
    stream.response = connection.handler().overloaded(stream.request);
  submit_head(stream, !stream.response.body.empty());
  // While no other request is under way, no other answer can join this one.
  if (handling_ == 0 && !receiving_) return pump();
  pump_soon();
}

void Http2Session::finish_stream(Http2Stream& stream, http::Response response) {
  if (let_go(stream)) return;
  stream.finished = true;
  if (stream.head_sent) {
    stream.response.trailers = std::move(response.trailers);
    stream.response.has_trailers = response.has_trailers;
    if (stream.deferred) nghttp2_session_resume_data(h2_, stream.id);
    stream.deferred = false;
  } else {
    stream.response = std::move(response);
    submit_head(stream, !stream.response.body.empty());
  }
  pump_soon();
}

void Http2Session::submit_head(Http2Stream& stream, bool body_follows) {
  stream.head_sent = true;
  fields_.clear();
  static constexpr std::string_view kOk = "200";
  static thread_local char status[4];
  std::string_view status_text = kOk;
  if (stream.response.status != 200) {
    status[0] = static_cast<char>('0' + stream.response.status / 100);
    status[1] = static_cast<char>('0' + stream.response.status / 10 % 10);
    status[2] = static_cast<char>('0' + stream.response.status % 10);
    status_text = {status, 3};
  }
  fields_.push_back(http2_field(":status", status_text));
  if (stream.response.status != 200) fields_.back().flags = NGHTTP2_NV_FLAG_NO_COPY_NAME;
  if (!stream.response.content_type.empty() && stream.response.status != 204)
    fields_.push_back(http2_field("content-type", stream.response.content_type));
  stream.response.headers.lower_names();
  stream.response.headers.for_each(
      [this](std::string_view name, std::string_view value) { fields_.push_back(http2_field(name, value)); });
  const bool head_only = stream.request.method == http::Method::head || stream.response.status == 204 ||
                         stream.response.status == 304;
  if (body_follows && !head_only) {
    nghttp2_data_provider provider{};
    provider.source.ptr = &stream;
    provider.read_callback = http2_read_body;
    nghttp2_submit_response(h2_, stream.id, fields_.data(), fields_.size(), &provider);
  } else if (stream.response.has_trailers) {
    // "Trailers-Only" of gRPC: one HEADERS frame with everything.
    append_fields(fields_, stream.response.trailers);
    nghttp2_submit_response(h2_, stream.id, fields_.data(), fields_.size(), nullptr);
  } else {
    nghttp2_submit_response(h2_, stream.id, fields_.data(), fields_.size(), nullptr);
  }
}

void Http2Session::stream_wrote(Http2Stream& stream) {
  if (!stream.head_sent) {
    submit_head(stream, true);
  } else if (stream.deferred) {
    stream.deferred = false;
    nghttp2_session_resume_data(h2_, stream.id);
  }
  pump_soon();
}

void Http2Session::stream_closed(Http2Stream& stream) {
  request_ended(stream);
  stream.closed = true;
  stream.cancel.requested = true;
  const bool handling = stream.handling;  // resuming the handler may end it, and with it the stream
  stream.tell_end();
  if (stream.sender) {
    std::exchange(stream.sender, nullptr).resume();
  } else if (stream.reader) {
    std::exchange(stream.reader, nullptr).resume();
  }
  if (!handling) forget(stream);
}

void Http2Session::forget(Http2Stream& stream) {
  std::unique_ptr<Http2Stream> owned(&stream);
  --open_streams_;
  (stream.previous != nullptr ? stream.previous->next : streams_) = stream.next;
  if (stream.next != nullptr) stream.next->previous = stream.previous;
  if (newest_stream_ == &stream) newest_stream_ = nullptr;
  stream.charge.release();
  if (spares_.size() < kSparesMax && stream.request.body.capacity() + stream.response.body.capacity() < kSpareBytes)
    spares_.push_back(std::move(owned));
}

bool Http2Session::too_fast(std::uint32_t& count, std::uint32_t limit) {
  const SteadyTime now = connection.loop().coarse_now();
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    resets_ = 0;
    control_ = 0;
  }
  return ++count > limit;
}

void Http2Session::count_frame(const nghttp2_frame& frame) {
  bool abuse = false;
  if (frame.hd.type == NGHTTP2_RST_STREAM) abuse = too_fast(resets_, kResetsMax);
  if ((frame.hd.type == NGHTTP2_PING || frame.hd.type == NGHTTP2_SETTINGS) &&
      (frame.hd.flags & NGHTTP2_FLAG_ACK) == 0)
    abuse = too_fast(control_, kControlMax);
  if (abuse) nghttp2_session_terminate_session(h2_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Http2Session::pump_soon() {
  if (receiving_ || pump_posted_) return;  // the end of this turn pumps
  pump_posted_ = true;
  ++handling_;  // keeps the session until the post has run
  loop().post([this] {
    pump_posted_ = false;
    --handling_;
    pump();
    if (handling_ == 0 && settled_) std::exchange(settled_, nullptr).resume();
  });
}

// Frames what is ready and sends it, while the socket takes it.
void Http2Session::pump() {
  while (!writing_ && !dead_) {
    const std::uint8_t* data = nullptr;
    while (out_.size() < kFlushAt) {
      const ssize_t n = nghttp2_session_mem_send(h2_, &data);
      if (n <= 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
    }
    if (out_.empty()) break;
    bool failed = false;
    const std::size_t sent = connection.write_now(out_, failed);
    if (failed) {
      dead_ = true;
    } else if (sent < out_.size() || connection.has_backlog()) {
      out_.erase(0, sent);
      writing_ = true;
      ++handling_;
      start(write_rest());
      return;
    }
    out_.clear();
  }
  if (dead_) {
    connection.close();
  } else if (!writing_ && nghttp2_session_want_read(h2_) == 0 && nghttp2_session_want_write(h2_) == 0) {
    connection.finish_sending();
  } else {
    set_deadline();
  }
}

Task<void> Http2Session::write_rest() {
  if (!co_await connection.write_all(out_)) dead_ = true;
  out_.clear();
  writing_ = false;
  pump();
  --handling_;
  if (handling_ == 0 && settled_) std::exchange(settled_, nullptr).resume();
}

void Http2Session::set_deadline() {
  if (writing_) return;
  if (streams_ != nullptr) {
    // A peer with open streams may be waiting for us; only half-sent requests are on the clock.
    if (half_sent_ > 0 && handling_ == 0) {
      connection.expect_within(kRequestTime);
    } else if (handling_ == 0) {
      connection.expect_within(connection.options().write_timeout);  // only unread answers are left
    } else {
      connection.expect_nothing();
    }
  } else {
    connection.expect_within(connection.options().idle_timeout);
  }
}

// The sweep found us late. An idle connection is told before it is closed, so that a request that is on its way is known
// not to have been taken.
bool Http2Session::end_idle() {
  if (going_away_ || streams_ != nullptr) return false;
  going_away_ = true;
  nghttp2_session_terminate_session(h2_, NGHTTP2_NO_ERROR);
  pump();
  return true;
}

void Http2Session::begin_drain() {
  nghttp2_submit_goaway(h2_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  for (Http2Stream* stream = streams_; stream != nullptr; stream = stream->next) stream->tell_end();
  pump();
}

bool Http2Session::upgrade(http::Request request, std::string_view settings) {
  Http2Stream& stream = open(1);
  const bool head = request.method == http::Method::head;
  stream.request = std::move(request);
  stream.peer_done = true;
  stream.request.is_http2 = true;
  stream.request.peer = connection.peer();
  stream.request.cancel = &stream.cancel;
  if (nghttp2_session_upgrade2(h2_, reinterpret_cast<const std::uint8_t*>(settings.data()), settings.size(),
                               head ? 1 : 0, &stream) != 0) {
    request_ended(stream);
    forget(stream);
    return false;
  }
  dispatch(stream);
  return true;
}

Task<void> Http2Session::run(std::string received) {
  std::string in = std::move(received);
  connection.set_idle(false);
  for (;;) {
    receiving_ = true;
    const ssize_t used =
        nghttp2_session_mem_recv(h2_, reinterpret_cast<const std::uint8_t*>(in.data()), in.size());
    receiving_ = false;
    if (consumed_ > 0) nghttp2_session_consume_connection(h2_, std::exchange(consumed_, 0));
    pump();
    if (dead_) break;
    const bool over = nghttp2_session_want_read(h2_) == 0 && nghttp2_session_want_write(h2_) == 0;
    if (used < 0 || (over && !writing_)) {
      co_await connection.linger();
      break;
    }
    in.resize_and_overwrite(kReadBytes, [](char*, std::size_t n) { return n; });
    Transfer got;
    if (connection.is_tls()) {
      got = co_await connection.read(in.data(), kReadBytes);
    } else {  // without a coroutine of its own
      got = co_await read_some(connection.socket(), in.data(), kReadBytes);
    }
    if (got.error) break;
    in.resize(got.bytes);
  }
  co_await settle();
}

// The connection is over; handlers that still run keep their streams until they end.
Task<void> Http2Session::settle() {
  dead_ = true;
  std::vector<std::coroutine_handle<>> readers;
  for (Http2Stream* stream = streams_; stream != nullptr; stream = stream->next) {
    stream->closed = true;
    stream->cancel.requested = true;
    stream->tell_end();
    if (stream->reader) readers.push_back(std::exchange(stream->reader, nullptr));
    if (stream->sender) readers.push_back(std::exchange(stream->sender, nullptr));
  }
  for (const auto reader : readers) reader.resume();
  if (handling_ > 0) {
    struct Wait {
      Http2Session& session;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> waiter) noexcept { session.settled_ = waiter; }
      void await_resume() const noexcept {}
    };
    co_await Wait{*this};
  }
}

Task<void> serve_http2(Connection& connection, std::string received) {
  Http2Session session(connection);
  co_await session.run(std::move(received));
}

Task<void> serve_http2_upgraded(Connection& connection, std::string received, http::Request request,
                                std::string settings) {
  Http2Session session(connection);
  if (!session.upgrade(std::move(request), settings)) co_return;
  co_await session.run(std::move(received));
}

}  // namespace holdfast::net
