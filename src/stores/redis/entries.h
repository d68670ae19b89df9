// Index entries: a sorted set for each, whose members are the keys of records that were written with it, all with the
// score 0, so that they stand in bytewise order. Pure.
//
// The set of an entry belongs to no record, so a deletion, an expiry and a write without the entry leave members
// behind. Nothing believes a member: a look-up reads each record and compares what it carries, and has those removed
// that carry the entry no more. An entry is put into its set by the script that writes the record, before it does.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "stores/redis/mapping.h"

namespace holdfast::stores::redis {

// "hf:index||||LENGTH:NAMEVALUE". The separators keep it out of every listing, whatever the component's key prefix is.
std::string entry_key(std::string_view name, std::string_view value);
bool is_entry_key(std::string_view key);

// ZRANGEBYLEX: the members that begin with `prefix` and are greater than `after`, where there is one; `count` at most.
// One reply, which read_keys() reads.
struct MemberRange {
  std::string_view prefix;
  std::string_view after;
  bool has_after = false;
  std::uint32_t count = 0;
};
void append_members(std::string& out, std::string_view entry_key, const MemberRange& range);

// Takes those of `keys` out of the set whose records do not carry the entry at that moment. One reply, of no interest.
void append_forget(std::string& out, std::string_view name, std::string_view value, std::span<const std::string> keys);

}  // namespace holdfast::stores::redis
