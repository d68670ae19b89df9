// Where a listing goes on (the text of a cursor), and in a cluster where it has to look. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stores/redis/mapping.h"
#include "stores/redis/router.h"

namespace holdfast::stores::redis {

// Of SCAN on one server. A page may end inside the smallest batch there is; the next one asks for it again and passes
// over the keys that were handed out of it. SCAN's own promise, that a key which is there throughout is seen, holds for
// a cursor that is used twice.
struct ScanCursor {
  std::string run_id;  // of the server: another one's table is in another order
  std::string position = "0";
  std::vector<std::uint64_t> seen;  // hashes of keys of the batch at `position`

  std::string text() const;
  static std::optional<ScanCursor> parse(std::string_view text);
};

// Of a cluster: slot by slot, the keys of a slot in order. Does not depend on which node has the slot.
struct SlotCursor {
  std::uint16_t slot = 0;
  std::string after;  // the last key that was looked at; meaningless with has_after false
  bool has_after = false;

  std::string text() const;
  static std::optional<SlotCursor> parse(std::string_view text);
};

// Who serves which slot, as every primary says of itself.
struct ClusterView {
  std::vector<ServerRef> primaries;
  std::vector<int> owners = std::vector<int>(kSlotCount, -1);  // slot -> index of primaries
  std::size_t served = 0;                                     // slots that have an owner
  bool is_moving = false;

  // Takes the line about itself of a node's CLUSTER NODES.
  void add(std::size_t primary, std::string_view nodes);
  // Every slot has one owner, and none is on its way to another.
  bool is_settled() const { return !is_moving && served == kSlotCount; }
};

// The same for all processes and versions of ours.
std::uint64_t cursor_hash(std::string_view key);

}  // namespace holdfast::stores::redis
