// Go's JSON scanner (encoding/json/scanner.go) as one loop over a text, for the functions of json.h that must
// accept, refuse and complain exactly as Go does. The nesting is kept in a string, not on the C++ stack.
//
// A Sink takes the tokens in order:
//   void structure(char c)                  one of { } [ ] , :
//   void string(std::string_view raw)       with its quotes; escapes are well-formed, the bytes may be bad UTF-8
//   void number(std::string_view raw)
//   void literal(std::string_view raw)      true, false, null
#pragma once

#include <cstring>
#include <string>
#include <string_view>

#include "wire/json/json.h"
#include "wire/json/span.h"

namespace holdfast::json {

// As strconv.Quote prints the rune with the byte's number, in single quotes.
std::string quote_char(char c);

// For who only wants to know whether the text is valid.
struct Discard {
  void structure(char) {}
  void string(std::string_view) {}
  void number(std::string_view) {}
  void literal(std::string_view) {}
};

template <class Sink>
class Scanner {
 public:
  Scanner(std::string_view text, Reading reading, Sink& sink) : text_(text), reading_(reading), sink_(sink) {}

  // False when Go refuses; error() then has its text.
  bool run() {
    Want want = Want::value;
    do {
      skip_space();
      if (at_end()) return end_too_soon();
      if (!step(want)) return false;
    } while (want != Want::separator || !open_.empty());
    if (reading_ == Reading::first_value) return true;
    skip_space();
    return at_end() || refuse("after top-level value");
  }

  const std::string& error() const { return error_; }

 private:
  enum class Want : unsigned char { value, value_or_end, key, key_or_end, colon, separator };

  bool at_end() const { return at_ == text_.size(); }
  char next() const { return text_[at_]; }
  bool next_is(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool next_is_digit() const { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  bool refuse_char(char c, std::string_view context) {
    error_ = "invalid character " + quote_char(c) + ' ';
    error_ += context;
    return false;
  }
  // Inside a token: Go's Unmarshal takes the end of the text for a blank there, its Decoder does not.
  bool refuse(std::string_view context) {
    if (!at_end()) return refuse_char(next(), context);
    if (reading_ == Reading::whole_text) return refuse_char(' ', context);
    return end_too_soon();
  }
  bool end_too_soon() {
    const bool is_blank = text_.find_first_not_of(" \t\r\n") == std::string_view::npos;
    error_ = reading_ == Reading::whole_text ? "unexpected end of JSON input" : is_blank ? "EOF" : "unexpected EOF";
    return false;
  }

  bool step(Want& want) {
    switch (want) {
      case Want::key_or_end:
        if (next() == '}') return close(want);
        [[fallthrough]];
      case Want::key:
        if (next() != '"') return refuse("looking for beginning of object key string");
        want = Want::colon;
        return string();
      case Want::colon:
        if (next() != ':') return refuse("after object key");
        want = Want::value;
        return structure();
      case Want::value_or_end:
        if (next() == ']') return close(want);
        [[fallthrough]];
      case Want::value:
        return value(want);
      case Want::separator:
        return separator(want);
    }
    return false;
  }

  bool structure() {
    sink_.structure(text_[at_++]);
    return true;
  }

  bool separator(Want& want) {
    const bool in_object = open_.back() == '{';
    if (next() == ',') {
      want = in_object ? Want::key : Want::value;
      return structure();
    }
    if (next() == (in_object ? '}' : ']')) return close(want);
    return refuse(in_object ? "after object key:value pair" : "after array element");
  }

  bool open(Want& want) {
    if (open_.size() == kDepthMax) return refuse("exceeded max depth");
    open_ += next();
    want = next() == '{' ? Want::key_or_end : Want::value_or_end;
    return structure();
  }
  bool close(Want& want) {
    open_.pop_back();
    want = Want::separator;
    return structure();
  }

  bool value(Want& want) {
    const char c = next();
    if (c == '{' || c == '[') return open(want);
    want = Want::separator;
    if (c == '"') return string();
    if (c == '-' || (c >= '0' && c <= '9')) return number();
    if (c == 't') return literal("true");
    if (c == 'f') return literal("false");
    if (c == 'n') return literal("null");
    return refuse("looking for beginning of value");
  }

  bool literal(std::string_view word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      ++at_;
      if (!next_is(word[i])) {
        const std::string context = "in literal " + std::string(word) + " (expecting '" + word[i] + "')";
        return refuse(context);
      }
    }
    ++at_;
    sink_.literal(word);
    return true;
  }

  void skip_digits() {
    while (next_is_digit()) ++at_;
  }
  bool number() {
    const std::size_t start = at_;
    if (next_is('-')) {
      ++at_;
      if (!next_is_digit()) return refuse("in numeric literal");
    }
    if (next_is('0')) {
      ++at_;
    } else {
      skip_digits();
    }
    if (next_is('.')) {
      ++at_;
      if (!next_is_digit()) return refuse("after decimal point in numeric literal");
      skip_digits();
    }
    if (next_is('e') || next_is('E')) {
      ++at_;
      if (next_is('+') || next_is('-')) ++at_;
      if (!next_is_digit()) return refuse("in exponent of numeric literal");
      skip_digits();
    }
    sink_.number(text_.substr(start, at_ - start));
    return true;
  }

  static constexpr auto kEndsRun = [](auto c) {
    return (c < 0x20) | (c == '"') | (c == '\\');
  };
  static constexpr ByteSet kRunEnds = byte_set(kEndsRun);

  bool string() {
    const std::size_t start = at_++;
    for (;;) {
      at_ = find_stop(text_, at_, kRunEnds, kEndsRun);
      if (at_end()) return end_too_soon();
      if (next() == '"') break;
      if (next() != '\\') return refuse("in string literal");
      if (!escape()) return false;
    }
    ++at_;
    sink_.string(text_.substr(start, at_ - start));
    return true;
  }

  bool escape() {
    ++at_;
    if (at_end() || std::strchr("bfnrt\\/\"u", next()) == nullptr || next() == '\0')
      return refuse("in string escape code");
    if (text_[at_++] != 'u') return true;
    for (int i = 0; i < 4; ++i, ++at_) {
      const bool is_hex = !at_end() && ((next() >= '0' && next() <= '9') || (next() >= 'a' && next() <= 'f') ||
                                        (next() >= 'A' && next() <= 'F'));
      if (!is_hex) return refuse("in \\u hexadecimal character escape");
    }
    return true;
  }

  std::string_view text_;
  Reading reading_;
  Sink& sink_;
  std::size_t at_ = 0;
  std::string open_;  // the containers we are in, outermost first, by their opening character
  std::string error_;
};

}  // namespace holdfast::json
