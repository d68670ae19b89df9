// Bytes that come in at one end and leave at the other, in one piece of memory that is used again and again.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace holdfast::net {

class ByteQueue {
 public:
  // What shrink() leaves: more than most values need, so that memory does not come and go with each of them. Nothing
  // under AddressSanitizer, which then sees who looks at bytes that have left.
#if __has_feature(address_sanitizer)
  static constexpr std::size_t kKept = 0;
#else
  static constexpr std::size_t kKept = 256 << 10;
#endif

  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  bool empty() const { return begin_ == end_; }
  std::size_t size() const { return end_ - begin_; }

  // All the room at the end, at least `bytes` of it; what is written there counts after commit(). Moves what is there.
  std::span<char> room(std::size_t bytes) {
    make_room(bytes);
    return {data_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t bytes) { end_ += bytes; }
  void append(std::string_view bytes) {
    make_room(bytes.size());
    if (!bytes.empty()) std::memcpy(data_.get() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
  }

  // Takes bytes from the front.
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Takes bytes from further behind.
  void erase(std::size_t offset, std::size_t bytes) {
    if (offset == 0) return consume(bytes);
    char* const from = data_.get() + begin_ + offset;
    std::memmove(from, from + bytes, size() - offset - bytes);
    end_ -= bytes;
  }
  void clear() { begin_ = end_ = 0; }

  // Gives back what a huge value has made it grow by, when nothing is in it.
  void shrink() {
    if (!empty() || capacity_ <= kKept) return;
    data_.reset();
    capacity_ = 0;
  }
  std::size_t capacity() const { return capacity_; }

 private:
  void make_room(std::size_t bytes) {
    if (capacity_ - end_ >= bytes) return;
    // Moving costs no more than the bytes that have left since the last time, so that it is paid for by them.
    if (begin_ >= size() && capacity_ - size() >= bytes) {
      if (!empty()) std::memmove(data_.get(), data_.get() + begin_, size());
    } else {
      capacity_ = std::max({capacity_ * 2, size() + bytes, std::size_t{4096}});
      auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
      if (!empty()) std::memcpy(larger.get(), data_.get() + begin_, size());
      data_ = std::move(larger);
    }
    end_ = size();
    begin_ = 0;
  }

  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace holdfast::net
