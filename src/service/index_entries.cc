#include "service/index_entries.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace holdfast::service {

Status check_index_entries(state::PairsView entries) {
  if (entries.size() > kIndexEntriesMax)
    return fail(Errc::invalid_argument,
                fmt::format("there are {} index entries; at most {} are taken", entries.size(), kIndexEntriesMax));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [name, value] = entries[i];
    if (name.empty()) return fail(Errc::invalid_argument, "an index entry has no name");
    if (name.size() + value.size() > kIndexEntryBytesMax)
      return fail(Errc::invalid_argument,
                  fmt::format("index entry {} has {} bytes, name and value together; at most {} are taken", i + 1,
                              name.size() + value.size(), kIndexEntryBytesMax));
    for (std::size_t other = 0; other < i; ++other)
      if (entries[other].first == name)
        return fail(Errc::invalid_argument, fmt::format("the index entry \"{}\" stands there twice", name));
  }
  return {};
}

Result<state::Pairs> parse_index_entries(std::string_view text) {
  state::Pairs entries;
  for (const std::string_view part : split(text, ',')) {
    const std::string_view entry = trim(part);
    const std::size_t colon = entry.find(':');
    if (colon == std::string_view::npos)
      return fail(Errc::invalid_argument, "an index entry is name:value, and several have commas between them");
    if (entries.size() == kIndexEntriesMax)
      return fail(Errc::invalid_argument,
                  fmt::format("there are more than {} index entries, which is all that are taken", kIndexEntriesMax));
    entries.emplace_back(trim(entry.substr(0, colon)), trim(entry.substr(colon + 1)));
  }
  if (auto ok = check_index_entries(entries); !ok) return fail(std::move(ok.error()));
  return entries;
}

}  // namespace holdfast::service
