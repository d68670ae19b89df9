// Writing messages inside of messages without copying them: what a message holds is said once, as a function of a sink,
// and told twice, to a sink that counts and to one that appends. I/O-free.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "wire/protobuf/fields.h"

namespace holdfast::protobuf {

// The bytes that a Writer would append.
class Counter {
 public:
  std::size_t size() const { return size_; }
  void number(std::uint32_t field, std::int64_t value) {
    if (value != 0) size_ += varint_size(tag(field)) + varint_size(static_cast<std::uint64_t>(value));
  }
  void bytes(std::uint32_t field, std::string_view value) {
    if (!value.empty()) size_ += head_size(field, value.size()) + value.size();
  }
  template <class Content>
  void message(std::uint32_t field, const Content& content) {
    Counter inner;
    content(inner);
    size_ += head_size(field, inner.size()) + inner.size();
  }

 private:
  static std::uint64_t tag(std::uint32_t field) { return std::uint64_t{field} << 3; }
  static std::size_t head_size(std::uint32_t field, std::size_t size) {
    return varint_size(tag(field)) + varint_size(size);
  }
  std::size_t size_ = 0;
};

// Appends. Numbers that are zero and empty bytes are left out, as proto3 does; messages are not.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}
  // Of any integer type and of booleans; negative ones take ten bytes.
  void number(std::uint32_t field, std::int64_t value) { append_uint(out_, field, static_cast<std::uint64_t>(value)); }
  void bytes(std::uint32_t field, std::string_view value) { append_bytes(out_, field, value); }
  template <class Content>
  void message(std::uint32_t field, const Content& content) {
    Counter inner;
    content(inner);
    append_message_head(out_, field, inner.size());
    content(*this);
  }

 private:
  std::string& out_;
};

}  // namespace holdfast::protobuf
