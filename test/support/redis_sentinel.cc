#include "support/redis_sentinel.h"

#include <algorithm>
#include <stdexcept>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

constexpr auto kFailOverPatience = 2 * kPatience;

std::string configuration_of(const SentinelOptions& options, const RedisServer& primary) {
  const std::string name = RedisSentinels::kName;
  const std::string quorum = std::to_string(options.sentinels / 2 + 1);
  std::string text = "port {port}\nbind 127.0.0.1\ndir {folder}\n";
  text += "sentinel monitor " + name + " 127.0.0.1 " + std::to_string(primary.port()) + " " + quorum + "\n";
  text += "sentinel down-after-milliseconds " + name + " " + std::to_string(options.down_after_ms) + "\n";
  // After a fail-over that came to nothing the next one begins after twice this time.
  text += "sentinel failover-timeout " + name + " 1500\n";
  if (!options.server.password.empty()) text += "sentinel auth-pass " + name + " " + options.server.password + "\n";
  if (!options.server.user.empty()) text += "sentinel auth-user " + name + " " + options.server.user + "\n";
  if (!options.sentinel_password.empty()) text += "requirepass " + options.sentinel_password + "\n";
  return text;
}

// One field of the flat list of names and values that sentinels describe things with.
std::string field(const Answer& answer, std::string_view name) {
  for (std::size_t i = 0; i + 1 < answer.size(); i += 2)
    if (answer[i].text() == name) return std::string(answer[i + 1].text());
  return "";
}

}  // namespace

RedisSentinels::RedisSentinels(SentinelOptions options) : options_(std::move(options)) {
  servers_.push_back(std::make_unique<RedisServer>(options_.server));
  for (std::size_t i = 0; i < options_.replicas; ++i) {
    RedisOptions replica = options_.server;
    replica.arguments.insert(replica.arguments.end(), {"--replicaof", "127.0.0.1 " + std::to_string(server(0).port())});
    servers_.push_back(std::make_unique<RedisServer>(std::move(replica)));
  }
  RedisOptions sentinel;
  sentinel.kind = options_.server.kind;
  sentinel.configuration = configuration_of(options_, server(0));
  sentinel.arguments = {"--sentinel"};
  sentinel.password = options_.sentinel_password;
  if (!sentinel.password.empty()) sentinel.user = "default";
  for (std::size_t i = 0; i < options_.sentinels; ++i) {
    sentinels_.push_back(std::make_unique<RedisServer>(sentinel));
    // They look at servers every ten seconds and tell each other of them every two, which is long for a test. They send
    // a PING no oftener than the time after which a server is down: one late answer would be a failure. It cannot be
    // much oftener: a replica of which they have heard nothing for five of these periods is not promoted, and with the
    // primary down they ask replicas once a second.
    sentinels_.back()->must({"SENTINEL", "DEBUG", "info-period", "200", "publish-period", "200", "ask-period", "100",
                             "ping-period", "300"});
  }
  wait_until_ready();
}

bool RedisSentinels::knows_all(RedisServer& sentinel) {
  const Answer master = sentinel.must({"SENTINEL", "MASTER", kName});
  if (field(master, "flags") != "master") return false;
  if (field(master, "num-slaves") != std::to_string(options_.replicas)) return false;
  if (field(master, "num-other-sentinels") != std::to_string(options_.sentinels - 1)) return false;
  RedisServer& primary = named_by(sentinel);
  return std::ranges::all_of(servers_, [&primary](auto& server) {
    if (!server->answers() || server.get() == &primary) return true;
    // The servers are asked: what a sentinel says of one that came back a moment ago is old.
    return server->info("replication", "role") == "slave" && server->info("replication", "master_link_status") == "up";
  });
}

void RedisSentinels::wait_until_ready() {
  require_eventually("sentinels that know each other and the replicas", [this] {
    return std::ranges::all_of(sentinels_, [this](auto& each) { return !each->answers() || knows_all(*each); });
  });
}

RedisServer& RedisSentinels::named_by(RedisServer& sentinel) {
  const Answer address = sentinel.must({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", kName});
  for (const auto& server : servers_)
    if (std::to_string(server->port()) == address[1].text()) return *server;
  throw std::runtime_error("the sentinel names a primary that is none of ours");
}

RedisServer& RedisSentinels::primary() {
  for (const auto& sentinel : sentinels_)
    if (sentinel->answers()) return named_by(*sentinel);
  throw std::runtime_error("no sentinel answers");
}

std::vector<std::string> RedisSentinels::sentinel_addresses() const {
  std::vector<std::string> all;
  for (const auto& sentinel : sentinels_) all.push_back(sentinel->address());
  return all;
}

std::string RedisSentinels::situation() {
  std::string out;
  for (const auto& sentinel : sentinels_) {
    if (!sentinel->answers()) continue;
    const Answer master = sentinel->must({"SENTINEL", "MASTER", kName});
    out += "; sentinel " + sentinel->address() + " names port " + field(master, "port") + " (" +
           field(master, "flags") + "), tilt " + sentinel->info("sentinel", "sentinel_tilt");
  }
  for (const auto& server : servers_)
    out +=
        "; server " + server->address() + " is " + (server->answers() ? server->info("replication", "role") : "away");
  return out;
}

bool RedisSentinels::all_name_another(const RedisServer& old) {
  return std::ranges::all_of(sentinels_, [&](auto& sentinel) {
    if (!sentinel->answers()) return true;
    RedisServer& named = named_by(*sentinel);
    return &named != &old && named.answers() && named.info("replication", "role") == "master";
  });
}

// A sentinel that was not run for two seconds does nothing for thirty ("tilt"), so this has to be waited for longer
// than anything else.
void RedisSentinels::wait_for_failover(const RedisServer& old) {
  if (!eventually([&] { return all_name_another(old); }, kFailOverPatience))
    throw std::runtime_error("no other primary than " + old.address() + " came about" + situation());
}

void RedisSentinels::fail_over(Writes meanwhile) {
  RedisServer& old = primary();
  // Asked for again: it is refused while the sentinels still believe the last one to be under way, given up when what
  // they know of the replica is a moment too old, and undone by one of their own when, on a busy machine, the new
  // primary was silent for a moment. Not while one is under way: a second, accepted just after the first had
  // succeeded, would lead back to the old primary.
  bool is_accepted = false;
  const auto is_done = [&] {
    if (all_name_another(old)) return true;
    RedisServer& asked = sentinel(0);
    const std::string flags = field(asked.must({"SENTINEL", "MASTER", kName}), "flags");
    if (&named_by(asked) != &old) {
      is_accepted = false;  // the others will hear of it, or this one will be told otherwise
      return false;
    }
    if (is_accepted) is_accepted = flags.find("failover_in_progress") != std::string::npos;
    if (is_accepted) return false;
    // As an operator should: until it is told of the new one, a primary that is alive would take writes that are lost.
    if (meanwhile == Writes::paused) old.must({"CLIENT", "PAUSE", "5000", "WRITE"});
    is_accepted = !asked.command({"SENTINEL", "FAILOVER", kName}).is_error();
    return false;
  };
  if (!eventually(is_done, kFailOverPatience))
    throw std::runtime_error("no fail-over from " + old.address() + " came about" + situation());
  // The sentinels take eight seconds to tell it.
  if (RedisServer& now = primary(); &now != &old) old.must({"REPLICAOF", "127.0.0.1", std::to_string(now.port())});
  if (meanwhile == Writes::paused) old.must({"CLIENT", "UNPAUSE"});
}

}  // namespace holdfast::test
