#include "wire/http/event_stream.h"

#include <gtest/gtest.h>

#include <vector>

namespace holdfast::http {
namespace {

constexpr std::string_view kText =
    ":\n\nevent: ready\nid: a.1\ndata: {}\n\n:\n\n"
    "event: put\r\nid: a.2\r\ndata: {\"key\":\"a: b\"}\r\n\r\n"
    "event: nothing\n\nretry: 5\nunknown\ndata:one\ndata:  two\ndata\n\n"
    "event: cut\ndata: off";

std::vector<std::string> events_of(std::string_view text, std::size_t portion) {
  EventStream stream;
  std::vector<std::string> events;
  for (std::size_t at = 0; at < text.size(); at += portion) {
    EXPECT_TRUE(stream.feed(text.substr(at, portion)));
    while (const auto event = stream.next()) events.push_back(event->kind + '|' + event->id + '|' + event->data);
  }
  return events;
}

TEST(EventStream, BytesInAnyPortionsGiveTheSameEvents) {
  const std::vector<std::string> expected{"ready|a.1|{}", "put|a.2|{\"key\":\"a: b\"}", "|a.2|one\n two\n"};
  for (std::size_t portion = 1; portion <= kText.size(); ++portion)
    EXPECT_EQ(events_of(kText, portion), expected) << portion << " at a time";
}

TEST(EventStream, AnEventWithoutAnEndIsBounded) {
  EventStream stream;
  const std::string line = "data: " + std::string(1 << 20, 'x') + '\n';
  std::size_t lines = 0;
  for (; lines < 1000 && stream.feed(line); ++lines) EXPECT_FALSE(stream.next());
  EXPECT_EQ(lines, EventStream::kEventBytesMax / line.size());
}

}  // namespace
}  // namespace holdfast::http
