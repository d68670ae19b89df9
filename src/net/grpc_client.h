// gRPC calls to one server, over an Http2Client. Source: PROTOCOL-HTTP2.md and http-grpc-status-mapping.md of grpc.io.
//
// A Result's error is the transport's alone; what the server said, success or not, is a GrpcReply. All of it belongs to
// one loop and is used on its thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/http2_client.h"
#include "wire/grpc/grpc.h"

namespace holdfast::net {

// What the server said.
struct GrpcReply {
  grpc::Code code = grpc::Code::ok;
  std::string text;  // with ok the reply message (protobuf bytes), else the server's words (grpc-message, decoded)
};

struct GrpcStreamMessage {
  bool ended = false;  // always with a code other than ok
  grpc::Code code = grpc::Code::ok;
  std::string text;  // not ended: the message (protobuf bytes). Ended: the server's words
};

// One bidirectional call on its way. Destroying it cancels it; not while its read() is awaited. Of its client, which
// outlives it.
class GrpcStream {
 public:
  virtual ~GrpcStream() = default;
  // Sends a message. False when the stream is over, or when 1 MiB waits to be sent already.
  virtual bool write(std::string_view message) = 0;
  virtual void end_writing() = 0;
  // The next message, or with `ended` why the server has ended the stream; nothing is read after that, or after an
  // error. Errors as Http2ClientStream::read. One reader at a time. No more than 1 MiB comes that nobody has read,
  // beside one message that has come in part: of reply_bytes_max at most, else it ends with Code::internal.
  virtual Task<Result<GrpcStreamMessage>> read() = 0;
  // read() ends soon, and not inside this call.
  virtual void cancel() = 0;
};

class GrpcClient {
 public:
  GrpcClient(Loop& loop, Http2ClientOptions options);
  // After close() has finished, with no call and no stream left.
  ~GrpcClient();

  // `method` as "/etcdserverpb.KV/Range"; `request` is protobuf bytes; values of metadata whose names end in -bin come
  // as grpc::encode_binary makes them. All of them are copied when the task is started. Errors as
  // Http2Client::call: unavailable may safely be tried again, outcome_unknown, deadline_exceeded was not sent,
  // overloaded. The server is not told the deadline; when it passes, the server is told to stop.
  Task<Result<GrpcReply>> call(std::string_view method, std::string_view request, Http2Fields metadata,
                               SteadyTime deadline);
  std::unique_ptr<GrpcStream> open(std::string_view method, Http2Fields metadata);

  // As Http2Client's.
  bool is_connected() const { return http_.is_connected(); }
  std::size_t in_flight() const { return http_.in_flight(); }
  Task<Status> connect(SteadyTime deadline) { return http_.connect(deadline); }
  Task<void> close(SteadyTime deadline) { return http_.close(deadline); }
  void reset(std::string reason) { http_.reset(std::move(reason)); }

 private:
  const std::size_t message_bytes_max_;
  Http2Client http_;
};

}  // namespace holdfast::net
