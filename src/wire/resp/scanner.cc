#include "wire/resp/scanner.h"

#include <algorithm>
#include <cstring>

#include "base/encoding.h"

namespace holdfast::resp {
namespace {

std::string over(std::string_view what, std::uint64_t bound) {
  return std::string(what) + ", over the bound of " + std::to_string(bound);
}

}  // namespace

Scanner::Scanner(Limits limits) : limits_(limits) { limits_.depth_max = std::min(limits_.depth_max, kDepthMost); }

void Scanner::reset() {
  begin_ = searched_ = bulk_end_ = depth_ = 0;
  elements_ = 0;
  missing_[0] = 1;
  failure_.clear();
}

Scanner::Step Scanner::broken(std::string reason) {
  failure_ = "not RESP: " + std::move(reason);
  return Step::broken;
}

Result<std::size_t> Scanner::scan(std::string_view bytes) {
  Step step = failure_.empty() ? Step::next : Step::broken;
  if (step == Step::next && bulk_end_ == 0) skip_usual(bytes);
  while (step == Step::next && missing_[0] > 0) step = bulk_end_ > 0 ? take_bulk(bytes) : take_line(bytes);
  if (step == Step::broken) return fail(Errc::internal, failure_);
  if (step == Step::more) return 0;
  const std::size_t length = begin_;
  reset();
  return length;
}

// Strings, integers and arrays of them that are there as a whole and within all bounds, which nearly all replies
// consist of. Stops at what else there is.
void Scanner::skip_usual(std::string_view bytes) {
  if (limits_.line_bytes_max < kShortLineBytes) return;
  const char* const begin = bytes.data();
  // What is within the bound of a reply; a value that ends beyond it is not there.
  const char* const end = begin + std::min<std::uint64_t>(bytes.size(), limits_.reply_bytes_max);
  const char* at = begin + begin_;
  while (missing_[0] > 0 && at < end) {
    std::uint64_t left = missing_[depth_];
    for (ShortScalar scalar; left > 0; --left) {
      const char* const behind = read_short_scalar(at, end, scalar);
      if (behind == nullptr || scalar.text.size() > limits_.bulk_bytes_max) break;
      at = behind;
    }
    missing_[depth_] = left;
    if (left == 0) {
      finish_aggregates();
      continue;
    }
    std::uint64_t count = 0;
    const char* const behind = read_short_array(at, end, count);
    if (behind == nullptr || count > limits_.elements_max - elements_ || depth_ == limits_.depth_max) break;
    elements_ += count;
    at = behind;
    missing_[++depth_] = count;
    if (count == 0) finish_aggregates();
  }
  begin_ = static_cast<std::size_t>(at - begin);
  searched_ = std::max(searched_, begin_);
}

Scanner::Step Scanner::take_line(std::string_view bytes) {
  if (bytes.size() <= begin_) return Step::more;
  // Before the line's end is there: a peer that speaks something else may never send one.
  if (!is_type(bytes[begin_])) return broken("a reply begins with byte 0x" + hex_encode(bytes.substr(begin_, 1)));
  const void* found = std::memchr(bytes.data() + searched_, '\n', bytes.size() - searched_);
  const std::size_t end = found ? static_cast<const char*>(found) - bytes.data() + 1 : bytes.size() + 1;
  if (end - begin_ > limits_.line_bytes_max) return broken(over("a line is too long", limits_.line_bytes_max));
  if (!found) {
    searched_ = bytes.size();
    return Step::more;
  }
  if (bytes[end - 2] != '\r') return broken("a line ends without a carriage return");
  const auto element = read_element(bytes.substr(begin_, end - 2 - begin_));
  if (!element) return broken(std::string(element.error()));
  begin_ = searched_ = end;
  switch (element->form) {
    case Form::line:
      return finish_line();
    case Form::bulk:
      return begin_bulk(element->count);
    case Form::aggregate:
    case Form::attribute:
      return enter(*element);
  }
  return Step::next;
}

Scanner::Step Scanner::finish_line() {
  if (begin_ > limits_.reply_bytes_max) return broken(over("a reply is too long", limits_.reply_bytes_max));
  finish_element();
  return Step::next;
}

Scanner::Step Scanner::begin_bulk(std::uint64_t bytes) {
  if (bytes > limits_.bulk_bytes_max) return broken(over("a string is too long", limits_.bulk_bytes_max));
  if (begin_ > limits_.reply_bytes_max || bytes > limits_.reply_bytes_max - begin_)
    return broken(over("a reply is too long", limits_.reply_bytes_max));
  bulk_end_ = begin_ + bytes + 2;
  return Step::next;
}

Scanner::Step Scanner::take_bulk(std::string_view bytes) {
  if (bytes.size() < bulk_end_) return Step::more;
  if (bytes[bulk_end_ - 2] != '\r' || bytes[bulk_end_ - 1] != '\n') return broken("a string is longer than announced");
  begin_ = searched_ = bulk_end_;
  bulk_end_ = 0;
  finish_element();
  return Step::next;
}

Scanner::Step Scanner::enter(const Element& element) {
  if (begin_ > limits_.reply_bytes_max) return broken(over("a reply is too long", limits_.reply_bytes_max));
  if (element.kind == Kind::push && depth_ > 0) return broken("a push stands inside a reply");
  // The attribute itself is counted, or attributes without members would have no end.
  const std::uint64_t own = element.form == Form::attribute ? 1 : 0;
  if (element.count > limits_.elements_max || element.count + own > limits_.elements_max - elements_)
    return broken(over("a reply has too many elements", limits_.elements_max));
  elements_ += element.count + own;
  // An attribute takes a place of its own beside the value that it is about.
  missing_[depth_] += own;
  if (element.count == 0) {
    finish_element();
    return Step::next;
  }
  if (depth_ == limits_.depth_max) return broken(over("aggregates are nested too deep", limits_.depth_max));
  missing_[++depth_] = element.count;
  return Step::next;
}

void Scanner::finish_element() {
  --missing_[depth_];
  finish_aggregates();
}

// The last value of an aggregate finishes the aggregate, which is a value of the one around it.
void Scanner::finish_aggregates() {
  while (missing_[depth_] == 0 && depth_ > 0) --missing_[--depth_];
}

}  // namespace holdfast::resp
