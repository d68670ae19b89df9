// What was carried, as one number: the same for the same records in any order, so that two stores can be compared
// whatever order they list their keys in. Values; pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/store.h"

namespace holdfast::migration {

using Hash = std::array<std::uint8_t, 32>;

Hash sha256(std::string_view bytes);

// Which parts of a record an end keeps, and two ends can therefore be compared by.
struct Kept {
  bool ttl = true;
  bool fields = true;      // shape, content type, tags, indexes, modifiedBy
  bool created_by = true;  // false where a live record keeps who made it, whatever a later write says
  bool exact_json = true;  // false: JSON keeps its meaning, not its text

  static Kept by(const state::Capabilities& can);
  // By this end and by the other.
  Kept operator&(const Kept& other) const;
};

// SHA-256 over key and record, each part behind its length. Not the etag, which every store makes for itself, and not
// the times: those of creation and change are the target's, and an expiry moves by the time that a write takes.
Hash content_hash(std::string_view key, const state::Record& record, const Kept& kept);

// What keeps two records from being the same as far as `kept` goes: "value", "tags", ...; nothing when they are.
// An expiry is the same within kExpirySlack and the grain.
std::optional<std::string_view> difference(const state::Record& a, const state::Record& b, const Kept& kept,
                                           Milliseconds grain);
inline constexpr Milliseconds kExpirySlack{60'000};

// The sum of hashes, modulo 2^256, and how many there were.
class Digest {
 public:
  void add(const Hash& hash);
  void add(const Digest& other);
  std::uint64_t count() const { return count_; }
  std::string text() const;  // "COUNT:64 hexadecimal digits"
  static std::optional<Digest> parse(std::string_view text);
  friend bool operator==(const Digest&, const Digest&) = default;

 private:
  void add_sum(const Hash& sum);

  Hash sum_{};  // big-endian
  std::uint64_t count_ = 0;
};

}  // namespace holdfast::migration
