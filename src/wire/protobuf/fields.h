// Protocol Buffers wire format, read and written by hand where libprotobuf would copy or allocate too much: the
// hottest calls and status details. I/O-free. Source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::protobuf {

// Walks the fields of one message. Views point into the message. Malformed input ends the walk with ok() false;
// unknown fields are passed over by simply not looking at them.
class Reader {
 public:
  explicit Reader(std::string_view message) : rest_(message) {}

  // The next field; false at the end or at malformed input.
  bool next();
  bool ok() const { return ok_; }
  std::uint32_t field() const { return field_; }
  bool is_bytes() const { return wire_type_ == 2; }
  bool is_varint() const { return wire_type_ == 0; }
  // The payload of a length-delimited field.
  std::string_view bytes() const { return bytes_; }
  std::uint64_t varint() const { return varint_; }

 private:
  bool read_varint(std::uint64_t& out);
  bool skip(std::size_t n);
  bool stop();

  std::string_view rest_;
  std::string_view bytes_;
  std::uint64_t varint_ = 0;
  std::uint32_t field_ = 0;
  std::uint32_t wire_type_ = 0;
  bool ok_ = true;
};

// Appends fields; default values are left out, as proto3 does.
void append_varint(std::string& out, std::uint64_t value);
void append_uint(std::string& out, std::uint32_t field, std::uint64_t value);
void append_fixed64(std::string& out, std::uint32_t field, std::uint64_t value);
void append_bytes(std::string& out, std::uint32_t field, std::string_view value);
// As append_bytes, but also when empty: sub-messages and map entries.
void append_message(std::string& out, std::uint32_t field, std::string_view value);
// What stands in front of a sub-message of `size` bytes that the caller appends next.
void append_message_head(std::string& out, std::uint32_t field, std::size_t size);
std::size_t varint_size(std::uint64_t value);
// How many bytes append_bytes() appends, and append_map_entry(), for a field number below 16.
std::size_t bytes_field_size(std::string_view value);
std::size_t map_entry_size(std::string_view key, std::string_view value);
void append_map_entry(std::string& out, std::uint32_t field, std::string_view key, std::string_view value);

}  // namespace holdfast::protobuf
