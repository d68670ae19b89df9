// JSON with two blanks of indentation a level, written from front to back. Internal to the folder.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "wire/json/json.h"

namespace holdfast::config {

// The caller keeps to the grammar: a key before each value of an object, ends that match.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return begin('{'); }
  JsonWriter& end_object() { return end('}'); }
  JsonWriter& begin_array() { return begin('['); }
  JsonWriter& end_array() { return end(']'); }

  JsonWriter& key(std::string_view name) {
    place();
    json::append_string(text_, name);
    text_ += ": ";
    after_key_ = true;
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    place();
    json::append_string(text_, text);
    return *this;
  }
  JsonWriter& value(bool truth) {
    place();
    text_ += truth ? "true" : "false";
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }

  template <class T>
  JsonWriter& member(std::string_view name, const T& text) {
    return key(name).value(text);
  }
  template <class Words>
  JsonWriter& list(std::string_view name, const Words& words) {
    key(name).begin_array();
    for (const auto& word : words) value(std::string_view(word));
    return end_array();
  }
  JsonWriter& list(std::string_view name, std::initializer_list<std::string_view> words) {
    return list<std::initializer_list<std::string_view>>(name, words);
  }

  const std::string& text() const { return text_; }

 private:
  JsonWriter& begin(char mark) {
    place();
    text_ += mark;
    ++depth_;
    is_empty_ = true;
    return *this;
  }
  JsonWriter& end(char mark) {
    --depth_;
    if (!is_empty_) new_line();
    text_ += mark;
    is_empty_ = false;
    return *this;
  }
  void place() {
    if (after_key_) {
      after_key_ = false;
    } else if (depth_ > 0) {
      if (!is_empty_) text_ += ',';
      new_line();
    }
    is_empty_ = false;
  }
  void new_line() {
    text_ += '\n';
    text_.append(2 * depth_, ' ');
  }

  std::string text_;
  std::size_t depth_ = 0;
  bool is_empty_ = true;  // nothing stands yet in what was begun last
  bool after_key_ = false;
};

}  // namespace holdfast::config
