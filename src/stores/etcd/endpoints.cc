#include "stores/etcd/endpoints.h"

#include <fmt/format.h>

namespace holdfast::stores::etcd {

namespace {

// How long a server may be silent before it is asked whether it is there, and then again before it is given up.
constexpr Milliseconds kSilence{400};
constexpr std::string_view kSigningIn = "sign in";

net::Http2ClientOptions options_of(const EtcdSettings& settings, const net::Endpoint& endpoint,
                                   std::shared_ptr<const net::TlsClientContext> tls) {
  net::Http2ClientOptions options;
  options.endpoint = endpoint;
  options.tls = std::move(tls);
  options.name = settings.place();
  options.connect_timeout = settings.connect_timeout;
  options.reply_timeout = kSilence;
  return options;
}

}  // namespace

Endpoints::Endpoints(net::Loop& loop, const EtcdSettings& settings, std::shared_ptr<const net::TlsClientContext> tls,
                     std::size_t first)
    : settings_(settings), current_(first % settings.endpoints.size()) {
  for (const net::Endpoint& endpoint : settings.endpoints)
    servers_.emplace_back(loop, options_of(settings, endpoint, tls));
}

Task<Status> Endpoints::connect(SteadyTime deadline) {
  Status status;
  for (std::size_t tried = 0; tried < servers_.size(); ++tried) {
    const std::size_t server = current_;
    status = co_await servers_[server].connect(deadline);
    if (status) co_return co_await prepare(deadline);
    move_on(server);
  }
  co_return status;
}

Task<void> Endpoints::close(SteadyTime deadline) {
  for (net::GrpcClient& server : servers_) co_await server.close(deadline);
}

void Endpoints::move_on(std::size_t from) {
  if (from == current_) current_ = (current_ + 1) % servers_.size();
}

std::vector<std::pair<std::string_view, std::string_view>> Endpoints::metadata(bool needs_leader) const {
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  // A member without a leader says so at once, where it would keep us waiting else.
  if (needs_leader) fields.emplace_back("hasleader", "true");
  if (!token_.empty()) fields.emplace_back("token", token_);
  return fields;
}

Task<Status> Endpoints::prepare(SteadyTime deadline) {
  if (settings_.username.empty() || !token_.empty()) co_return Status();
  co_return co_await sign_in(deadline);
}

Task<Status> Endpoints::sign_in(SteadyTime deadline) {
  std::string request;
  holdfast::etcd::append_authenticate(request, settings_.username, settings_.password);
  token_.clear();
  auto answer = co_await call(
      {.method = holdfast::etcd::kAuthenticate, .request = request, .doing = kSigningIn, .deadline = deadline});
  if (!answer) co_return fail(std::move(answer.error()));
  const auto token = holdfast::etcd::read_token(*answer);
  if (!token) co_return fail(token.error());
  token_ = *token;
  co_return Status();
}

// Each server once, and a reading once more: the first may have been lost on its way.
Task<Result<std::string>> Endpoints::call(Call call) {
  std::size_t tries = servers_.size() + (call.access == Access::read ? 1 : 0);
  bool has_signed_in = call.doing == kSigningIn || settings_.username.empty();
  Error last;
  do {
    const std::size_t server = current_;
    const std::string token = token_;
    auto reply = co_await servers_[server].call(call.method, call.request, metadata(call.needs_leader), call.deadline);
    if (reply && reply->code == grpc::Code::ok) co_return std::move(reply->text);
    bool may_pass = false;
    if (reply) {
      const Trouble trouble = trouble_of(*reply);
      last = describe(settings_.place(), call.doing, call.access, *reply);
      if (trouble == Trouble::not_signed_in && !std::exchange(has_signed_in, true)) {
        // Unless another call has done it meanwhile.
        if (token == token_)
          if (Status signed_in = co_await sign_in(call.deadline); !signed_in)
            co_return fail(std::move(signed_in.error()));
        continue;
      }
      may_pass = trouble == Trouble::no_leader || trouble == Trouble::overloaded ||
                 (trouble == Trouble::lost_leader && call.access == Access::read);
    } else {
      last = std::move(reply.error());
      if (last.code == Errc::outcome_unknown && call.access == Access::read) last.code = Errc::unavailable;
      may_pass = last.code == Errc::unavailable;
    }
    if (may_pass || !reply) move_on(server);
    if (!may_pass) break;
    --tries;
  } while (tries > 0 && std::chrono::steady_clock::now() < call.deadline);
  co_return fail(std::move(last));
}

Task<Result<Part>> Endpoints::transact(const holdfast::etcd::Txn& txn, Call call) {
  std::string request;
  holdfast::etcd::append(request, txn);
  if (request.size() > settings_.request_bytes_max)
    co_return fail(Errc::invalid_argument,
                   fmt::format("{}: cannot {}: the request has {} bytes, and the servers take {} (maxRequestBytes, and "
                               "--max-request-bytes of the servers)",
                               settings_.place(), call.doing, request.size(), settings_.request_bytes_max));
  call.method = holdfast::etcd::kTxn;
  call.request = request;
  auto bytes = co_await this->call(call);
  if (!bytes) co_return fail(std::move(bytes.error()));
  auto whole = std::make_shared<Part::Whole>();
  whole->bytes = std::move(*bytes);
  auto reply = holdfast::etcd::read_txn(whole->bytes);
  if (!reply) co_return fail(with_context(std::move(reply.error()), settings_.place()));
  whole->reply = std::move(*reply);
  const std::span<const holdfast::etcd::OperationReply> replies = whole->reply.replies;
  co_return Part{std::move(whole), replies};
}

std::unique_ptr<net::GrpcStream> Endpoints::open(std::string_view method) {
  return servers_[current_].open(method, metadata(true));
}

std::optional<Trouble> refusal_of(const Error& error) {
  if (error.backend_message.empty()) return std::nullopt;
  return trouble_of({.code = grpc::Code::unknown, .text = error.backend_message});
}

bool is_refusal(const Error& error, Trouble trouble) { return refusal_of(error) == trouble; }

}  // namespace holdfast::stores::etcd
