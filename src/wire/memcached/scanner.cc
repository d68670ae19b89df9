#include "wire/memcached/scanner.h"

#include <cstring>

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::memcached {

bool read_value_line(std::string_view line, std::uint64_t& bytes, std::string_view& flags) {
  take_part(line, ' ');
  const bool is_number = read_number(take_part(line, ' '), bytes);
  flags = line;
  return is_number;
}

Scanner::Step Scanner::broken(std::string reason) {
  failure_ = "not memcached: " + std::move(reason);
  return Step::broken;
}

Result<std::size_t> Scanner::scan(std::string_view bytes) {
  Step step = failure_.empty() ? Step::next : Step::broken;
  while (step == Step::next) step = value_end_ > 0 ? take_value(bytes) : take_line(bytes);
  if (step == Step::broken) return fail(Errc::internal, failure_);
  if (step == Step::more) return 0;
  const std::size_t length = begin_;
  begin_ = searched_ = value_end_ = 0;
  return length;
}

Scanner::Step Scanner::take_line(std::string_view bytes) {
  if (bytes.size() <= begin_) return Step::more;
  // Before the line's end is there: a peer that speaks something else may never send one.
  if (bytes[begin_] < 'A' || bytes[begin_] > 'Z')
    return broken("a line begins with byte 0x" + hex_encode(bytes.substr(begin_, 1)));
  const void* found = std::memchr(bytes.data() + searched_, '\n', bytes.size() - searched_);
  const std::size_t end = found ? static_cast<const char*>(found) - bytes.data() + 1 : bytes.size() + 1;
  if (end - begin_ > limits_.line_bytes_max) return broken("a line is too long");
  if (!found) {
    searched_ = bytes.size();
    return Step::more;
  }
  if (end - begin_ < 2 || bytes[end - 2] != '\r') return broken("a line ends without a carriage return");
  const std::string_view line = bytes.substr(begin_, end - 2 - begin_);
  const bool is_in_stats = begin_ > 0;
  begin_ = searched_ = end;
  if (line.starts_with("STAT "))
    return begin_ > limits_.stats_bytes_max ? broken("there is no end of statistics") : Step::next;
  if (is_in_stats && line != "END") return broken("statistics do not end with END");
  return line == "VA" || line.starts_with("VA ") ? begin_value(line) : Step::whole;
}

Scanner::Step Scanner::begin_value(std::string_view line) {
  std::uint64_t bytes = 0;
  std::string_view flags;
  if (!read_value_line(line, bytes, flags)) return broken("a value has no length");
  if (bytes > limits_.value_bytes_max) return broken("a value is too long");
  value_end_ = begin_ + bytes + 2;
  return Step::next;
}

Scanner::Step Scanner::take_value(std::string_view bytes) {
  if (bytes.size() < value_end_) return Step::more;
  if (bytes.substr(value_end_ - 2, 2) != "\r\n") return broken("a value is longer than announced");
  begin_ = value_end_;
  return Step::whole;
}

}  // namespace holdfast::memcached
