// holdfast.v2.State/Watch: a stream of events.
#include "api/caller.h"
#include "api/grpc/messages.h"
#include "api/grpc/v2_record.h"
#include "api/grpc/v2_status.h"
#include "api/v2.h"
#include "api/watch.h"
#include "holdfast/v2/state.pb.h"
#include "wire/protobuf/fields.h"

namespace holdfast::api {

namespace pb = ::holdfast::v2;

namespace {

// A request is a store's name, a key and a token.
constexpr std::size_t kRequestBytesMax = 64 * 1024;

pb::WatchEvent::Kind kind_of(state::WatchEvent::Kind kind) {
  using Kind = state::WatchEvent::Kind;
  switch (kind) {
    case Kind::put: return pb::WatchEvent::KIND_PUT;
    case Kind::erase: return pb::WatchEvent::KIND_DELETE;
    case Kind::expire: return pb::WatchEvent::KIND_EXPIRE;
    case Kind::resync: return pb::WatchEvent::KIND_RESYNC;
    case Kind::ready: return pb::WatchEvent::KIND_READY;
  }
  return pb::WatchEvent::KIND_UNSPECIFIED;
}

class WatchEvents final : public WatchForm {
 public:
  WatchEvents(RecordPlace place, bool want_values) : place_(place), want_values_(want_values) {}

  void append(std::string& out, const state::WatchEvent& event) override {
    const std::size_t frame = grpc::begin_frame(out);
    protobuf::append_uint(out, pb::WatchEvent::kKindFieldNumber, static_cast<std::uint64_t>(kind_of(event.kind)));
    append_text(out, pb::WatchEvent::kKeyFieldNumber, event.key);
    if (event.record && want_values_) {
      append_record_field(out, pb::WatchEvent::kRecordFieldNumber, place_, event.key, *event.record,
                          event.record->value);
    } else if (event.record) {
      std::string brief;
      append_text(brief, pb::Record::kKeyFieldNumber, event.key);
      protobuf::append_bytes(brief, pb::Record::kEtagFieldNumber, entity_tag(event.record->etag));
      protobuf::append_message(out, pb::WatchEvent::kRecordFieldNumber, brief);
    }
    protobuf::append_bytes(out, pb::WatchEvent::kResumeFieldNumber, event.resume);
    grpc::end_frame(out, frame);
  }
  std::string_view content_type() const override { return "application/grpc"; }

 private:
  static void append_text(std::string& out, int field, std::string_view text) {
    const auto number = static_cast<std::uint32_t>(field);
    if (is_utf8(text)) return protobuf::append_bytes(out, number, text);
    protobuf::append_bytes(out, number, field_text(text));
  }

  RecordPlace place_;
  const bool want_values_;
};

// The one message of the request. Nothing when there is none, or it is too large.
Task<std::optional<std::string>> read_message(net::BodyStream& stream) {
  std::string buffer;
  while (buffer.size() <= kRequestBytesMax) {
    if (auto frame = grpc::take_frame(buffer)) {
      if (frame->compressed) co_return std::nullopt;
      co_return std::move(frame->message);
    }
    const auto bytes = co_await stream.read();
    if (!bytes) break;
    buffer += *bytes;
  }
  co_return std::nullopt;
}

GrpcStatus status_of(WatchList::End end, std::string_view store) {
  switch (end) {
    case WatchList::End::client_gone: return {grpc::Code::cancelled, "the client has gone", {}};
    case WatchList::End::token_changed: return {grpc::Code::unauthenticated, "the token is no longer what it was", {}};
    case WatchList::End::server_drains:
      return failure(Error(Errc::unavailable, "the sidecar stops; watch again with the last `resume`"));
    case WatchList::End::store_gone: break;
  }
  return failure(Error(Errc::unavailable, "state store " + std::string(store) +
                                              " was replaced or removed; watch again with the last `resume`"));
}

class HoldfastWatch final : public GrpcService {
 public:
  HoldfastWatch(service::Service& service, const service::Runtime& runtime, LoopContext& context)
      : v2_(service, runtime), context_(context), watches_(service.loop()) {
    streaming_.emplace("/holdfast.v2.State/Watch", [this](http::Request& head, net::BodyStream& stream) {
      return watch(head, stream);
    });
  }

 private:
  // What is asked for ends with the opening: a stream that goes on keeps none of it.
  struct Opened {
    std::unique_ptr<service::Watch> watch;
    std::optional<std::string_view> isolation;  // points into the head
    bool want_values = false;
  };
  Task<std::expected<Opened, GrpcStatus>> open(const http::Request& head, net::BodyStream& stream) {
    const service::CallContext context = call_context(head, v2_.runtime());
    const auto message = co_await read_message(stream);
    pb::WatchRequest request;
    if (!message || !parse_message(*message, request)) co_return std::unexpected(malformed());
    auto entry = v2_.find_store(request.store());
    if (!entry) co_return std::unexpected(failure(entry.error()));
    service::WatchWhat what{
        .prefix = request.prefix(), .key = {}, .resume = request.resume(), .want_values = request.want_values()};
    if (request.has_key()) {
      if (auto ok = check_v2_key(request.key()); !ok) co_return std::unexpected(failure(ok.error()));
      what.key = request.key();
    }
    auto watch = co_await v2_.service().watch(std::move(*entry), context, what);
    if (!watch) co_return std::unexpected(failure(watch.error()));
    co_return Opened{std::move(*watch), context.isolation, request.want_values()};
  }

  Task<GrpcStatus> watch(http::Request& head, net::BodyStream& stream) {
    auto opened = co_await open(head, stream);
    if (!opened) co_return std::move(opened.error());
    WatchEvents form({opened->watch->entry(), opened->isolation}, opened->want_values);
    const auto end = co_await watches_.run(*opened->watch, stream, form, head, context_.access);
    co_return status_of(end, opened->watch->entry().name);
  }

  V2 v2_;
  LoopContext& context_;
  WatchList watches_;
};

}  // namespace

std::unique_ptr<GrpcService> make_holdfast_watch(service::Service& service, const service::Runtime& runtime,
                                                 LoopContext& context) {
  return std::make_unique<HoldfastWatch>(service, runtime, context);
}

}  // namespace holdfast::api
