// Server-sent events (the HTML standard, section "Server-sent events") out of the bytes of an answer. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::http {

struct ServerEvent {
  std::string kind;  // of its field `event`
  std::string id;    // of the newest field `id`, its own or of an event before it
  std::string data;
};

// Takes bytes in any portions. An event without data is none; comments and unknown fields are passed over. Lines end
// with \n or \r\n.
class EventStream {
 public:
  // Of one event that is not whole yet.
  static constexpr std::size_t kEventBytesMax = 64u << 20;

  // False when an event is longer than that: nothing more is taken then.
  bool feed(std::string_view bytes);
  // The next event that is whole.
  std::optional<ServerEvent> next();

 private:
  bool take_line(std::string_view line);

  std::string bytes_;
  std::size_t at_ = 0;      // how far they were read
  std::size_t looked_ = 0;  // from there on no end of a line was looked for
  ServerEvent event_;
  bool has_data_ = false;
};

}  // namespace holdfast::http
