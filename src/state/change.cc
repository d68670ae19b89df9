#include "state/change.h"

#include <memory>

namespace holdfast::state {
namespace {

// By key, the last of its changes.
std::map<std::string_view, const Change*> newest_of(std::span<const Change> changes) {
  std::map<std::string_view, const Change*> newest;
  for (const Change& change : changes) newest[change.key] = &change;
  return newest;
}

}  // namespace

std::vector<std::string_view> keys_put(std::span<const Change> changes) {
  std::vector<std::string_view> keys;
  for (const auto& [key, last] : newest_of(changes))
    if (last->kind == WatchEvent::Kind::put) keys.push_back(key);
  return keys;
}

FeedEvents events_of(std::span<const Change> changes, const RecordsByKey& records, bool whole) {
  const auto newest = newest_of(changes);
  FeedEvents events;
  for (const Change& change : changes) {
    FeedEvent event{.number = change.seq, .kind = change.kind, .key = change.key, .record = std::nullopt};
    if (change.kind == WatchEvent::Kind::put) {
      const auto record = records.find(change.key);
      if (newest.at(change.key) != &change || record == records.end()) continue;
      event.record = record->second;
      event.has_value = whole;
    }
    events.push_back(std::make_shared<FeedEvent>(std::move(event)));
  }
  return events;
}

}  // namespace holdfast::state
