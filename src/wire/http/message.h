// An HTTP request and response as values, whatever carried them (HTTP/1.1 or HTTP/2).
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancellation.h"

namespace holdfast::http {

enum class Method : std::uint8_t { get, head, post, put, del, patch, options, other };
Method parse_method(std::string_view text);
// "GET"; "UNKNOWN" for other.
std::string_view name_of(Method method);

// Header fields in order of arrival, names in lower case, in one allocation that is reused between requests.
// Views that it hands out live until the next clear().
class HeaderBlock {
 public:
  void clear() {
    text_.clear();
    entries_.clear();
    seen_ = 0;
  }
  // Gives back what is not used, for a request that stays.
  void shrink() {
    text_.shrink_to_fit();
    entries_.shrink_to_fit();
  }
  void add(std::string_view name, std::string_view value);
  // For names that are in lower case already, as HTTP/2 has them.
  void add_lower(std::string_view name, std::string_view value);
  std::size_t size() const { return entries_.size(); }
  std::string_view name(std::size_t i) const { return view(entries_[i].name_at, entries_[i].name_bytes); }
  std::string_view value(std::size_t i) const { return view(entries_[i].value_at, entries_[i].value_bytes); }
  // The first field of that (lower-case) name; empty when absent.
  std::string_view find(std::string_view name) const {
    return (seen_ & bit_of(name)) == 0 ? std::string_view() : search(name);
  }
  bool has(std::string_view name) const;

 private:
  void append(std::string_view name, std::string_view value);
  std::string_view search(std::string_view name) const;
  struct Entry {
    std::uint32_t name_at, name_bytes, value_at, value_bytes;
  };
  std::string_view view(std::uint32_t at, std::uint32_t bytes) const {
    return std::string_view(text_).substr(at, bytes);
  }
  // Most names that are asked for are not there: one bit for each first letter and length tells most of those.
  static std::uint64_t bit_of(std::string_view name) {
    if (name.empty()) return 1;
    return 1ULL << ((static_cast<unsigned char>(name[0]) * 7 + name.size()) % 64);
  }
  std::string text_;
  std::vector<Entry> entries_;
  std::uint64_t seen_ = 0;
};

// The header fields of a response, in order, as the lines that HTTP/1.1 sends: one text, one allocation. Names keep the
// case they are added with. Neither a name nor a value holds control characters: who adds text of others sees to that.
// Views that it hands out live until the next change.
class HeaderLines {
 public:
  void clear() { lines_.clear(); }
  bool empty() const { return lines_.empty(); }
  void add(std::string_view name, std::string_view value) {
    add(name, [value](std::string& out) { out += value; });
  }
  // `append(out)` appends the value to the text it is given, and does nothing else to it.
  template <class Append>
    requires std::invocable<Append&, std::string&>
  void add(std::string_view name, Append append) {
    static constexpr std::size_t kUsual = 256;
    if (lines_.empty()) lines_.reserve(kUsual);
    lines_ += name;
    lines_ += kColon;
    append(lines_);
    lines_ += kEnd;
  }
  // "Name: value\r\n" for each field.
  std::string_view lines() const { return lines_; }
  // Lower case, as HTTP/2 wants the names.
  void lower_names();
  // The first field of that name, whatever its case; empty when absent.
  std::string_view find(std::string_view name) const;
  // Calls see(name, value) for each field.
  template <class See>
  void for_each(See see) const {
    for (std::string_view rest = lines_; !rest.empty();) {
      const std::size_t colon = rest.find(kColon);
      const std::size_t end = rest.find(kEnd, colon);
      see(rest.substr(0, colon), rest.substr(colon + kColon.size(), end - colon - kColon.size()));
      rest.remove_prefix(end + kEnd.size());
    }
  }

 private:
  static constexpr std::string_view kColon = ": ";
  static constexpr std::string_view kEnd = "\r\n";
  std::string lines_;
};

// Where a connection comes from.
enum class Peer : std::uint8_t { elsewhere, loopback, unix_socket };

struct Request {
  Method method = Method::other;
  std::string unknown_method;  // the text of Method::other
  std::string target;  // as sent: path and query, still escaped
  HeaderBlock headers;
  std::string body;
  bool body_too_large = false;  // the body was cut at the limit and is not to be used
  bool is_http2 = false;
  Peer peer = Peer::elsewhere;
  const Cancellation* cancel = nullptr;  // set when the client goes away; null: not watched
  std::shared_ptr<const void> caller;    // who sent it, as the API found out that admitted it; its own to read
  void* session = nullptr;               // what the API keeps of the caller's session during the call; its own

  std::string_view method_text() const { return method == Method::other ? unknown_method : name_of(method); }
  void clear();  // keeps the buffers
};

struct Response {
  int status = 200;
  std::string_view content_type;  // a literal; empty: none
  HeaderLines headers;
  std::string body;
  HeaderBlock trailers;  // HTTP/2 only
  bool has_trailers = false;
  bool close = false;  // HTTP/1.1: no further request on this connection

  void clear();  // keeps the buffers
};

std::string_view reason_phrase(int status);

}  // namespace holdfast::http
