// Between an entry in memory and the records and requests of the contract. Pure; the entry's shard is locked.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/store.h"
#include "stores/memory/entry.h"

namespace holdfast::stores::memory {

// An etag without an allocation.
class EtagText {
 public:
  explicit EtagText(std::uint64_t version)
      : end_(std::to_chars(text_.data(), text_.data() + text_.size(), version).ptr) {}
  std::string_view view() const { return {text_.data(), end_}; }

 private:
  std::array<char, 20> text_;
  char* end_;
};

inline std::string etag_of(const Entry& entry) { return std::string(EtagText(entry.version).view()); }

std::optional<WallTime> expiry_of(const Entry& entry);
state::RecordFields fields_of(const Entry& entry);
state::Record record_of(const Entry& entry, bool want_value, bool want_fields);
state::ListedRecord listed(const Entry& entry, bool want_value, bool want_fields);

// When a record written now expires, in microseconds since 1970.
std::int64_t expiry_at(const std::optional<Milliseconds>& ttl, WallTime now);

// What a record takes of maxBytes.
std::int64_t bytes_of(std::string_view key, const state::SetRequest& request);
std::int64_t bytes_of(const Entry& entry);

// Puts value, shape, content type, tags and index entries of the request into the entry.
void assign(Entry& entry, const state::SetRequest& request);

}  // namespace holdfast::stores::memory
