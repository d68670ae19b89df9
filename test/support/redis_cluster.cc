#include "support/redis_cluster.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

std::string id_of(RedisServer& node) { return node.must({"CLUSTER", "MYID"}).text(); }

// A line of CLUSTER INFO.
bool says(RedisServer& node, const std::string& line) {
  return node.must({"CLUSTER", "INFO"}).text().find(line + "\r\n") != std::string::npos;
}

}  // namespace

RedisCluster::RedisCluster(ClusterOptions options)
    : options_(std::move(options)), buses_(options_.masters * (1 + options_.replicas_of_each)) {
  for (const Port& bus : buses_) {
    RedisOptions node = options_.node;
    const std::vector<std::string> ours{"--cluster-enabled",      "yes",
                                        "--cluster-port",         std::to_string(bus.number()),
                                        "--cluster-node-timeout", std::to_string(options_.node_timeout_ms)};
    node.arguments.insert(node.arguments.begin(), ours.begin(), ours.end());
    nodes_.push_back(std::make_unique<RedisServer>(std::move(node)));
  }
  assign_slots();
  introduce();
  attach_replicas();
  wait_until_ok();
}

void RedisCluster::assign_slots() {
  const std::size_t masters = options_.masters;
  for (std::size_t i = 0; i < masters; ++i) {
    const std::size_t first = kSlots * i / masters, last = kSlots * (i + 1) / masters - 1;
    node(i).must({"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)});
  }
  // Epochs that differ from the start spare the nodes from agreeing on them.
  for (std::size_t i = 0; i < size(); ++i) node(i).must({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
}

void RedisCluster::introduce() {
  for (std::size_t i = 1; i < size(); ++i)
    node(0).must({"CLUSTER", "MEET", "127.0.0.1", std::to_string(node(i).port()), std::to_string(buses_[i].number())});
  require_eventually("nodes that know each other", [this] {
    return std::ranges::all_of(nodes_, [this](auto& node) { return knows_all(*node, 0); });
  });
}

void RedisCluster::attach_replicas() {
  for (std::size_t i = options_.masters; i < size(); ++i)
    node(i).must({"CLUSTER", "REPLICATE", id_of(node(i % options_.masters))});
  require_eventually("replicas that are linked and known to all", [this] {
    for (std::size_t i = 0; i < size(); ++i) {
      if (!knows_all(node(i), size() - options_.masters)) return false;
      if (i >= options_.masters && node(i).info("replication", "master_link_status") != "up") return false;
    }
    return true;
  });
}

bool RedisCluster::knows_all(RedisServer& node, std::size_t replicas) {
  std::istringstream lines(node.must({"CLUSTER", "NODES"}).text());
  std::size_t known = 0, slaves = 0;
  for (std::string line; std::getline(lines, line); ++known) {
    if (line.find("handshake") != std::string::npos || line.find("fail") != std::string::npos) return false;
    if (line.find("disconnected") != std::string::npos) return false;
    if (line.find("slave ") != std::string::npos) ++slaves;
  }
  return known == size() && slaves == replicas;
}

bool RedisCluster::is_ok(RedisServer& node) {
  return says(node, "cluster_state:ok") && says(node, "cluster_slots_ok:" + std::to_string(kSlots));
}

void RedisCluster::wait_until_ok() {
  require_eventually("a cluster that is whole", [this] {
    return std::ranges::all_of(nodes_, [this](auto& node) { return !node->answers() || is_ok(*node); });
  });
}

void RedisCluster::wait_for_failover(std::uint16_t slot, const RedisServer& old) {
  require_eventually("another master of slot " + std::to_string(slot), [&] {
    return std::ranges::all_of(nodes_, [&](auto& node) {
      if (node.get() == &old || !node->answers()) return true;
      const Answer slots = node->must({"CLUSTER", "SLOTS"});
      for (const resp::Value range : slots.root())
        if (range[0].integer() <= slot && slot <= range[1].integer())
          return range[2][1].integer() != old.port() && is_ok(*node);
      return false;
    });
  });
}

std::vector<std::string> RedisCluster::addresses() const {
  std::vector<std::string> all;
  for (const auto& node : nodes_) all.push_back(node->address());
  return all;
}

RedisServer& RedisCluster::any_answering() {
  for (const auto& node : nodes_)
    if (node->answers()) return *node;
  throw std::runtime_error("no node of the cluster answers");
}

RedisServer& RedisCluster::by_port(std::int64_t port) {
  for (const auto& node : nodes_)
    if (node->port() == port) return *node;
  throw std::runtime_error("no node of the cluster has port " + std::to_string(port));
}

std::uint16_t RedisCluster::slot_of(std::string_view key) {
  return static_cast<std::uint16_t>(any_answering().must({"CLUSTER", "KEYSLOT", std::string(key)}).root().integer());
}

RedisServer& RedisCluster::master_of(std::uint16_t slot) {
  const Answer slots = any_answering().must({"CLUSTER", "SLOTS"});
  for (const resp::Value range : slots.root())
    if (range[0].integer() <= slot && slot <= range[1].integer()) return by_port(range[2][1].integer());
  throw std::runtime_error("nobody serves slot " + std::to_string(slot));
}

void RedisCluster::move_slot(std::uint16_t slot, RedisServer& to) {
  begin_move(slot, to);
  move_keys(slot, to);
  end_move(slot, to);
}

void RedisCluster::begin_move(std::uint16_t slot, RedisServer& to) {
  RedisServer& from = master_of(slot);
  to.must({"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id_of(from)});
  from.must({"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id_of(to)});
}

void RedisCluster::move_keys(std::uint16_t slot, RedisServer& to) {
  RedisServer& from = master_of(slot);
  while (true) {
    const Answer keys = from.must({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "100"});
    if (keys.size() == 0) return;
    std::vector<std::string> migrate{"MIGRATE", "127.0.0.1", std::to_string(to.port()), "", "0", "5000", "KEYS"};
    for (const resp::Value key : keys.root()) migrate.emplace_back(key.text());
    from.must(migrate);
  }
}

void RedisCluster::end_move(std::uint16_t slot, RedisServer& to) {
  RedisServer& from = master_of(slot);
  const std::vector<std::string> command{"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id_of(to)};
  to.must(command);
  from.must(command);
  require_eventually("a slot that every node knows to have moved", [&] {
    return std::ranges::all_of(nodes_, [&](auto& node) {
      if (!node->answers()) return true;
      const Answer slots = node->must({"CLUSTER", "SLOTS"});
      for (const resp::Value range : slots.root())
        if (range[0].integer() <= slot && slot <= range[1].integer()) return range[2][1].integer() == to.port();
      return false;
    });
  });
}

}  // namespace holdfast::test
