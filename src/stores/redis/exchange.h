// One request to the server that serves its key, and again where that is safe.
//
// Sent again: whatever was not sent or not applied (no connection, MOVED, ASK, TRYAGAIN, a server that loads or has
// become a replica, NOSCRIPT); reads in every case; a write whose reply was lost only where it carries a write id, by
// which the script tells whether the first one was applied. Everything else that was lost is outcome_unknown. Waiting
// between tries is short: while a server is gone, calls fail at once with the reason.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stores/redis/mapping.h"
#include "stores/redis/router.h"

namespace holdfast::stores::redis {

// The try that is to be sent.
struct Try {
  Sending sending = Sending::by_hash;
  bool is_repeat = false;  // the reply to an earlier one was lost
  std::uint32_t losses = 0;
  std::uint32_t waits = 0;
};

// What is asked, and how. Lives until exchange() has answered.
class Request {
 public:
  virtual ~Request() = default;
  // Appends the commands, of `replies` replies. An error ends the exchange.
  virtual Status append(std::string& out, const Server& server, const Try& now) = 0;

  // For messages, put together only when there is one: save "cart/42".
  std::string_view verb;
  std::string_view key;  // empty: the verb says it all
  std::uint16_t slot = 0;
  std::uint32_t replies = 1;
  Work work = Work::hot;
  bool is_read = false;
  bool may_read_replica = false;
  bool may_follow = true;  // false: a redirection is about one of several keys, and the caller's to follow
  bool has_write_id = false;
  bool is_synced = false;  // waits for `replicas` replicas, and files where the component asks
  std::uint32_t replicas = 0;
  SteadyTime deadline;
  // Of the caller's session, to which the exchange adds how far the primary has come; null: nobody asks.
  state::Position* position = nullptr;
};

// Replies, VALID ONLY UNTIL THE CALLER NEXT WAITS, and who gave them.
struct Answer {
  ServerRef server;
  std::string_view replies;
  std::string kept;     // what `replies` points at, of a synced write or one behind ASKING
  std::string waiting;  // the reply of WAIT; empty: there was none

  Answer() = default;
  Answer(Answer&&) = delete;
  Answer& operator=(Answer&&) = delete;
};

// The bytes of the first reply in `bytes`, which are then what follows it; empty at the end.
std::string_view take_reply(std::string_view& bytes);

class Exchange {
 public:
  Exchange(net::Loop& loop, Router& router, const RedisSettings& settings)
      : loop_(loop), router_(router), settings_(settings) {}

  // Fills `answer`, any of whose replies may be an error that is for the caller: permissions, memory, a wrong type.
  Task<Status> run(Request& request, Answer& answer);

 private:
  enum class Next { done, again, again_later };
  ServerRef route(const Request& request);
  Status append(Request& request, const Answer& answer, const Try& now, bool asks);
  Task<Status> send_hot(Request& request, Answer& answer, bool asks);
  Task<Status> send_synced(Request& request, Answer& answer, bool asks);
  static void follow(Request& request, const Answer& answer, std::string_view role);
  // What to do about an error of the connection, or about the server's first reply.
  Next after_loss(Request& request, const Answer& answer, Try& now, Error& error);
  Next after_reply(const Request& request, const Answer& answer, Try& now, ServerRef& redirected, bool& asks);
  Error nobody(const Request& request) const;

  net::Loop& loop_;
  Router& router_;
  const RedisSettings& settings_;
  std::string scratch_;
};

}  // namespace holdfast::stores::redis
