// What nghttp2 calls while it reads and writes frames.
#include <cstring>

#include "net/http2_session.h"

namespace holdfast::net {

nghttp2_nv http2_field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

void append_fields(std::vector<nghttp2_nv>& fields, const http::HeaderBlock& block) {
  for (std::size_t i = 0; i < block.size(); ++i) fields.push_back(http2_field(block.name(i), block.value(i)));
}

// nghttp2's callbacks, with the session as user data and the Http2Stream as stream user data.
struct Http2Callbacks {
  static Http2Session& session(void* user) { return *static_cast<Http2Session*>(user); }
  // Frames of one request mostly follow one another: the stream opened last needs no look-up.
  static Http2Stream* stream(nghttp2_session* h2, std::int32_t id, void* user) {
    Http2Stream* const newest = session(user).newest_stream_;
    if (newest != nullptr && newest->id == id && !newest->closed) return newest;
    return static_cast<Http2Stream*>(nghttp2_session_get_stream_user_data(h2, id));
  }

  static int begin_headers(nghttp2_session* h2, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Http2Stream& opened = session(user).open(frame->hd.stream_id);
    nghttp2_session_set_stream_user_data(h2, frame->hd.stream_id, &opened);
    return 0;
  }

  static int begin_frame(nghttp2_session* h2, const nghttp2_frame_hd* head, void* user) {
    if (head->type == NGHTTP2_HEADERS && session(user).was_skipped(head->stream_id))
      nghttp2_session_terminate_session(h2, NGHTTP2_PROTOCOL_ERROR);
    return 0;
  }

  static int header(nghttp2_session* h2, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                    const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    Http2Stream* s = stream(h2, frame->hd.stream_id, user);
    if (s == nullptr || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    s->head_bytes += name_bytes + value_bytes + 32;  // RFC 9113 6.5.2
    if (s->head_bytes > session(user).connection.options().h2_head_bytes_max) {
      s->head_too_large = true;
      return 0;
    }
    const std::string_view n(reinterpret_cast<const char*>(name), name_bytes);
    const std::string_view v(reinterpret_cast<const char*>(value), value_bytes);
    if (n == ":method") {
      s->request.method = http::parse_method(v);
      if (s->request.method == http::Method::other) s->request.unknown_method = v;
    } else if (n == ":path") {
      s->request.target = v;
    } else if (n == ":authority") {
      s->request.headers.add_lower("host", v);
    } else if (!n.starts_with(':')) {
      s->request.headers.add_lower(n, v);
    }
    return 0;
  }

  static int frame_recv(nghttp2_session* h2, const nghttp2_frame* frame, void* user) {
    Http2Session& self = session(user);
    self.count_frame(*frame);
    Http2Stream* s = stream(h2, frame->hd.stream_id, user);
    if (s == nullptr) return 0;
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) self.finish_head(*s);
    if (ended && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA)) {
      s->peer_done = true;
      self.dispatch(*s);
    }
    return 0;
  }

  static int data_chunk(nghttp2_session* h2, std::uint8_t flags, std::int32_t id, const std::uint8_t* data,
                        std::size_t bytes, void* user) {
    if (Http2Stream* s = stream(h2, id, user))
      session(user).take_body(*s, {reinterpret_cast<const char*>(data), bytes});
    // The stream's window matters while more may come; the connection's is opened once for all that was received.
    if ((flags & NGHTTP2_FLAG_END_STREAM) == 0) nghttp2_session_consume_stream(h2, id, bytes);
    session(user).consumed_ += bytes;
    return 0;
  }

  static int stream_close(nghttp2_session* h2, std::int32_t id, std::uint32_t, void* user) {
    if (Http2Stream* s = stream(h2, id, user)) session(user).stream_closed(*s);
    return 0;
  }

  static ssize_t read_body(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Http2Stream& s = *static_cast<Http2Stream*>(source->ptr);
    const std::size_t n = std::min(room, s.response.body.size() - s.body_at);
    std::memcpy(to, s.response.body.data() + s.body_at, n);
    s.body_at += n;
    if (s.body_at < s.response.body.size()) return static_cast<ssize_t>(n);
    if (s.streaming && !s.finished) {
      if (n > 0 || s.body_at > 0) s.all_left();
      if (n > 0) return static_cast<ssize_t>(n);
      s.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (s.response.has_trailers) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      submit_trailers(h2, id, s);
    }
    return static_cast<ssize_t>(n);
  }

  static void submit_trailers(nghttp2_session* h2, std::int32_t id, Http2Stream& s) {
    std::vector<nghttp2_nv>& fields = s.session.fields_;
    fields.clear();
    append_fields(fields, s.response.trailers);
    nghttp2_submit_trailer(h2, id, fields.data(), fields.size());
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(made, header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_close);
    return made;
  }
};

ssize_t http2_read_body(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                        nghttp2_data_source* source, void* user) {
  return Http2Callbacks::read_body(h2, id, to, room, flags, source, user);
}

const nghttp2_session_callbacks* http2_callbacks() {
  static const nghttp2_session_callbacks* const made = Http2Callbacks::make();
  return made;
}

}  // namespace holdfast::net
