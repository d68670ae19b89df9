// JSON text taken apart without being rewritten: numbers keep their digits, values their bytes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::json {

struct RawMember;

// One valid JSON value as it stands in its text, which it points into.
class RawValue {
 public:
  enum class Kind : std::uint8_t { object, array, string, number, boolean, null };

  // `text` is one whole value; Errc::invalid_argument with the reason when it is not.
  static Result<RawValue> read(std::string_view text);

  Kind kind() const;
  bool is(Kind kind) const { return this->kind() == kind; }
  // Without the white space around it.
  std::string_view text() const { return text_; }
  // Of an object, in order, also names that are there twice; empty for what is none.
  std::vector<RawMember> members() const;
  // Of an array; empty for what is none.
  std::vector<RawValue> elements() const;
  // A string's content, escapes resolved; empty for what is none.
  std::string string() const;

 private:
  explicit RawValue(std::string_view text) : text_(text) {}
  std::string_view text_;
};

struct RawMember {
  std::string name;  // escapes resolved
  RawValue value;
};

// "an object", "a string": what a kind is called in a message.
std::string_view name_of(RawValue::Kind kind);

}  // namespace holdfast::json
