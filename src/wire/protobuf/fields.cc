#include "wire/protobuf/fields.h"

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

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

void append_uint(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;
  append_varint(out, field << 3);
  append_varint(out, value);
}

void append_message(std::string& out, std::uint32_t field, std::string_view value) {
  append_varint(out, field << 3 | 2);
  append_varint(out, value.size());
  out += value;
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
  std::string entry;
  append_message(entry, 1, key);
  append_message(entry, 2, value);
  append_message(out, field, entry);
}

}  // namespace holdfast::protobuf
