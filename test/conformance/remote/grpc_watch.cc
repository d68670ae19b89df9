#include "conformance/remote/grpc_watch.h"

#include <utility>

#include "conformance/remote/grpc_forms.h"

namespace holdfast::conformance {

using state::WatchEvent;

namespace pb = ::holdfast::v2;

namespace {

std::optional<WatchEvent::Kind> kind_of(pb::WatchEvent::Kind kind) {
  switch (kind) {
    case pb::WatchEvent::KIND_READY:
      return WatchEvent::Kind::ready;
    case pb::WatchEvent::KIND_PUT:
      return WatchEvent::Kind::put;
    case pb::WatchEvent::KIND_DELETE:
      return WatchEvent::Kind::erase;
    case pb::WatchEvent::KIND_EXPIRE:
      return WatchEvent::Kind::expire;
    case pb::WatchEvent::KIND_RESYNC:
      return WatchEvent::Kind::resync;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<std::unique_ptr<EventSource>> GrpcEvents::open(std::uint16_t port, const std::string& store,
                                                      const state::WatchRequest& request) {
  auto client = GrpcClient::connect(port);
  if (!client) return fail(client.error());
  pb::WatchRequest ask;
  ask.set_store(store);
  if (request.exact)
    ask.set_key(std::string(request.prefix));
  else
    ask.set_prefix(std::string(request.prefix));
  ask.set_want_values(request.want_values);
  ask.set_resume(std::string(request.resume));
  if (const Status begun = (*client)->begin("/holdfast.v2.State/Watch", ask.SerializeAsString()); !begun)
    return fail(begun.error());
  auto first = (*client)->next_message();
  if (first) return std::make_unique<GrpcEvents>(std::move(*client), std::move(*first));
  const auto answer = (*client)->finish();
  if (!answer) return fail(answer.error());
  return fail(code_of(answer->code, answer->reason), answer->message);
}

std::optional<WatchEvent> GrpcEvents::next() {
  const auto message = first_ ? std::exchange(first_, std::nullopt) : client_->next_message();
  pb::WatchEvent from;
  if (!message || !from.ParseFromString(*message)) return std::nullopt;
  const auto kind = kind_of(from.kind());
  if (!kind) return std::nullopt;
  WatchEvent event{.kind = *kind, .key = from.key(), .record = {}, .resume = from.resume()};
  if (from.has_record()) event.record = record_of(from.record(), true);
  return event;
}

}  // namespace holdfast::conformance
