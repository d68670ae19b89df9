#include "net/byte_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::net {
namespace {

TEST(ByteQueue, GivesBackWhatCameInThroughAnyMixOfSteps) {
  ByteQueue queue;
  std::string expected;
  unsigned state = 1;
  for (int step = 0; step < 20'000; ++step) {
    state = state * 1664525 + 1013904223;
    const std::size_t bytes = (state >> 8) % 700;
    const std::string text(bytes, static_cast<char>('a' + step % 26));
    if (state >> 31 != 0) {
      queue.append(text);
      expected += text;
    } else if (step % 3 == 0) {
      const auto room = queue.room(bytes);
      ASSERT_GE(room.size(), bytes);
      text.copy(room.data(), bytes);
      queue.commit(bytes);
      expected += text;
    } else {
      const std::size_t taken = std::min(bytes * 2, expected.size());
      const std::size_t offset = step % 5 == 0 ? (expected.size() - taken) / 2 : 0;
      queue.erase(offset, taken);
      expected.erase(offset, taken);
    }
    ASSERT_EQ(queue.view(), expected);
  }
}

TEST(ByteQueue, ASteadyFlowNeedsNoMoreMemoryThanItHoldsAtATime) {
  ByteQueue queue;
  queue.append("left over");
  for (int i = 0; i < 100'000; ++i) {
    queue.append("0123456789");
    queue.consume(10);
  }
  EXPECT_LE(queue.capacity(), 4096u);
}

TEST(ByteQueue, HugeValuesLeaveNothingBehind) {
  ByteQueue queue;
  queue.append(std::string(10 << 20, 'x'));
  queue.shrink();
  EXPECT_EQ(queue.size(), std::size_t{10} << 20);
  queue.consume(queue.size());
  queue.shrink();
  EXPECT_LE(queue.capacity(), ByteQueue::kKept);
}

}  // namespace
}  // namespace holdfast::net
