#include "net/http2_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/frame_pool.h"

namespace holdfast::net {

namespace {

// nghttp2 frees without saying how much: the size stands in front of what it gets.
constexpr std::size_t kHeadBytes = alignof(std::max_align_t);
static_assert(kHeadBytes >= sizeof(std::size_t));

std::size_t& size_before(void* memory) {
  return *reinterpret_cast<std::size_t*>(static_cast<std::byte*>(memory) - kHeadBytes);
}

// nghttp2 takes a null pointer for "no memory": an exception must not cross it.
void* allocate(std::size_t bytes, void*) noexcept {
  try {
    void* const memory = static_cast<std::byte*>(frame_allocate(bytes + kHeadBytes)) + kHeadBytes;
    size_before(memory) = bytes;
    return memory;
  } catch (...) {
    return nullptr;
  }
}

void release(void* memory, void*) noexcept {
  if (memory == nullptr) return;
  frame_free(static_cast<std::byte*>(memory) - kHeadBytes, size_before(memory) + kHeadBytes);
}

void* allocate_zeroed(std::size_t count, std::size_t bytes, void* user) noexcept {
  void* const memory = allocate(count * bytes, user);  // nghttp2 multiplies small numbers only
  if (memory != nullptr) std::memset(memory, 0, count * bytes);
  return memory;
}

void* reallocate(void* memory, std::size_t bytes, void* user) noexcept {
  if (memory == nullptr) return allocate(bytes, user);
  if (bytes == 0) {
    release(memory, user);
    return nullptr;
  }
  void* const moved = allocate(bytes, user);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, memory, std::min(bytes, size_before(memory)));
  release(memory, user);
  return moved;
}

}  // namespace

nghttp2_mem* http2_memory() {
  static nghttp2_mem memory{nullptr, allocate, release, allocate_zeroed, reallocate};
  return &memory;
}

}  // namespace holdfast::net
