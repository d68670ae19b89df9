// A watch between the service and a client's stream: what the two protocols share.
//
// A client that does not read holds up to kBatchBytes of encoded events twice, and its events stay numbers in the store's
// feed, which tells it `resync` once they are gone.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/loop_context.h"
#include "base/scheduler.h"
#include "net/handler.h"
#include "service/watch.h"
#include "wire/http/message.h"

namespace holdfast::api {

inline constexpr Milliseconds kWatchPulse{15'000};

// How one protocol writes events.
class WatchForm {
 public:
  virtual ~WatchForm() = default;
  virtual void append(std::string& out, const state::WatchEvent& event) = 0;
  // What is sent after a time of silence; empty: nothing.
  virtual std::string_view heartbeat() const { return {}; }
  virtual std::string_view content_type() const = 0;
};

// The watches of one loop, looked after once every kWatchPulse by one timer: who is silent sends a heartbeat, and whose
// token is no longer what it was ends.
class WatchList {
 public:
  explicit WatchList(Scheduler& loop) : loop_(loop) {}
  WatchList(const WatchList&) = delete;
  WatchList& operator=(const WatchList&) = delete;
  ~WatchList();

  enum class End : std::uint8_t { client_gone, store_gone, server_drains, token_changed };
  // Sends events until one side ends it. Everything lives until it has.
  Task<End> run(service::Watch& watch, net::BodyStream& stream, WatchForm& form, const http::Request& request,
                Access& access);

 private:
  class Entry;
  void arm();
  void pulse();

  Scheduler& loop_;
  state::WatchEvent event_;  // the one that is being sent
  std::vector<Entry*> entries_;
  Scheduler::TimerId timer_ = 0;  // while there are entries
};

}  // namespace holdfast::api
