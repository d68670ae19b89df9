// What nghttp2 calls while an Http2ClientSession reads and writes frames.
#include <fmt/format.h>

#include <cstring>

#include "net/http2_client_session.h"

namespace holdfast::net {

struct Http2ClientCallbacks {
  static Http2ClientSession& session(void* user) { return *static_cast<Http2ClientSession*>(user); }
  static Http2Exchange* exchange(nghttp2_session* h2, std::int32_t id) {
    return id == 0 ? nullptr : static_cast<Http2Exchange*>(nghttp2_session_get_stream_user_data(h2, id));
  }
  static std::string_view view(const std::uint8_t* data, std::size_t bytes) {
    return {reinterpret_cast<const char*>(data), bytes};
  }

  static int header(nghttp2_session* h2, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                    const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    if (Http2Exchange* const e = exchange(h2, frame->hd.stream_id)) {
      const bool is_trailer = frame->headers.cat == NGHTTP2_HCAT_HEADERS;
      session(user).take_field(*e, is_trailer, view(name, name_bytes), view(value, value_bytes));
    }
    return 0;
  }

  static int frame_recv(nghttp2_session* h2, const nghttp2_frame* frame, void* user) {
    Http2ClientSession& self = session(user);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
      case NGHTTP2_RST_STREAM:
        take_part(self, exchange(h2, frame->hd.stream_id), *frame);
        break;
      case NGHTTP2_SETTINGS:
      case NGHTTP2_PING:
        take_control(self, *frame);
        break;
      case NGHTTP2_GOAWAY:
        self.take_goaway(frame->goaway);
        break;
      default:
        break;
    }
    return 0;
  }

  static void take_part(Http2ClientSession& self, Http2Exchange* exchange, const nghttp2_frame& frame) {
    if (exchange == nullptr || exchange->is_done) return;
    if (frame.hd.type == NGHTTP2_HEADERS) exchange->has_head = true;
    if (frame.hd.type == NGHTTP2_RST_STREAM) {
      exchange->was_reset = true;
    } else if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      self.answer_ended(*exchange);
    }
  }

  static void take_control(Http2ClientSession& self, const nghttp2_frame& frame) {
    const bool is_ack = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (!is_ack) self.count_control_frame();
    if (frame.hd.type == NGHTTP2_SETTINGS && !is_ack) self.is_ready_ = true;
    if (frame.hd.type == NGHTTP2_PING && is_ack) self.is_ping_due_ = false;
  }

  static int data_chunk(nghttp2_session* h2, std::uint8_t flags, std::int32_t id, const std::uint8_t* data,
                        std::size_t bytes, void* user) {
    if (Http2Exchange* const e = exchange(h2, id)) {
      session(user).take_body(*e, view(data, bytes), (flags & NGHTTP2_FLAG_END_STREAM) != 0);
    } else {
      session(user).consumed_ += bytes;
    }
    return 0;
  }

  static int stream_close(nghttp2_session* h2, std::int32_t id, std::uint32_t error_code, void* user) {
    if (Http2Exchange* const e = exchange(h2, id)) session(user).stream_closed(*e, error_code);
    return 0;
  }

  // nghttp2 resets the stream.
  static int invalid_frame(nghttp2_session* h2, const nghttp2_frame* frame, int error_code, void* user) {
    if (Http2Exchange* const e = exchange(h2, frame->hd.stream_id))
      session(user).break_off(*e, fmt::format("it broke the protocol: {}", nghttp2_strerror(error_code)));
    return 0;
  }

  static int frame_send(nghttp2_session* h2, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (Http2Exchange* const e = exchange(h2, frame->hd.stream_id)) e->is_sent = true;
    }
    if (frame->hd.type == NGHTTP2_GOAWAY) give_reason(session(user), frame->goaway);
    return 0;
  }

  // nghttp2 ends the connection because of something that came, and says why to the server.
  static void give_reason(Http2ClientSession& self, const nghttp2_goaway& frame) {
    if (frame.error_code == NGHTTP2_NO_ERROR || !self.failure_.empty()) return;
    self.failure_ = fmt::format("it broke the protocol: {}", nghttp2_http2_strerror(frame.error_code));
    if (frame.opaque_data_len > 0) self.failure_.append(": ").append(view(frame.opaque_data, frame.opaque_data_len));
  }

  static int error(nghttp2_session*, int code, const char*, std::size_t, void* user) {
    if (code == NGHTTP2_ERR_SETTINGS_EXPECTED) session(user).failure_ = "it does not speak HTTP/2";
    return 0;
  }

  static ssize_t read_request(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                              nghttp2_data_source* source, void*) {
    Http2Exchange& e = *static_cast<Http2Exchange*>(source->ptr);
    const std::size_t n = std::min(room, e.out.size() - e.out_at);
    std::memcpy(to, e.out.data() + e.out_at, n);
    e.out_at += n;
    if (e.out_at == e.out.size()) {
      if (e.is_stream) {
        e.out.clear();
        e.out_at = 0;
      }
      if (e.out_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      } else if (n == 0) {
        e.is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
      }
    }
    return static_cast<ssize_t>(n);
  }

  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* made = nullptr;
    nghttp2_session_callbacks_new(&made);
    nghttp2_session_callbacks_set_on_header_callback(made, header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, frame_send);
    nghttp2_session_callbacks_set_error_callback2(made, error);
    return made;
  }
};

ssize_t http2_read_request(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void* user) {
  return Http2ClientCallbacks::read_request(h2, id, to, room, flags, source, user);
}

const nghttp2_session_callbacks* http2_client_callbacks() {
  static const nghttp2_session_callbacks* const made = Http2ClientCallbacks::make();
  return made;
}

}  // namespace holdfast::net
