// A primary with replicas, watched by sentinels, for tests: see redis_servers.h for what holds for all of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "support/redis_servers.h"

namespace holdfast::test {

struct SentinelOptions {
  std::size_t replicas = 1;
  std::size_t sentinels = 3;
  int down_after_ms = 1000;  // without an answer for so long, a sentinel thinks that the primary is down
  RedisOptions server = {};
  std::string sentinel_password = {};  // what clients of the sentinels have to know; empty: nothing
};

class RedisSentinels {
 public:
  static constexpr const char* kName = "mymaster";

  // Ready when every sentinel knows the others and the replicas.
  explicit RedisSentinels(SentinelOptions options = {});

  RedisServer& sentinel(std::size_t index) { return *sentinels_.at(index); }
  std::size_t sentinel_count() const { return sentinels_.size(); }
  std::vector<std::string> sentinel_addresses() const;

  // The servers of data: the first is the primary at the start.
  RedisServer& server(std::size_t index) { return *servers_.at(index); }
  std::size_t server_count() const { return servers_.size(); }
  // As the first sentinel that answers says now.
  RedisServer& primary();

  // Every sentinel that answers knows the others and the replicas, and every server but the primary is its replica.
  void wait_until_ready();
  // Every sentinel that answers names a primary other than `old`, which was killed or paused, and that one knows itself
  // to be one.
  void wait_for_failover(const RedisServer& old);
  // A fail-over without a failure, to any replica. `taken`: the old primary goes on taking writes until it is told of
  // the new one, as in one that nobody prepared; some are lost then that no replica was waited for.
  enum class Writes : bool { paused, taken };
  void fail_over(Writes meanwhile = Writes::paused);

 private:
  // Who says what, for the message of a fixture that fails.
  std::string situation();
  RedisServer& named_by(RedisServer& sentinel);
  bool knows_all(RedisServer& sentinel);
  // Whether all sentinels agree on a primary that is not `old`, and it agrees.
  bool all_name_another(const RedisServer& old);

  SentinelOptions options_;
  std::vector<std::unique_ptr<RedisServer>> servers_;
  std::vector<std::unique_ptr<RedisServer>> sentinels_;
};

}  // namespace holdfast::test
