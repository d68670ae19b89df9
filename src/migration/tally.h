// What a migration counts, and of which keys it speaks. Values; pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "migration/digest.h"

namespace holdfast::migration {

enum class Count : std::uint8_t {
  read,       // records that the source gave
  bytes,      // of their keys and values
  written,    // into the target, where nothing was under the key
  replaced,   // with --overwrite: something else was there
  same,       // were there already, and equal
  different,  // were there already, not equal, and were left as they are
  expired,    // ran out on the way
  // Not written, because:
  refused_ttl,    // it has an expiry, and the target has none
  refused_key,    // its key is longer than the target takes
  refused_value,  // its value is larger than the target takes
  rejected,       // the target said no to it
  // Written without:
  lost_ttl,
  lost_fields,       // content type, createdBy, modifiedBy, tags or indexes
  lost_times,        // created and modified: those of the target are of the migration
  changed_json,      // documents of which the target keeps the meaning, and perhaps not the text
  under_replicated,  // on fewer replicas than the target's component asks for
  // Of a comparison:
  equal,          // the target has the record as the source has it
  reformatted,    // of these: the same JSON in another text
  missing,        // the target has nothing under the key
  unequal,        // the target has something else
  changed_since,  // the source's record was written after the migration began
};
inline constexpr std::size_t kCountKinds = static_cast<std::size_t>(Count::changed_since) + 1;

// "lostTtl": as it is called in reports and state files.
std::string_view name_of(Count count);

struct Example {
  Count kind = Count::rejected;
  std::string key;
  std::string why;
};
inline constexpr std::size_t kExamplesMax = 20;  // of one kind

struct Tally {
  std::array<std::uint64_t, kCountKinds> counts{};
  Digest source;   // of the records that were read
  Digest carried;  // of a comparison: of the source's records that the target should have, as far as it keeps them
  Digest target;   // and of what it has of them
  std::vector<Example> examples;

  std::uint64_t operator[](Count count) const { return counts[static_cast<std::size_t>(count)]; }
  void add(Count count, std::uint64_t n = 1) { counts[static_cast<std::size_t>(count)] += n; }
  // Counts it as well. Only the first kExamplesMax of a kind are kept.
  void add_example(Count kind, std::string_view key, std::string_view why);
  Tally& operator+=(const Tally& other);

 private:
  void keep(Example example);
};

}  // namespace holdfast::migration
