// Which server serves which key: one node, a cluster's slots, or the primary that sentinels name. One loop's.
//
// A router looks at the deployment when it starts, then once a second, and at once whenever something does not fit: a
// connection lost, MOVED, READONLY. What it finds is what shards() says; servers that are no more part of it are closed
// when their last call has been answered.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/alarm.h"
#include "stores/redis/mapping.h"
#include "stores/redis/server.h"

namespace holdfast::stores::redis {

using ServerRef = std::shared_ptr<Server>;  // a call holds the server it went to

// Servers that hold the same keys.
struct Shard {
  ServerRef primary;
  std::vector<ServerRef> replicas;
  std::uint32_t replicas_most = 0;  // the most that were seen at a time

  // Whether it is one of these servers, in whatever role.
  bool has(const Server& server) const;
};

class Router {
 public:
  using Tls = std::shared_ptr<const net::TlsClientContext>;
  // `settings` outlives it.
  static std::unique_ptr<Router> make(net::Loop& loop, const RedisSettings& settings, Tls tls);
  // After close().
  virtual ~Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Finds the servers and connects to those that take writes.
  Task<Status> start(SteadyTime deadline);
  Task<void> close(SteadyTime deadline);

  // The server that takes the writes of the slot. Null: nobody does now, and why() says more.
  ServerRef primary_of(std::uint16_t slot) const;
  // A replica of it that is connected; null when there is none.
  ServerRef replica_of(std::uint16_t slot);
  std::uint32_t replicas_of(std::uint16_t slot) const;
  // Whether replicas of it were seen, from which it could be read.
  bool has_replicas(std::uint16_t slot) const;
  const std::vector<Shard>& shards() const { return shards_; }
  virtual bool is_cluster() const { return false; }
  // Of a cluster: the index in shards() that serves the slot; -1: none.
  int shard_of(std::uint16_t slot) const { return slots_.empty() ? (shards_.empty() ? -1 : 0) : slots_[slot]; }
  // What the last look failed with; for messages.
  const Error& why() const { return why_; }

  // A server sent us to another: it serves the slot from now on (MOVED), or this once (ASK).
  ServerRef follow(const Redirect& redirect, const Server& from);
  // Something does not fit: looks again, now.
  void doubt();

 protected:
  Router(net::Loop& loop, const RedisSettings& settings, Tls tls);
  // Finds out what there is, by find() and publish().
  virtual Task<Status> look(SteadyTime deadline) = 0;
  virtual Task<void> close_more(SteadyTime) { co_return; }

  // The server there, known or new.
  ServerRef find(const Address& address, Wanted wanted);
  // Takes over what a look has found. `slots` is empty where one shard serves all.
  void publish(std::vector<Shard> shards, std::vector<std::int16_t> slots = {});
  // Asks a primary who its replicas are (ROLE); what a user may not ask has none.
  Task<Shard> with_replicas(ServerRef primary, SteadyTime deadline);
  // Begins to connect to those of all shards, and waits a moment for it. Asks primaries that have some how far they
  // are.
  Task<void> connect_replicas();

  net::Loop& loop_;
  const RedisSettings& settings_;
  const Tls tls_;
  bool closing_ = false;

 private:
  struct Known {
    Wanted wanted;
    ServerRef server;
  };
  Task<void> run();
  void retire(ServerRef server);
  static Task<void> ask_how_far(ServerRef primary, SteadyTime deadline);

  std::vector<Shard> shards_;
  std::vector<std::int16_t> slots_;
  std::vector<Known> known_;
  Error why_;
  Alarm alarm_;
  SteadyTime looked_{};
  bool running_ = false;
  std::size_t retiring_ = 0;
  std::uint32_t turn_ = 0;  // of the replicas
  std::coroutine_handle<> ended_ = nullptr;
};

}  // namespace holdfast::stores::redis
