// One JSON object in one line, written from front to back. Internal to the folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::migration {

class ObjectText {
 public:
  // Of text that is UTF-8.
  ObjectText& text(std::string_view name, std::string_view value) {
    json::append_member(out_, name, value);
    return *this;
  }
  ObjectText& number(std::string_view name, std::uint64_t value) { return raw(name, std::to_string(value)); }
  ObjectText& boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
  ObjectText& raw(std::string_view name, std::string_view json) {
    json::append_name(out_, name);
    out_ += json;
    return *this;
  }
  // Any bytes: as text where they are some, else in base64 as NAMEBase64.
  ObjectText& bytes(std::string_view name, std::string_view value) {
    return is_utf8(value) ? text(name, value) : text(std::string(name) + "Base64", base64_encode(value));
  }
  std::string finish() { return std::move(out_ += '}'); }

 private:
  std::string out_ = "{";
};

// Members of a parsed object, with what is wrong with them in `problem`, which keeps the first.
class ObjectReader {
 public:
  explicit ObjectReader(json::Object object) : object_(object) {}

  bool has(std::string_view name) const {
    json::Element ignored;
    return object_.at_key(name).get(ignored) == simdjson::SUCCESS;
  }
  // Empty, zero and false where there is none.
  std::string text(std::string_view name) {
    std::string_view text;
    read(name, text, "a string");
    return std::string(text);
  }
  std::uint64_t number(std::string_view name) {
    std::uint64_t number = 0;
    read(name, number, "a whole number");
    return number;
  }
  bool boolean(std::string_view name) {
    bool truth = false;
    read(name, truth, "true or false");
    return truth;
  }
  // Nothing where there is none; an element of the parser's that was not read must not be looked at.
  std::optional<json::Object> object(std::string_view name) {
    json::Object object;
    return read(name, object, "an object") ? std::optional(object) : std::nullopt;
  }
  std::optional<json::Array> array(std::string_view name) {
    json::Array array;
    return read(name, array, "an array") ? std::optional(array) : std::nullopt;
  }
  // What ObjectText::bytes wrote.
  std::string bytes(std::string_view name) {
    const std::string encoded_name = std::string(name) + "Base64";
    if (!has(encoded_name)) return text(name);
    auto decoded = base64_decode(text(encoded_name));
    if (!decoded) refuse("\"" + encoded_name + "\" is not base64");
    return decoded ? std::move(*decoded) : std::string();
  }
  void refuse(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }
  const std::string& problem() const { return problem_; }

 private:
  template <class T>
  bool read(std::string_view name, T& out, std::string_view kind) {
    json::Element member;
    if (object_.at_key(name).get(member) != simdjson::SUCCESS) return false;
    if (member.get(out) == simdjson::SUCCESS) return true;
    refuse("\"" + std::string(name) + "\" has to be " + std::string(kind));
    return false;
  }

  json::Object object_;
  std::string problem_;
};

}  // namespace holdfast::migration
