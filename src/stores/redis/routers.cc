#include "stores/redis/routers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "wire/resp/command.h"
#include "wire/resp/reply.h"

namespace holdfast::stores::redis {
namespace {

using resp::Kind;
using resp::Value;

// Of one sentinel or node among several: the next one may answer while it is gone.
constexpr Milliseconds kOneAnswer{500};

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::uint16_t port_in(Value value) {
  const auto port = resp::to_integer(value);
  return port && *port > 0 && *port < 65536 ? static_cast<std::uint16_t>(*port) : 0;
}

}  // namespace

Task<Status> NodeRouter::look(SteadyTime deadline) {
  ServerRef server = find(settings_.addresses.front(), Wanted::anything);
  if (auto connected = co_await server->connect(deadline); !connected) {
    // It stays the one that serves: its connections tell callers why they fail.
    if (shards().empty()) publish({Shard{std::move(server), {}, 0}});
    co_return connected;
  }
  publish({co_await with_replicas(std::move(server), deadline)});
  co_await connect_replicas();
  co_return Status();
}

SentinelRouter::SentinelRouter(net::Loop& loop, const RedisSettings& settings, Tls tls)
    : Router(loop, settings, std::move(tls)) {
  for (const Address& address : settings_.addresses)
    sentinels_.push_back(std::make_shared<Server>(loop_, address,
                                                  Server::Options{.settings = settings_,
                                                                  .tls = tls_,
                                                                  .wanted = Wanted::anything,
                                                                  .login = settings_.sentinel_login,
                                                                  .select_database = false,
                                                                  .on_lost = nullptr}));
}

Task<Result<Address>> SentinelRouter::ask(Server& sentinel, SteadyTime deadline) {
  if (auto connected = co_await sentinel.connect(deadline); !connected) co_return fail(std::move(connected.error()));
  std::string request;
  resp::append_command(request, {"SENTINEL", "get-master-addr-by-name", settings_.sentinel_master});
  auto answer = co_await sentinel.call(Work::hot, request, 1, deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const Value root = reply->root();
  if (root.kind() == Kind::error)
    co_return fail(describe(sentinel.place(), fmt::format("ask for the primary \"{}\"", settings_.sentinel_master),
                            root.text()));
  if (root.size() != 2 || port_in(root[1]) == 0)
    co_return fail(Errc::unavailable,
                   fmt::format("component \"{}\" (state.redis): the sentinel {} knows no primary named \"{}\". Check "
                               "sentinelMasterName",
                               settings_.component, sentinel.address().text(), settings_.sentinel_master));
  co_return Address{std::string(root[0].text()), port_in(root[1]), {}};
}

Task<Status> SentinelRouter::look(SteadyTime deadline) {
  Error last(Errc::unavailable, "no sentinel is named");
  for (std::size_t i = 0; i < sentinels_.size() && !closing_; ++i) {
    const std::size_t at = (preferred_ + i) % sentinels_.size();
    const ServerRef sentinel = sentinels_[at];
    auto address = co_await ask(*sentinel, std::min(deadline, now() + kOneAnswer));
    if (!address) {
      last = std::move(address.error());
      continue;
    }
    preferred_ = at;
    listen_to(*sentinel);
    ServerRef primary = find(*address, Wanted::primary);
    // Not for long: while it is stuck the sentinels may come to name another.
    if (auto connected = co_await primary->connect(std::min(deadline, now() + kOneAnswer)); !connected) {
      // The sentinels may not have noticed yet. The old primary, if any, tells its callers why they fail.
      if (shards().empty()) publish({Shard{std::move(primary), {}, 0}});
      co_return connected;
    }
    const bool is_new = shards().empty() || shards().front().primary != primary;
    if (is_new && !shards().empty())
      log::info("holdfast.redis", "component \"{}\": the primary is {} now", settings_.component, address->text());
    publish({co_await with_replicas(std::move(primary), deadline)});
    co_await connect_replicas();
    co_return Status();
  }
  co_return fail(std::move(last));
}

void SentinelRouter::listen_to(const Server& sentinel) {
  // It connects again by itself, and the rounds go on asking.
  if (closing_ || listening_ != nullptr) return;
  net::PipelineOptions options = connection_to(sentinel.address(), settings_, tls_);
  options.name += ", sentinel";
  options.greeting = [this](net::Pipeline& connected) -> Task<Status> { return subscribe(connected); };
  options.on_push = [this](std::string_view) { doubt(); };
  options.on_lost = [this] { doubt(); };
  listening_ = std::make_unique<net::Pipeline>(loop_, std::move(options));
  ::holdfast::start(listening_->connect(SteadyTime::max()), [](const Status&) {});
}

// The confirmation of SUBSCRIBE is a push in RESP3: PING has the reply that is waited for.
Task<Status> SentinelRouter::subscribe(net::Pipeline& connected) {
  std::string request;
  append_hello(request, settings_.sentinel_login);
  resp::append_command(request, {"SUBSCRIBE", "+switch-master"});
  resp::append_command(request, {"PING"});
  auto answer = co_await connected.call_first(request, 2, SteadyTime::max());
  if (!answer) co_return fail(std::move(answer.error()));
  co_return Status();
}

Task<void> SentinelRouter::close_more(SteadyTime deadline) {
  if (listening_ != nullptr) co_await listening_->close(deadline);
  for (const ServerRef& sentinel : sentinels_) co_await sentinel->close(deadline);
}

Task<Status> ClusterRouter::look(SteadyTime deadline) {
  // The nodes we know first: those of the component may be long gone.
  std::vector<Address> candidates;
  for (const Shard& shard : shards()) {
    if (shard.primary != nullptr && shard.primary->is_connected()) candidates.push_back(shard.primary->address());
  }
  for (const Shard& shard : shards())
    for (const ServerRef& replica : shard.replicas) candidates.push_back(replica->address());
  candidates.insert(candidates.end(), settings_.addresses.begin(), settings_.addresses.end());
  Status last = fail(Errc::unavailable, "no node of the cluster is named");
  for (const Address& address : candidates) {
    if (closing_) break;
    last = co_await look_at(find(address, Wanted::anything), std::min(deadline, now() + kOneAnswer));
    if (last || last.error().code == Errc::denied) co_return last;
  }
  co_return last;
}

Task<Status> ClusterRouter::look_at(ServerRef server, SteadyTime deadline) {
  if (auto connected = co_await server->connect(deadline); !connected) co_return connected;
  std::string request;
  resp::append_command(request, {"CLUSTER", "SLOTS"});
  auto answer = co_await server->call(Work::hot, request, 1, deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const Value root = reply->root();
  if (root.kind() == Kind::error) co_return fail(describe(server->place(), "read the slots of the cluster", root.text()));
  std::vector<Shard> shards;
  std::vector<std::int16_t> slots(kSlotCount, -1);
  const auto server_of = [&](Value node, Wanted wanted) {
    const std::string_view host = node[0].text();
    const bool is_itself = host.empty() || host == "?";
    return find({is_itself ? server->address().host : std::string(host), port_in(node[1]), {}}, wanted);
  };
  for (const Value range : root) {
    const auto first = resp::to_integer(range[0]);
    const auto last = resp::to_integer(range[1]);
    if (!first || !last || *first < 0 || *last >= kSlotCount || *first > *last || port_in(range[2][1]) == 0) continue;
    ServerRef primary = server_of(range[2], Wanted::anything);
    auto at = std::ranges::find_if(shards, [&](const Shard& shard) { return shard.primary == primary; });
    if (at == shards.end()) {
      Shard shard{std::move(primary), {}, 0};
      for (std::size_t i = 3; i < range.size(); ++i)
        if (port_in(range[i][1]) != 0) shard.replicas.push_back(server_of(range[i], Wanted::replica));
      at = shards.insert(shards.end(), std::move(shard));
    }
    const auto index = static_cast<std::int16_t>(at - shards.begin());
    for (auto slot = *first; slot <= *last; ++slot) slots[static_cast<std::size_t>(slot)] = index;
  }
  if (shards.empty())
    co_return fail(Errc::unavailable,
                   fmt::format("component \"{}\" (state.redis): {} knows of no slot that is served. Is it a cluster?",
                               settings_.component, server->address().text()));
  publish(std::move(shards), std::move(slots));
  const SteadyTime limit = now() + kOneAnswer;
  for (const Shard& shard : std::vector<Shard>(this->shards())) (void)co_await shard.primary->connect(limit);
  co_await connect_replicas();
  co_return Status();
}

}  // namespace holdfast::stores::redis
