#include "stores/postgresql/rows.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/number.h"

namespace holdfast::stores::postgresql {
namespace {

// Between 1970 and 2000, from which PostgreSQL counts.
constexpr std::int64_t kEpochUs = 946'684'800'000'000;

// Numbers of types: bytea and text.
constexpr std::uint32_t kByteaType = 17;
constexpr std::uint32_t kTextType = 25;
constexpr std::size_t kTypeAt = 8;  // in an array
constexpr std::size_t kNumberBytes = 4;

std::array<char, kNumberBytes> big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}

std::int64_t read_big_endian(std::string_view bytes) {
  if (bytes.empty()) return 0;
  // The sign is that of the first byte.
  std::uint64_t value = (static_cast<unsigned char>(bytes.front()) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

}  // namespace

Values& Values::add(Part part) {
  parts_.push_back(std::move(part));
  return *this;
}

void Values::append_element(std::string& array, std::string_view value) {
  array += array.size() > 1 ? ",\"" : "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') array += '\\';
    array += c;
  }
  array += '"';
}

// Source: array_recv() of PostgreSQL, whose form is: dimensions, whether there are nulls, the elements' type; the
// elements' number and the first one's; and of each one its length, -1 for null, and its bytes.
std::string Values::begin_array(std::size_t size, std::size_t bytes) {
  std::string array;
  array.reserve(kNumberBytes * (5 + size) + bytes);
  for (const std::uint32_t number : {1U, 1U, kTextType, static_cast<std::uint32_t>(size), 1U})
    array.append(big_endian(number).data(), kNumberBytes);
  return array;
}

void Values::append_binary(std::string& array, const Part& part) {
  if (part.is_bytes) std::ranges::copy(big_endian(kByteaType), array.begin() + kTypeAt);
  const std::size_t size = part.is_null ? std::numeric_limits<std::uint32_t>::max() : part.bytes().size();
  array.append(big_endian(static_cast<std::uint32_t>(size)).data(), kNumberBytes);
  if (!part.is_null) array += part.bytes();
}

std::size_t Values::bytes_in_all() const {
  std::size_t sum = 0;
  for (const Part& part : parts_) sum += part.bytes().size() + sizeof part;
  return sum;
}

void Values::fill(Arrays& arrays) const {
  arrays.values.clear();
  arrays.lengths.clear();
  arrays.formats.clear();
  for (const Part& part : parts_) {
    const std::string_view bytes = part.bytes();
    // An empty view may have no address, which would say null.
    arrays.values.push_back(part.is_null ? nullptr : bytes.empty() ? "" : bytes.data());
    arrays.lengths.push_back(static_cast<int>(bytes.size()));
    arrays.formats.push_back(part.is_in_text_format ? 0 : 1);
  }
}

std::string_view Rows::text(int row, int column) const {
  row += first_row_;
  column += first_column_;
  return {libpq().getvalue(result_.get(), row, column),
          static_cast<std::size_t>(libpq().getlength(result_.get(), row, column))};
}

bool Rows::boolean(int row, int column) const {
  const std::string_view bytes = text(row, column);
  return !bytes.empty() && bytes.front() != 0;
}

std::int64_t Rows::integer(int row, int column) const { return read_big_endian(text(row, column)); }

WallTime Rows::time(int row, int column) const {
  constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();
  const std::int64_t us = integer(row, column);
  return WallTime{us > kInfinity - kEpochUs ? kInfinity : us + kEpochUs};
}

std::optional<WallTime> Rows::time_if_any(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return time(row, column);
}

std::uint64_t Rows::touched() const {
  std::uint64_t count = 0;
  if (result_) read_number(std::string_view(libpq().cmdTuples(result_.get())), count);
  return count;
}

}  // namespace holdfast::stores::postgresql
