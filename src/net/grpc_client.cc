#include "net/grpc_client.h"

#include <fmt/format.h>

#include <array>

#include "net/byte_queue.h"

namespace holdfast::net {

namespace {

using grpc::Code;
using grpc::kPrefixBytes;

constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kFields{{
    {"content-type", "application/grpc"},
    {"te", "trailers"},
    {"user-agent", "holdfast"},
}};

Http2Request request_of(std::string_view method, Http2Fields metadata) {
  return {.path = method, .fields = kFields, .more_fields = metadata};
}

// Where there was no body, everything is in one block of fields ("Trailers-Only").
std::string_view status_field(const Http2Answer& answer, std::string_view name) {
  const std::string_view value = answer.trailers.find(name);
  return value.empty() ? answer.headers.find(name) : value;
}

GrpcReply not_grpc(const Http2Answer& answer) {
  const Code code = grpc::code_of_http_status(answer.status);
  const std::string_view type = answer.headers.find("content-type");
  if (answer.status != 200) return {code, fmt::format("the server answered with HTTP status {}", answer.status)};
  if (!type.starts_with("application/grpc"))
    return {code, fmt::format("the server answered with \"{}\", which is not gRPC", type)};
  return {code, "the server's answer ended without grpc-status"};
}

bool is_grpc(const Http2Answer& answer) {
  return answer.status == 200 && answer.headers.find("content-type").starts_with("application/grpc");
}

// What the server says of a call that has ended; with ok the text is still missing.
GrpcReply status_of(const Http2Answer& answer) {
  const std::string_view status = status_field(answer, "grpc-status");
  if (status.empty()) return not_grpc(answer);
  const Code code = grpc::parse_status(status);
  if (code == Code::ok) return {};
  return {code, grpc::decode_message(status_field(answer, "grpc-message"))};
}

GrpcReply reply_of(Http2Answer& answer) {
  GrpcReply reply = status_of(answer);
  if (reply.code != Code::ok) return reply;
  std::string_view message;
  switch (grpc::parse_unary(answer.body, message)) {
    case grpc::FrameError::none:
      answer.body.erase(0, kPrefixBytes);
      return {Code::ok, std::move(answer.body)};
    case grpc::FrameError::compressed:
      return {Code::internal, "the server's reply is compressed, which nobody had asked for"};
    case grpc::FrameError::incomplete:
      return {Code::internal, "the server said OK and sent no whole message"};
    case grpc::FrameError::trailing:
      return {Code::internal, "the server sent more than the one message that was due"};
  }
  return {Code::internal, ""};
}

class StreamOverHttp2 final : public GrpcStream {
 public:
  StreamOverHttp2(std::unique_ptr<Http2ClientStream> stream, std::size_t message_bytes_max)
      : stream_(std::move(stream)), message_bytes_max_(message_bytes_max) {}

  bool write(std::string_view message) override;
  void end_writing() override { stream_->end_writing(); }
  Task<Result<GrpcStreamMessage>> read() override;
  void cancel() override { stream_->cancel(); }

 private:
  // The first whole message of what has come, or why there cannot be one.
  std::optional<GrpcStreamMessage> take();
  GrpcStreamMessage ended() const;
  GrpcStreamMessage give_up(Code code, std::string why);

  const std::unique_ptr<Http2ClientStream> stream_;
  const std::size_t message_bytes_max_;
  ByteQueue in_;
  std::string frame_;  // of write()
};

bool StreamOverHttp2::write(std::string_view message) {
  frame_.clear();
  grpc::append_frame(frame_, message);
  return stream_->write(frame_);
}

Task<Result<GrpcStreamMessage>> StreamOverHttp2::read() {
  for (;;) {
    if (auto message = take()) co_return std::move(*message);
    const Result<std::string> bytes = co_await stream_->read();
    if (!bytes) co_return fail(bytes.error());
    if (bytes->empty()) co_return ended();
    if (!is_grpc(stream_->answer())) {
      GrpcReply reply = not_grpc(stream_->answer());
      co_return give_up(reply.code, std::move(reply.text));
    }
    in_.shrink();
    in_.append(*bytes);
  }
}

std::optional<GrpcStreamMessage> StreamOverHttp2::take() {
  const std::string_view bytes = in_.view();
  if (bytes.size() < kPrefixBytes) return std::nullopt;
  if (bytes[0] != 0) return give_up(Code::internal, "the server's message is compressed, which nobody had asked for");
  const std::size_t size = grpc::announced_bytes(bytes);
  if (size > message_bytes_max_)
    return give_up(Code::internal, fmt::format("the server's message has {} bytes, and {} are the most that is taken",
                                               size, message_bytes_max_));
  if (bytes.size() - kPrefixBytes < size) return std::nullopt;
  GrpcStreamMessage message{false, Code::ok, std::string(bytes.substr(kPrefixBytes, size))};
  in_.consume(kPrefixBytes + size);
  return message;
}

GrpcStreamMessage StreamOverHttp2::ended() const {
  GrpcReply reply = status_of(stream_->answer());
  if (reply.code == Code::ok && !in_.empty()) return {true, Code::internal, "the server has ended within a message"};
  return {true, reply.code, std::move(reply.text)};
}

GrpcStreamMessage StreamOverHttp2::give_up(Code code, std::string why) {
  stream_->cancel();
  in_.clear();
  return {true, code, std::move(why)};
}

}  // namespace

GrpcClient::GrpcClient(Loop& loop, Http2ClientOptions options)
    : message_bytes_max_(options.reply_bytes_max), http_(loop, std::move(options)) {}
GrpcClient::~GrpcClient() = default;

Task<Result<GrpcReply>> GrpcClient::call(std::string_view method, std::string_view request, Http2Fields metadata,
                                         SteadyTime deadline) {
  const auto prefix = grpc::prefix_of(request.size());
  Http2Request sent = request_of(method, metadata);
  sent.body_prefix = {prefix.data(), prefix.size()};
  sent.body = request;
  auto call = http_.call(sent, deadline);
  Status answered = co_await call;
  if (!answered) co_return fail(std::move(answered.error()));
  co_return reply_of(call.answer());
}

std::unique_ptr<GrpcStream> GrpcClient::open(std::string_view method, Http2Fields metadata) {
  return std::make_unique<StreamOverHttp2>(http_.open(request_of(method, metadata)), message_bytes_max_);
}

}  // namespace holdfast::net
