#include "base/frame_pool.h"

#include <array>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define HOLDFAST_PLAIN_FRAMES 1
#endif
#endif

namespace holdfast {
namespace {

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClassCount = 32;  // frames up to 2 KiB
constexpr std::size_t kKeptPerClass = 64;

struct FreeFrame {
  FreeFrame* next;
};

struct FrameLists {
  std::array<FreeFrame*, kClassCount> heads{};
  std::array<std::size_t, kClassCount> counts{};
  ~FrameLists() {
    for (std::size_t i = 0; i < kClassCount; ++i) {
      for (FreeFrame* frame = heads[i]; frame != nullptr;) {
        FreeFrame* next = frame->next;
        ::operator delete(frame);
        frame = next;
      }
      heads[i] = nullptr;
      counts[i] = kKeptPerClass;  // frames freed while the thread ends go straight back
    }
  }
};

thread_local FrameLists lists;

[[maybe_unused]] constexpr std::size_t class_of(std::size_t bytes) { return (bytes + kClassBytes - 1) / kClassBytes - 1; }

}  // namespace

void* frame_allocate(std::size_t bytes) {
#ifndef HOLDFAST_PLAIN_FRAMES
  const std::size_t size_class = class_of(bytes);
  if (size_class < kClassCount) {
    if (FreeFrame* frame = lists.heads[size_class]) {
      lists.heads[size_class] = frame->next;
      --lists.counts[size_class];
      return frame;
    }
    return ::operator new((size_class + 1) * kClassBytes);
  }
#endif
  return ::operator new(bytes);
}

void frame_free(void* frame, std::size_t bytes) noexcept {
#ifndef HOLDFAST_PLAIN_FRAMES
  const std::size_t size_class = class_of(bytes);
  if (size_class < kClassCount && lists.counts[size_class] < kKeptPerClass) {
    auto* free_frame = static_cast<FreeFrame*>(frame);
    free_frame->next = lists.heads[size_class];
    lists.heads[size_class] = free_frame;
    ++lists.counts[size_class];
    return;
  }
#else
  (void)bytes;
#endif
  ::operator delete(frame);
}

}  // namespace holdfast
