#include "stores/redis/router.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/parked.h"
#include "stores/redis/routers.h"
#include "wire/resp/command.h"
#include "wire/resp/reply.h"

namespace holdfast::stores::redis {
namespace {

constexpr Milliseconds kLookEvery{1000};
constexpr Milliseconds kLookAgain{100};  // after a look that failed
constexpr Milliseconds kLookGap{20};     // between two looks that somebody asked for
constexpr Milliseconds kLookTime{2000};
constexpr Milliseconds kRetireTime{5000};
constexpr Milliseconds kReplicasTime{200};  // for all of them: a look must not hang on one that is stuck

SteadyTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

bool Shard::has(const Server& server) const {
  const auto is_it = [&server](const ServerRef& one) { return one != nullptr && one->address() == server.address(); };
  return is_it(primary) || std::ranges::any_of(replicas, is_it);
}

Router::Router(net::Loop& loop, const RedisSettings& settings, Tls tls)
    : loop_(loop), settings_(settings), tls_(std::move(tls)), alarm_(loop) {
  why_ = Error(Errc::unavailable, "the servers have not been found yet");
}

std::unique_ptr<Router> Router::make(net::Loop& loop, const RedisSettings& settings, Tls tls) {
  switch (settings.topology) {
    case Topology::cluster:
      return std::make_unique<ClusterRouter>(loop, settings, std::move(tls));
    case Topology::sentinel:
      return std::make_unique<SentinelRouter>(loop, settings, std::move(tls));
    case Topology::node:
      break;
  }
  return std::make_unique<NodeRouter>(loop, settings, std::move(tls));
}

Task<Status> Router::start(SteadyTime deadline) {
  Status found;
  for (std::uint32_t attempt = 0;; ++attempt) {
    found = co_await look(deadline);
    const bool is_final = !found && found.error().code != Errc::unavailable;
    if (found || is_final || attempt >= settings_.retries_max || now() + kLookAgain >= deadline) break;
    co_await sleep_for(loop_, kLookAgain);
  }
  looked_ = now();
  if (!found) why_ = found.error();
  if (found) {
    running_ = true;
    ::holdfast::start(run());
  }
  co_return found;
}

Task<void> Router::run() {
  Milliseconds pause = kLookEvery;
  while (!closing_) {
    co_await alarm_.wait(pause);
    if (closing_) break;
    if (const auto gap = now() - looked_; gap < kLookGap) co_await sleep_for(loop_, kLookGap);
    looked_ = now();
    auto found = co_await look(looked_ + kLookTime);
    if (!found) why_ = std::move(found.error());
    pause = found ? kLookEvery : kLookAgain;
  }
  running_ = false;
  if (retiring_ == 0 && ended_) std::exchange(ended_, nullptr).resume();
}

void Router::doubt() { alarm_.ring(); }

Task<void> Router::close(SteadyTime deadline) {
  closing_ = true;
  alarm_.ring();
  if (running_ || retiring_ > 0) {
    co_await Parked{ended_};
  }
  shards_.clear();
  const std::vector<Known> known = std::move(known_);
  known_.clear();
  for (const Known& one : known) co_await one.server->close(deadline);
  co_await close_more(deadline);
}

ServerRef Router::primary_of(std::uint16_t slot) const {
  const int shard = shard_of(slot);
  return shard < 0 ? nullptr : shards_[static_cast<std::size_t>(shard)].primary;
}

std::uint32_t Router::replicas_of(std::uint16_t slot) const {
  if (settings_.replicas) return *settings_.replicas;
  const int shard = shard_of(slot);
  return shard < 0 ? 0 : shards_[static_cast<std::size_t>(shard)].replicas_most;
}

bool Router::has_replicas(std::uint16_t slot) const {
  const int shard = shard_of(slot);
  return shard >= 0 && !shards_[static_cast<std::size_t>(shard)].replicas.empty();
}

ServerRef Router::replica_of(std::uint16_t slot) {
  const int shard = shard_of(slot);
  if (shard < 0) return nullptr;
  const auto& replicas = shards_[static_cast<std::size_t>(shard)].replicas;
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const ServerRef& replica = replicas[++turn_ % replicas.size()];
    if (replica->is_connected()) return replica;
  }
  return nullptr;
}

ServerRef Router::follow(const Redirect& redirect, const Server& from) {
  const Address address{redirect.host.empty() ? from.address().host : redirect.host, redirect.port, {}};
  ServerRef server = find(address, Wanted::anything);
  if (redirect.is_ask) return server;
  doubt();
  if (slots_.empty()) return server;
  for (std::size_t i = 0; i < shards_.size(); ++i)
    if (shards_[i].primary == server) slots_[redirect.slot] = static_cast<std::int16_t>(i);
  return server;
}

ServerRef Router::find(const Address& address, Wanted wanted) {
  for (const Known& known : known_)
    if (known.wanted == wanted && known.server->address() == address) return known.server;
  auto server = std::make_shared<Server>(loop_, address,
                                         Server::Options{.settings = settings_,
                                                         .tls = tls_,
                                                         .wanted = wanted,
                                                         .login = settings_.login,
                                                         .select_database = !is_cluster(),
                                                         .on_lost = [this] { doubt(); }});
  known_.push_back({wanted, server});
  return server;
}

void Router::publish(std::vector<Shard> shards, std::vector<std::int16_t> slots) {
  for (Shard& shard : shards) {
    shard.replicas_most = static_cast<std::uint32_t>(shard.replicas.size());
    // After a failover the shard has another primary, and waits for as many replicas as it did.
    for (const Shard& before : shards_)
      if (before.has(*shard.primary) || (shards.size() == 1 && shards_.size() == 1))
        shard.replicas_most = std::max(shard.replicas_most, before.replicas_most);
  }
  shards_ = std::move(shards);
  slots_ = std::move(slots);
  std::vector<Known> kept;
  for (Known& known : known_) {
    const bool is_used = std::ranges::any_of(shards_, [&](const Shard& shard) {
      return shard.primary == known.server || std::ranges::find(shard.replicas, known.server) != shard.replicas.end();
    });
    if (is_used) {
      kept.push_back(std::move(known));
    } else {
      retire(std::move(known.server));
    }
  }
  known_ = std::move(kept);
}

namespace {

Task<void> close_server(ServerRef server, SteadyTime deadline) { co_await server->close(deadline); }

}  // namespace

void Router::retire(ServerRef server) {
  ++retiring_;
  ::holdfast::start(close_server(std::move(server), now() + kRetireTime), [this] {
    if (--retiring_ == 0 && !running_ && ended_) std::exchange(ended_, nullptr).resume();
  });
}

Task<void> Router::connect_replicas() {
  const SteadyTime limit = now() + kReplicasTime;
  for (const Shard& shard : std::vector<Shard>(shards_))
    for (const ServerRef& replica : shard.replicas) (void)co_await replica->connect(limit);
  for (const Shard& shard : std::vector<Shard>(shards_))
    if (!shard.replicas.empty() && shard.primary != nullptr) co_await ask_how_far(shard.primary, now() + kReplicasTime);
}

Task<void> Router::ask_how_far(ServerRef primary, SteadyTime deadline) {
  std::string request;
  append_replication_info(request);
  const SteadyTime asked = now();
  auto answer = co_await primary->call(Work::hot, request, 1, deadline);
  std::optional<Replication> found;
  if (answer)
    if (const auto reply = resp::Reply::parse(*answer)) found = read_replication(reply->root());
  primary->found_written(asked, found);
}

Task<Shard> Router::with_replicas(ServerRef primary, SteadyTime deadline) {
  Shard shard{primary, {}, 0};
  std::string request;
  resp::append_command(request, {"ROLE"});
  auto answer = co_await primary->call(Work::hot, request, 1, deadline);
  if (!answer) co_return shard;
  const auto reply = resp::Reply::parse(*answer);
  if (!reply || reply->root()[0].text() != "master") co_return shard;
  std::vector<Address> addresses;
  for (const resp::Value replica : reply->root()[2]) {
    const auto port = resp::to_integer(replica[1]);
    if (port && *port > 0 && *port < 65536)
      addresses.push_back({std::string(replica[0].text()), static_cast<std::uint16_t>(*port), {}});
  }
  for (const Address& address : addresses) shard.replicas.push_back(find(address, Wanted::replica));
  co_return shard;
}

}  // namespace holdfast::stores::redis
