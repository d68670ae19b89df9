// Watching is etcd's own: a stream of changes from a revision on. One that was lost goes on behind the last event at
// the next server, so that nothing is missed; what the servers have thrown away (compaction) is told as `resync`.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "base/alarm.h"
#include "state/store.h"
#include "stores/etcd/store.h"

namespace holdfast::stores::etcd {

class EtcdWatcher final : public state::Watcher {
 public:
  EtcdWatcher(EtcdStore& store, const state::WatchRequest& request);
  ~EtcdWatcher() override;

  // Until the watch is in place. Once, before anything else.
  Task<Status> begin(SteadyTime deadline);

  Task<bool> wait() override;
  bool take(state::WatchEvent& event) override;
  void cancel() override;

 private:
  // Where to go on: behind so many events of a revision, or behind all of it.
  struct Place {
    std::int64_t revision = 0;  // 0: now
    std::int64_t events = 0;    // 0: all of them
  };

  void open();
  // Whether the servers have thrown away what comes behind the place.
  Task<bool> is_compacted(SteadyTime deadline);
  std::int64_t next_revision() const;
  // Takes what comes next; false when there has to be another stream.
  Task<bool> read_some();
  Task<void> take_reply(const holdfast::etcd::WatchReply& reply);
  Task<void> take_event(const holdfast::etcd::WatchEvent& event);
  Task<void> fill_put(const holdfast::etcd::WatchEvent& event, state::WatchEvent& out);
  Task<bool> was_expiry(const holdfast::etcd::WatchEvent& event, std::string_view key);
  bool covers(std::string_view key) const;
  std::string token() const;

  EtcdStore& store_;
  const std::string prefix_;
  const std::size_t own_bytes_;
  const bool exact_, want_values_, hides_isolated_;
  std::string first_, end_;  // of etcd's keys
  std::size_t server_ = 0;
  std::unique_ptr<net::GrpcStream> stream_;
  Place place_;
  std::int64_t of_revision_ = 0;  // events of place_.revision that came on this stream
  bool is_in_place_ = false;
  bool may_miss_ = false;  // events before the next stream
  bool cancelled_ = false;
  Alarm pause_;
  std::deque<state::WatchEvent> events_;
};

}  // namespace holdfast::stores::etcd
