#include "migration/tally.h"

#include <algorithm>

namespace holdfast::migration {

std::string_view name_of(Count count) {
  static constexpr std::array<std::string_view, kCountKinds> kNames{
      "read",        "bytes",           "written",      "replaced",    "same",    "different",  "expired",
      "refusedTtl",  "refusedKey",      "refusedValue", "rejected",    "lostTtl", "lostFields", "lostTimes",
      "changedJson", "underReplicated", "equal",        "reformatted", "missing", "unequal",    "changedSince"};
  return kNames[static_cast<std::size_t>(count)];
}

void Tally::keep(Example example) {
  const auto same_kind = [&](const Example& other) { return other.kind == example.kind; };
  if (static_cast<std::size_t>(std::ranges::count_if(examples, same_kind)) < kExamplesMax)
    examples.push_back(std::move(example));
}

void Tally::add_example(Count kind, std::string_view key, std::string_view why) {
  add(kind);
  keep({kind, std::string(key), std::string(why)});
}

Tally& Tally::operator+=(const Tally& other) {
  for (std::size_t i = 0; i < kCountKinds; ++i) counts[i] += other.counts[i];
  source.add(other.source);
  carried.add(other.carried);
  target.add(other.target);
  for (const Example& example : other.examples) keep(example);
  return *this;
}

}  // namespace holdfast::migration
