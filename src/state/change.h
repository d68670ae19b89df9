// Changes as a log of a store has them, and what watchers are told of them. Pure.
//
// A log says which key changed; the record is read when the change is told. A put is therefore told with the record as
// it is now, once for all puts of the key that were logged so far; one whose record has gone is followed by what says
// so.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/feed.h"

namespace holdfast::state {

struct Change {
  std::uint64_t seq = 0;
  std::string key;
  WatchEvent::Kind kind = WatchEvent::Kind::put;
};

// The keys whose last change is a put. They live as long as the changes.
std::vector<std::string_view> keys_put(std::span<const Change> changes);

using RecordsByKey = std::map<std::string, Record, std::less<>>;
// `records` are those of keys_put() that are there; `whole`: with their values.
FeedEvents events_of(std::span<const Change> changes, const RecordsByKey& records, bool whole);

}  // namespace holdfast::state
