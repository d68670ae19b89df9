// Capabilities field by field, under the names that /v2/stores and the docs give them: whoever shows all of them goes
// through this list, so that none is left out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "state/capabilities.h"

namespace holdfast::state {

// Which field it is. Counts of 32 bits know kUnlimited; of those of 64 bits 0 says that no limit is known.
using CapabilityMember = std::variant<bool Capabilities::*, std::uint32_t Capabilities::*,
                                      std::uint64_t Capabilities::*, Capabilities::Levels Capabilities::*>;

struct CapabilityField {
  std::string_view name;
  std::string_view what;  // for the docs
  CapabilityMember member;
};

inline constexpr auto kCapabilityFields = std::to_array<CapabilityField>({
    {"etag", "conditional writes, atomic in the engine; etags never reused", &Capabilities::etag},
    {"recordFields", "created, modified, by whom, content type, tags", &Capabilities::record_fields},
    {"reportsCreated", "a write says whether it created, a delete whether there was something",
     &Capabilities::reports_created},
    {"ttl", "an expired record is never returned", &Capabilities::ttl},
    {"ttlGrainMs", "by how much a record may outlive its time", &Capabilities::ttl_grain_ms},
    {"transactionOperationsMax", "atomic writes of several keys", &Capabilities::transaction_ops_max},
    {"snapshotRead", "a bulk read sees one instant", &Capabilities::snapshot_read},
    {"list", "by prefix", &Capabilities::list},
    {"orderedList", "in bytewise order, no key twice", &Capabilities::ordered_list},
    {"snapshotList", "all pages of a listing show one instant", &Capabilities::snapshot_list},
    {"keysLike", "keys by pattern", &Capabilities::keys_like},
    {"deletePrefix", "deletion by prefix", &Capabilities::delete_prefix},
    {"query", "[query.md](query.md)", &Capabilities::query},
    {"querySortKeysMax", "keys that one query may sort by", &Capabilities::query_sort_keys_max},
    {"queryByIndex", "only paths that the component names, each with values of one type",
     &Capabilities::query_by_index},
    {"secondaryIndex", "records are found by the index entries of their last write", &Capabilities::secondary_index},
    {"watch", "changes as they happen", &Capabilities::watch},
    {"watchResume", "a token of an earlier watch continues it, or says `resync`", &Capabilities::watch_resume},
    {"watchCoalesces", "writes that follow each other closely may be told as the last", &Capabilities::watch_coalesces},
    {"sessionPositions", "readings at session may be of copies, which have to be as far as the session",
     &Capabilities::session_positions},
    {"exactJson", "JSON text comes back byte for byte", &Capabilities::exact_json},
    {"durable", "survives the process and the power", &Capabilities::durable},
    {"keyBytesMax", "", &Capabilities::key_bytes_max},
    {"valueBytesMax", "", &Capabilities::value_bytes_max},
    {"reads", "the level that a read is served at", &Capabilities::reads},
    {"writes", "the level that a write is served at", &Capabilities::writes},
});

namespace detail {

struct Anything {
  template <class T>
  operator T() const;  // for counting only
};

template <class T, class... Values>
consteval std::size_t field_count() {
  if constexpr (requires { T{Values()..., Anything()}; })
    return field_count<T, Values..., Anything>();
  else
    return sizeof...(Values);
}

consteval bool are_all_different() {
  for (std::size_t i = 0; i < kCapabilityFields.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (kCapabilityFields[i].member == kCapabilityFields[j].member ||
          kCapabilityFields[i].name == kCapabilityFields[j].name)
        return false;
  return true;
}

static_assert(kCapabilityFields.size() == field_count<Capabilities>() && are_all_different(),
              "every field of Capabilities stands in kCapabilityFields, once");

}  // namespace detail

}  // namespace holdfast::state
