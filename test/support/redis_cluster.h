// A Redis Cluster for tests: see redis_servers.h for what holds for all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/redis_servers.h"

namespace holdfast::test {

struct ClusterOptions {
  std::size_t masters = 3;
  std::size_t replicas_of_each = 1;
  int node_timeout_ms = 1500;  // without an answer for so long, a node is taken to have failed
  RedisOptions node = {};
};

class RedisCluster {
 public:
  static constexpr std::uint16_t kSlots = 16384;

  // Ready when every node knows all others, all slots are served, and the replicas are linked: after some seconds, of
  // which two are a pause that Redis makes.
  explicit RedisCluster(ClusterOptions options = {});

  // Masters, as they were at the start, then replicas: node(masters + i) is a replica of node(i % masters).
  RedisServer& node(std::size_t index) { return *nodes_.at(index); }
  std::size_t size() const { return nodes_.size(); }
  std::vector<std::string> addresses() const;
  std::size_t master_count() const { return options_.masters; }

  // What the nodes that answer say now.
  std::uint16_t slot_of(std::string_view key);
  RedisServer& master_of(std::uint16_t slot);

  // Every node that answers says that the cluster is whole.
  void wait_until_ok();
  // A node other than `old`, which was killed or paused, serves the slot, and wait_until_ok().
  void wait_for_failover(std::uint16_t slot, const RedisServer& old);

  // Moves a slot, with its keys, to another master. In steps, for what clients see on the way: after begin_move() the
  // old master answers ASK for keys that it has no more, after end_move() MOVED.
  void move_slot(std::uint16_t slot, RedisServer& to);
  void begin_move(std::uint16_t slot, RedisServer& to);
  void move_keys(std::uint16_t slot, RedisServer& to);
  void end_move(std::uint16_t slot, RedisServer& to);

 private:
  RedisServer& by_port(std::int64_t port);
  RedisServer& any_answering();
  void assign_slots();
  void introduce();
  void attach_replicas();
  // Whether `node` sees as many others as there are, none of them failed or unknown, and the replicas among them.
  bool knows_all(RedisServer& node, std::size_t replicas);
  bool is_ok(RedisServer& node);

  ClusterOptions options_;
  std::vector<std::unique_ptr<RedisServer>> nodes_;
  std::vector<Port> buses_;  // on which the nodes speak with each other
};

}  // namespace holdfast::test
