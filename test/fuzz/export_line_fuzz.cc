// A line of an export file: never an exception, a reason for what is refused, and what is read is written and read
// again as the same record.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "migration/export_line.h"
#include "require.h"

namespace migration = holdfast::migration;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto line = migration::parse_line({reinterpret_cast<const char*>(data), size});
  if (!line) {
    FUZZ_REQUIRE(!line.error().message.empty());
    return 0;
  }
  const auto* const item = std::get_if<holdfast::state::ListedRecord>(&*line);
  if (item == nullptr) return 0;
  const std::string text = migration::line_of(*item);
  FUZZ_REQUIRE(text.find('\n') == text.size() - 1);
  const auto again = migration::parse_line(std::string_view(text).substr(0, text.size() - 1));
  FUZZ_REQUIRE(again && std::holds_alternative<holdfast::state::ListedRecord>(*again));
  const auto& copy = std::get<holdfast::state::ListedRecord>(*again);
  FUZZ_REQUIRE(copy.key == item->key && copy.record.etag == item->record.etag);
  FUZZ_REQUIRE(migration::content_hash(copy.key, copy.record, {}) ==
               migration::content_hash(item->key, item->record, {}));
  FUZZ_REQUIRE(!migration::difference(copy.record, item->record, {}, holdfast::Milliseconds(0)));
  FUZZ_REQUIRE(migration::line_of(copy) == text);
  return 0;
}
