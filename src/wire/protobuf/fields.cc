#include "wire/protobuf/fields.h"

#include <algorithm>
#include <bit>

namespace holdfast::protobuf {

bool Reader::stop() {
  ok_ = false;
  rest_ = {};
  return false;
}

bool Reader::read_varint(std::uint64_t& out) {
  out = 0;
  for (std::size_t i = 0; i < 10 && i < rest_.size(); ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    if (i == 9 && byte > 1) return false;
    out |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) {
      rest_.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

bool Reader::skip(std::size_t n) {
  if (rest_.size() < n) return stop();
  bytes_ = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return true;
}

bool Reader::next() {
  if (rest_.empty()) return false;
  std::uint64_t tag = 0;
  if (!read_varint(tag) || tag > 0xffffffffu || tag >> 3 == 0) return stop();
  field_ = static_cast<std::uint32_t>(tag >> 3);
  wire_type_ = static_cast<std::uint32_t>(tag & 7);
  switch (wire_type_) {
    case 0:
      return read_varint(varint_) || stop();
    case 1:
      return skip(8);
    case 2: {
      std::uint64_t size = 0;
      if (!read_varint(size) || size > rest_.size()) return stop();
      return skip(static_cast<std::size_t>(size));
    }
    case 5:
      return skip(4);
    default:
      return stop();  // groups are not of proto3
  }
}

std::size_t varint_size(std::uint64_t value) { return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7; }

namespace {

constexpr std::size_t kVarintBytesMost = 10;

char* write_varint(char* to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<char>(value | 0x80);
  *to++ = static_cast<char>(value);
  return to;
}

std::size_t message_field_size(std::string_view value) { return 1 + varint_size(value.size()) + value.size(); }

}  // namespace

void append_varint(std::string& out, std::uint64_t value) {
  char bytes[kVarintBytesMost];
  out.append(bytes, write_varint(bytes, value));
}

void append_uint(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  append_varint(out, field << 3);
  append_varint(out, value);
}

void append_message_head(std::string& out, std::uint32_t field, std::size_t size) {
  append_varint(out, field << 3 | 2);
  append_varint(out, size);
}

std::size_t bytes_field_size(std::string_view value) { return value.empty() ? 0 : message_field_size(value); }

std::size_t map_entry_size(std::string_view key, std::string_view value) {
  const std::size_t entry = message_field_size(key) + message_field_size(value);
  return 1 + varint_size(entry) + entry;
}

// Room is made once for all of it.
void append_message(std::string& out, std::uint32_t field, std::string_view value) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + 2 * kVarintBytesMost + value.size(), [&](char* text, std::size_t) {
    char* to = write_varint(text + before, field << 3 | 2);
    to = write_varint(to, value.size());
    return static_cast<std::size_t>(std::copy(value.begin(), value.end(), to) - text);
  });
}

void append_fixed64(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  append_varint(out, field << 3 | 1);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i));
}

void append_bytes(std::string& out, std::uint32_t field, std::string_view value) {
  if (!value.empty()) append_message(out, field, value);
}

void append_map_entry(std::string& out, std::uint32_t field, std::string_view key, std::string_view value) {
  append_message_head(out, field, message_field_size(key) + message_field_size(value));
  append_message(out, 1, key);
  append_message(out, 2, value);
}

}  // namespace holdfast::protobuf
