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

std::unexpected<Error> Scanner::broken(std::string reason) {
  failure_ = "not RESP: " + std::move(reason);
  return fail(Errc::internal, failure_);
}

Result<std::size_t> Scanner::scan(std::string_view bytes) {
  if (!failure_.empty()) return fail(Errc::internal, failure_);
  while (missing_[0] > 0) {
    const Result<Step> step = bulk_end_ > 0 ? take_bulk(bytes) : take_line(bytes);
    if (!step) return fail(step.error());
    if (*step == Step::more) return 0;
  }
  const std::size_t length = begin_;
  reset();
  return length;
}

Result<Scanner::Step> Scanner::take_line(std::string_view bytes) {
  if (bytes.size() <= begin_) return Step::more;
  if (const auto bulk = read_short_bulk(bytes.substr(begin_)); bulk && bulk->header_bytes <= limits_.line_bytes_max) {
    begin_ += bulk->header_bytes;
    searched_ = begin_;
    if (const Status taken = take_element({.kind = Kind::text, .form = Form::bulk, .count = bulk->count}); !taken)
      return fail(taken.error());
    return Step::next;
  }
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
  if (const Status taken = take_element(*element); !taken) return fail(taken.error());
  return Step::next;
}

Result<Scanner::Step> Scanner::take_bulk(std::string_view bytes) {
  if (bytes.size() < bulk_end_) return Step::more;
  if (bytes.substr(bulk_end_ - 2, 2) != "\r\n") return broken("a string is longer than announced");
  begin_ = searched_ = bulk_end_;
  bulk_end_ = 0;
  finish_element();
  return Step::next;
}

Status Scanner::take_element(const Element& element) {
  if (begin_ > limits_.reply_bytes_max) return broken(over("a reply is too long", limits_.reply_bytes_max));
  switch (element.form) {
    case Form::line:
      finish_element();
      return {};
    case Form::bulk:
      if (element.count > limits_.bulk_bytes_max) return broken(over("a string is too long", limits_.bulk_bytes_max));
      if (element.count > limits_.reply_bytes_max - begin_)
        return broken(over("a reply is too long", limits_.reply_bytes_max));
      bulk_end_ = begin_ + element.count + 2;
      return {};
    case Form::aggregate:
    case Form::attribute:
      return enter(element);
  }
  return {};
}

Status Scanner::enter(const Element& element) {
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
    return {};
  }
  if (depth_ == limits_.depth_max) return broken(over("aggregates are nested too deep", limits_.depth_max));
  missing_[++depth_] = element.count;
  return {};
}

void Scanner::finish_element() {
  // The last value of an aggregate finishes the aggregate, which is a value of the one around it.
  while (--missing_[depth_] == 0 && depth_ > 0) --depth_;
}

}  // namespace holdfast::resp
