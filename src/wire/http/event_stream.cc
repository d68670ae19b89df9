#include "wire/http/event_stream.h"

#include <utility>

namespace holdfast::http {

bool EventStream::feed(std::string_view bytes) {
  bytes_.erase(0, at_);
  looked_ -= at_;
  at_ = 0;
  if (bytes_.size() + event_.data.size() + bytes.size() > kEventBytesMax) return false;
  bytes_ += bytes;
  return true;
}

std::optional<ServerEvent> EventStream::next() {
  for (;;) {
    const std::size_t end = bytes_.find('\n', looked_);
    if (end == std::string::npos) {
      looked_ = bytes_.size();
      return std::nullopt;
    }
    std::string_view line = std::string_view(bytes_).substr(at_, end - at_);
    at_ = looked_ = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!take_line(line)) continue;
    ServerEvent whole{std::exchange(event_.kind, {}), event_.id, std::exchange(event_.data, {})};
    if (std::exchange(has_data_, false)) return whole;
  }
}

// True at the end of an event.
bool EventStream::take_line(std::string_view line) {
  if (line.empty()) return true;
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "event") event_.kind = value;
  if (name == "id") event_.id = value;
  if (name != "data") return false;
  if (std::exchange(has_data_, true)) event_.data += '\n';
  event_.data += value;
  return false;
}

}  // namespace holdfast::http
