// Where a server stands in its primary's stream of changes, and what that says about a reading from it. Pure.
//
// A history of Redis has an id of forty hexadecimal digits (`master_replid`), which replicas have from their primary and
// a failover changes; what stands behind an offset of one history is the same on every server that has it. Sources:
// redis.io/docs/latest/operate/oss_and_stack/management/replication ("How Redis replication works"), /commands/info,
// /commands/role.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "state/position.h"
#include "wire/resp/reply.h"

namespace holdfast::stores::redis {

// The first sixteen digits of a replication id as a number; nothing when they are none. 0 is no timeline.
std::optional<std::uint64_t> timeline_of(std::string_view replication_id);

struct Replication {
  bool is_primary = false;
  state::Position::Reached reached;  // what was written, or on a replica applied
};
// The reply of INFO replication; nothing when it lacks what is needed, or is an error.
std::optional<Replication> read_replication(resp::Value reply);
void append_replication_info(std::string& out);

// The offset in the reply of ROLE; nothing when the server is not a primary.
std::optional<std::uint64_t> read_primary_offset(resp::Value reply);
void append_role(std::string& out);

// What a primary had written at some moments of the last while.
class WrittenLately {
 public:
  // As the server said after `asked`.
  void add(SteadyTime asked, state::Position::Reached reached);
  // Whether a server that has applied `reached` is at most `most` behind now. An answer of the primary proves it: what
  // was written before it was asked is there.
  bool is_within(state::Position::Reached reached, Milliseconds most, SteadyTime now) const;

 private:
  struct Sample {
    SteadyTime asked{};
    state::Position::Reached reached;
  };
  std::array<Sample, 64> samples_{};
  std::size_t next_ = 0;
};

}  // namespace holdfast::stores::redis
