// Hears from servers which keys have changed: a connection to each primary that asks for it (CLIENT TRACKING, broadcast
// by prefix; Redis 6 or later, RESP3). Needs no setting of the server, and hears of everybody's writes, deletions and
// expiries; told are keys alone, once for any number of changes in a turn of the server.
//
// One loop's. Source: redis.io/docs/latest/commands/client-tracking.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/pipeline.h"
#include "stores/redis/router.h"

namespace holdfast::stores::redis {

// Prefixes none of which begins with another, as CLIENT TRACKING wants them. Only grows in what it covers. Beyond
// kPrefixesMax they become what all of them begin with, which may be nothing: then every key is covered.
class PrefixCover {
 public:
  static constexpr std::size_t kPrefixesMax = 32;

  // False: it was covered before.
  bool add(std::string_view prefix);
  bool covers(std::string_view key) const;
  std::span<const std::string> prefixes() const { return prefixes_; }

 private:
  std::vector<std::string> prefixes_;
};

class Tracker {
 public:
  // Both are called on the loop, and may call nothing of the tracker.
  struct Heard {
    std::function<void(std::string_view key)> changed;
    std::function<void()> lost;       // changes may be missing from before now
    std::function<void()> disturbed;  // arrange() should be called soon
  };
  // `router` and `settings` outlive it.
  Tracker(net::Loop& loop, Router& router, const RedisSettings& settings, Router::Tls tls, Heard heard);
  // After close().
  ~Tracker();
  Tracker(const Tracker&) = delete;
  Tracker& operator=(const Tracker&) = delete;

  // Makes it so that every primary which the router knows tells of what `cover` covers, and looks whether those that do
  // are still there. To be called every now and then, one call at a time. Errc::unsupported: a server that is too old;
  // denied: the user has no right to it; unavailable: a primary cannot be reached.
  Task<Status> arrange(const PrefixCover& cover, SteadyTime deadline);
  Task<void> close(SteadyTime deadline);

 private:
  struct Line;
  std::unique_ptr<Line> make_line(const Address& address);
  Task<Status> greet(Line& line, net::Pipeline& connected);
  Task<Status> bring(std::unique_ptr<Line>& line, const PrefixCover& cover, SteadyTime deadline);
  Task<Status> connect(Line& line, const PrefixCover& cover, SteadyTime deadline);
  Task<Status> ask(Line& line, std::string_view request, SteadyTime deadline);
  void hear(std::string_view push);
  Place place(const Line& line) const;

  net::Loop& loop_;
  Router& router_;
  const RedisSettings& settings_;
  const Router::Tls tls_;
  const Heard heard_;
  std::vector<std::unique_ptr<Line>> lines_;
  bool was_whole_ = false;  // an arrangement has succeeded
};

}  // namespace holdfast::stores::redis
