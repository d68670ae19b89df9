#include "conformance/remote/grpc_client.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <map>

#include "base/encoding.h"
#include "conformance/remote/http_client.h"
#include "wire/protobuf/fields.h"

namespace holdfast::conformance {

namespace {

constexpr std::int32_t kWindow = 16 << 20;

nghttp2_nv field(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NONE};
}

// The ErrorInfo of a google.rpc.Status: its reason, and what its metadata says of the etag.
void read_error_info(std::string_view info, GrpcAnswer& answer) {
  protobuf::Reader fields(info);
  while (fields.next()) {
    if (fields.field() == 1) answer.reason = fields.bytes();
    if (fields.field() != 3) continue;
    std::string_view name;
    std::string_view value;
    protobuf::Reader entry(fields.bytes());
    while (entry.next()) (entry.field() == 1 ? name : value) = entry.bytes();
    if (name == "current_etag") answer.etag_tag = value;
    if (name == "operation") answer.operation = value;
  }
}

void read_details(std::string_view encoded, GrpcAnswer& answer) {
  std::string padded(encoded);
  while (padded.size() % 4 != 0) padded += '=';
  const auto status = base64_decode(padded);
  if (!status) return;
  protobuf::Reader fields(*status);
  while (fields.next()) {
    if (fields.field() != 3 || !fields.is_bytes()) continue;
    std::string_view type;
    std::string_view value;
    protobuf::Reader any(fields.bytes());
    while (any.next()) (any.field() == 1 ? type : value) = any.bytes();
    if (type.ends_with("google.rpc.ErrorInfo")) read_error_info(value, answer);
  }
}

}  // namespace

struct GrpcClient::Impl {
  int fd = -1;
  nghttp2_session* h2 = nullptr;
  // Of the call that runs.
  std::string out;
  std::size_t sent = 0;
  std::string in;
  std::map<std::string, std::string> fields;
  bool closed = false;

  static Impl& self(void* user) { return *static_cast<Impl*>(user); }
  static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_bytes,
                       const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    self(user).fields[std::string(reinterpret_cast<const char*>(name), name_bytes)] =
        std::string(reinterpret_cast<const char*>(value), value_bytes);
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t bytes,
                     void* user) {
    self(user).in.append(reinterpret_cast<const char*>(data), bytes);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
    self(user).closed = true;
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                           nghttp2_data_source*, void* user) {
    Impl& impl = self(user);
    const std::size_t n = std::min(room, impl.out.size() - impl.sent);
    std::memcpy(to, impl.out.data() + impl.sent, n);
    impl.sent += n;
    if (impl.sent == impl.out.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  bool flush();
  bool receive();
};

bool GrpcClient::Impl::flush() {
  const std::uint8_t* data = nullptr;
  for (ssize_t n = 0; (n = nghttp2_session_mem_send(h2, &data)) > 0;) {
    for (ssize_t done = 0; done < n;) {
      const ssize_t wrote = ::send(fd, data + done, static_cast<std::size_t>(n - done), MSG_NOSIGNAL);
      if (wrote <= 0) return false;
      done += wrote;
    }
  }
  return true;
}

bool GrpcClient::Impl::receive() {
  std::array<std::uint8_t, 16 * 1024> chunk;
  const ssize_t n = ::recv(fd, chunk.data(), chunk.size(), 0);
  return n > 0 && nghttp2_session_mem_recv(h2, chunk.data(), static_cast<std::size_t>(n)) >= 0;
}

Result<std::unique_ptr<GrpcClient>> GrpcClient::connect(std::uint16_t port) {
  const int fd = connect_to_loopback(port);
  if (fd < 0) return fail(Errc::unavailable, fmt::format("nobody listens on port {}", port));
  return std::make_unique<GrpcClient>(fd);
}

GrpcClient::GrpcClient(int fd) : impl_(std::make_unique<Impl>()) {
  impl_->fd = fd;
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Impl::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Impl::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Impl::on_close);
  nghttp2_session_client_new(&impl_->h2, callbacks, impl_.get());
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow};
  nghttp2_submit_settings(impl_->h2, NGHTTP2_FLAG_NONE, &window, 1);
  nghttp2_session_set_local_window_size(impl_->h2, NGHTTP2_FLAG_NONE, 0, kWindow);
}

GrpcClient::~GrpcClient() {
  nghttp2_session_del(impl_->h2);
  ::close(impl_->fd);
}

void GrpcClient::shut_down() { ::shutdown(impl_->fd, SHUT_RDWR); }

Status GrpcClient::begin(std::string_view method, std::string_view message) {
  Impl& impl = *impl_;
  impl.out.clear();
  grpc::append_frame(impl.out, message);
  impl.sent = 0;
  impl.in.clear();
  impl.fields.clear();
  impl.closed = false;
  const nghttp2_nv head[] = {field(":method", "POST"),
                             field(":scheme", "http"),
                             field(":path", method),
                             field(":authority", "127.0.0.1"),
                             field("content-type", "application/grpc"),
                             field("te", "trailers")};
  nghttp2_data_provider provider{};
  provider.read_callback = Impl::read_body;
  if (nghttp2_submit_request(impl.h2, nullptr, head, std::size(head), &provider, nullptr) < 0)
    return fail(Errc::unavailable, "the connection takes no further call");
  return {};
}

std::optional<std::string> GrpcClient::next_message() {
  Impl& impl = *impl_;
  for (;;) {
    if (auto frame = grpc::take_frame(impl.in)) return std::move(frame->message);
    if (impl.closed || !impl.flush() || !impl.receive()) return std::nullopt;
  }
}

Result<GrpcAnswer> GrpcClient::finish() {
  Impl& impl = *impl_;
  while (!impl.closed)
    if (!impl.flush() || !impl.receive()) return fail(Errc::unavailable, "the daemon closed the connection");
  GrpcAnswer answer;
  int code = 0;
  const std::string& status = impl.fields["grpc-status"];
  if (std::from_chars(status.data(), status.data() + status.size(), code).ec != std::errc())
    return fail(Errc::internal, "the answer has no grpc-status");
  answer.code = static_cast<grpc::Code>(code);
  answer.message = percent_decode(impl.fields["grpc-message"], Plus::literal).value_or("malformed grpc-message");
  read_details(impl.fields["grpc-status-details-bin"], answer);
  return answer;
}

Result<GrpcAnswer> GrpcClient::call(std::string_view method, std::string_view message) {
  if (const Status begun = begin(method, message); !begun) return fail(begun.error());
  auto answer = finish();
  if (!answer || answer->code != grpc::Code::ok) return answer;
  auto frame = grpc::take_frame(impl_->in);
  if (!frame || frame->compressed || !impl_->in.empty()) return fail(Errc::internal, "the answer is not one message");
  answer->body = std::move(frame->message);
  return answer;
}

}  // namespace holdfast::conformance
