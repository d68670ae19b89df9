// Writing, and the two functions that copy or check text without reading it into a tree.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "wire/json/json.h"
#include "wire/json/scanner.h"
#include "wire/json/span.h"
#include "wire/json/utf8.h"

namespace holdfast::json {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

// What a string cannot hold as it is, or that needs a closer look: escapes, and every byte beyond ASCII, because
// U+2028, U+2029 and bad bytes are escaped.
constexpr auto is_special = [](auto c) {
  return (c < 0x20) | (c >= 0x80) | (c == '"') | (c == '\\') | (c == '<') | (c == '>') | (c == '&');
};
constexpr ByteSet kSpecial = byte_set(is_special);

// What json.Compact looks at in a string.
constexpr auto is_rewritten = [](auto c) {
  return (c == '<') | (c == '>') | (c == '&') | (c == 0xe2);
};
constexpr ByteSet kRewritten = byte_set(is_rewritten);

void append_unicode_escape(std::string& out, unsigned char c) {
  out += "\\u00";
  out += kHex[c >> 4U];
  out += kHex[c & 15U];
}

void append_ascii_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      append_unicode_escape(out, static_cast<unsigned char>(c));
      return;
  }
}

// U+2028 and U+2029 end a line in JavaScript.
bool is_line_separator(std::string_view text, std::size_t at) {
  return text.size() - at >= 3 && text[at] == '\xe2' && text[at + 1] == '\x80' &&
         (text[at + 2] == '\xa8' || text[at + 2] == '\xa9');
}
void append_line_separator(std::string& out, char last_byte) { out += last_byte == '\xa8' ? "\\u2028" : "\\u2029"; }

// Appends the character at text[at], which is special; returns its bytes.
std::size_t append_special(std::string& out, std::string_view text, std::size_t at) {
  if (static_cast<unsigned char>(text[at]) < 0x80) {
    append_ascii_escape(out, text[at]);
    return 1;
  }
  if (is_line_separator(text, at)) {
    append_line_separator(out, text[at + 2]);
    return 3;
  }
  const std::size_t bytes = character_bytes(text, at);
  if (bytes == 0) {
    out += "\\ufffd";
    return 1;
  }
  out += text.substr(at, bytes);
  return bytes;
}

void append_integer(std::string& out, std::int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

using Type = simdjson::dom::element_type;

void append_scalar(std::string& out, Element value, Type type) {
  constexpr std::int64_t kExact = 1LL << 53;  // from here on a double skips integers
  switch (type) {
    case Type::STRING:
      append_string(out, value.get_string().value_unsafe());
      return;
    case Type::INT64: {
      const std::int64_t number = value.get_int64().value_unsafe();
      if (number > -kExact && number < kExact) {
        append_integer(out, number);
      } else {
        append_number(out, static_cast<double>(number));
      }
      return;
    }
    case Type::UINT64:
      append_number(out, static_cast<double>(value.get_uint64().value_unsafe()));
      return;
    case Type::DOUBLE:
      append_number(out, value.get_double().value_unsafe());
      return;
    case Type::BOOL:
      out += value.get_bool().value_unsafe() ? "true" : "false";
      return;
    default:
      out += "null";
      return;
  }
}

struct Member {
  std::string_view key;
  Element value;
};

// Writes a tree without recursion: frames_ are the containers being written, outermost first. Objects keep their
// sorted members on top of one shared pile, so that a writer which has warmed up allocates nothing.
class TreeWriter {
 public:
  void write(std::string& out, Element value) {
    frames_.clear();
    members_.clear();
    append(out, value);
    while (!frames_.empty()) {
      if (frames_.back().is_object) {
        continue_object(out);
      } else {
        continue_array(out);
      }
    }
    // A huge value must not pin its memory.
    constexpr std::size_t kKeptEntries = 4096;
    if (members_.capacity() > kKeptEntries) members_ = {};
    if (frames_.capacity() > kKeptEntries) frames_ = {};
  }

 private:
  struct Frame {
    bool is_object = false;
    bool is_first = true;
    Array::iterator item = {};  // of an array
    Array::iterator items_end = {};
    std::size_t begin = 0;  // of an object: its part of members_
    std::size_t next = 0;
  };

  void append(std::string& out, Element value) {
    const Type type = value.type();
    if (type == Type::OBJECT) {
      out += '{';
      const std::size_t begin = members_.size();
      for (const auto& [key, member] : value.get_object().value_unsafe()) members_.push_back({key, member});
      sort_members(begin);
      frames_.push_back({.is_object = true, .begin = begin, .next = begin});
    } else if (type == Type::ARRAY) {
      out += '[';
      const Array array = value.get_array().value_unsafe();
      frames_.push_back({.item = array.begin(), .items_end = array.end()});
    } else {
      append_scalar(out, value, type);
    }
  }

  // Both write one entry, or the end. append() may move frames_ and members_, so it comes last.
  void continue_object(std::string& out) {
    Frame& frame = frames_.back();
    if (frame.next == members_.size()) {
      out += '}';
      members_.erase(members_.begin() + static_cast<std::ptrdiff_t>(frame.begin), members_.end());
      frames_.pop_back();
      return;
    }
    if (frame.next != frame.begin) out += ',';
    const Member member = members_[frame.next++];
    append_string(out, member.key);
    out += ':';
    append(out, member.value);
  }
  void continue_array(std::string& out) {
    Frame& frame = frames_.back();
    if (!(frame.item != frame.items_end)) {
      out += ']';
      frames_.pop_back();
      return;
    }
    if (!frame.is_first) out += ',';
    frame.is_first = false;
    const Element item = *frame.item;
    ++frame.item;
    append(out, item);
  }

  // By key bytes; of equal keys only the last stays.
  void sort_members(std::size_t begin) {
    const auto first = members_.begin() + static_cast<std::ptrdiff_t>(begin);
    // simdjson keeps strings in the order of the text, so of equal keys the later one is at a higher address.
    const auto before = [](const Member& a, const Member& b) {
      const int order = a.key.compare(b.key);
      return order != 0 ? order < 0 : a.key.data() < b.key.data();
    };
    if (!std::is_sorted(first, members_.end(), before)) std::sort(first, members_.end(), before);
    auto kept = first;
    for (auto at = first; at != members_.end(); ++at) {
      const bool is_last = at + 1 == members_.end() || (at + 1)->key != at->key;
      if (is_last) *kept++ = *at;
    }
    members_.erase(kept, members_.end());
  }

  std::vector<Member> members_;
  std::vector<Frame> frames_;
};

class CompactWriter {
 public:
  explicit CompactWriter(std::string& out) : out_(out) {}
  void structure(char c) { out_ += c; }
  void number(std::string_view raw) { out_ += raw; }
  void literal(std::string_view raw) { out_ += raw; }
  // Keeps the text's own escapes and its bad UTF-8, as Go does.
  void string(std::string_view raw) {
    std::size_t copied = 0;
    for (std::size_t at = 0;; ++at) {
      at = find_stop(raw, at, kRewritten, is_rewritten);
      if (at == raw.size()) break;
      const bool is_separator = is_line_separator(raw, at);
      if (raw[at] == '\xe2' && !is_separator) continue;
      out_ += raw.substr(copied, at - copied);
      if (is_separator) {
        append_line_separator(out_, raw[at + 2]);
      } else {
        append_unicode_escape(out_, static_cast<unsigned char>(raw[at]));
      }
      copied = at + (is_separator ? 3 : 1);
    }
    out_ += raw.substr(copied);
  }

 private:
  std::string& out_;
};

}  // namespace

void append_go(std::string& out, Element value) {
  static thread_local TreeWriter writer;
  writer.write(out, value);
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text);
  out += '"';
}

void append_escaped(std::string& out, std::string_view text) {
  if (text.size() <= kShortBytes && has_no_stop_in_short(text, kSpecial, is_special)) {
    out += text;
    return;
  }
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t start = at;
    at = find_stop(text, at, kSpecial, is_special);
    out += text.substr(start, at - start);
    if (at < text.size()) at += append_special(out, text, at);
  }
}

void append_name(std::string& out, std::string_view name) {
  if (!out.ends_with('{')) out += ',';
  append_string(out, name);
  out += ':';
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  append_name(out, name);
  append_string(out, text);
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  std::array<char, 32> scientific;
  const auto end =
      std::to_chars(scientific.data(), scientific.data() + scientific.size(), value, std::chars_format::scientific).ptr;
  // "-d.ddde±xx": the sign, the digits without the point, and where the point belongs.
  std::string_view text(scientific.data(), static_cast<std::size_t>(end - scientific.data()));
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const std::size_t mark = text.find('e');
  int exponent = 0;
  const char* exponent_text = text.data() + mark + 1 + (text[mark + 1] == '+' ? 1 : 0);
  std::from_chars(exponent_text, text.data() + text.size(), exponent);
  const std::string_view fraction = mark > 2 ? text.substr(2, mark - 2) : std::string_view();
  const auto places = static_cast<int>(fraction.size());
  if (exponent < -6 || exponent >= 21) {
    out += text.substr(0, mark);
    out += exponent < 0 ? "e-" : "e+";
    append_integer(out, exponent < 0 ? -exponent : exponent);
  } else if (exponent < 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-exponent - 1), '0');
    out += text[0];
    out += fraction;
  } else if (places > exponent) {
    out += text[0];
    out += fraction.substr(0, static_cast<std::size_t>(exponent));
    out += '.';
    out += fraction.substr(static_cast<std::size_t>(exponent));
  } else {
    out += text[0];
    out += fraction;
    out.append(static_cast<std::size_t>(exponent - places), '0');
  }
}

bool append_compact(std::string& out, std::string_view text) {
  const std::size_t start = out.size();
  CompactWriter writer(out);
  if (Scanner(text, Reading::whole_text, writer).run()) return true;
  out.resize(start);
  return false;
}

bool is_valid(std::string_view text) {
  Discard discard;
  return Scanner(text, Reading::whole_text, discard).run();
}

}  // namespace holdfast::json
