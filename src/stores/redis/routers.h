// The three kinds of deployment.
#pragma once

#include "stores/redis/router.h"

namespace holdfast::stores::redis {

// One server, which is what the component names; its replicas are read from for `eventual`.
class NodeRouter final : public Router {
 public:
  NodeRouter(net::Loop& loop, const RedisSettings& settings, Tls tls) : Router(loop, settings, std::move(tls)) {}

 private:
  Task<Status> look(SteadyTime deadline) override;
};

// Sentinels say who the primary is: asked once a second and when something does not fit, and they tell by themselves
// (+switch-master).
class SentinelRouter final : public Router {
 public:
  SentinelRouter(net::Loop& loop, const RedisSettings& settings, Tls tls);

 private:
  Task<Status> look(SteadyTime deadline) override;
  Task<void> close_more(SteadyTime deadline) override;
  // Asks one sentinel; nothing when it does not know the name.
  Task<Result<Address>> ask(Server& sentinel, SteadyTime deadline);
  // Hears +switch-master of that sentinel from now on.
  void listen_to(const Server& sentinel);
  Task<Status> subscribe(net::Pipeline& connected);

  std::vector<ServerRef> sentinels_;
  std::size_t preferred_ = 0;  // the one that answered last
  std::unique_ptr<net::Pipeline> listening_;
};

// The slots of a cluster, from whichever node answers.
class ClusterRouter final : public Router {
 public:
  ClusterRouter(net::Loop& loop, const RedisSettings& settings, Tls tls) : Router(loop, settings, std::move(tls)) {}
  bool is_cluster() const override { return true; }

 private:
  Task<Status> look(SteadyTime deadline) override;
  Task<Status> look_at(ServerRef server, SteadyTime deadline);
};

}  // namespace holdfast::stores::redis
