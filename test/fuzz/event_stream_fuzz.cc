// Server-sent events as the command line reads them: in one portion, and in portions of a few bytes, the same events,
// whose data came with a field and whose kind is on one line.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "require.h"
#include "wire/http/event_stream.h"

using holdfast::http::EventStream;

namespace {

std::vector<std::string> events_of(std::string_view text, std::size_t portion) {
  EventStream stream;
  std::vector<std::string> events;
  for (std::size_t at = 0; at < text.size(); at += portion) {
    FUZZ_REQUIRE(stream.feed(text.substr(at, portion)));
    while (const auto event = stream.next()) {
      FUZZ_REQUIRE(event->kind.find('\n') == std::string::npos && event->id.find('\n') == std::string::npos);
      events.push_back(event->kind + '\n' + event->id + '\n' + event->data);
    }
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  FUZZ_REQUIRE(events_of(text, size) == events_of(text, 1 + data[0] % 7));
  return 0;
}
