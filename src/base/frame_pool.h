// Memory for coroutine frames: a free list per thread and size class, because a request makes a handful of
// frames of the same few sizes. Frames freed on another thread join that thread's list. Each list is bounded,
// and under a sanitizer every frame is a plain allocation, so that use after free is seen.
#pragma once

#include <cstddef>

namespace holdfast {

void* frame_allocate(std::size_t bytes);
void frame_free(void* frame, std::size_t bytes) noexcept;

}  // namespace holdfast
