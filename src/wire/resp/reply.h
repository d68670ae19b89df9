// One whole reply of Redis as values, which are views into its bytes. I/O-free.
//
// The nodes of a reply lie in one flat list in the order in which they came, each with the number of nodes below it, so
// that reading takes one pass and a reply of up to 16 values allocates nothing. Attributes (`|`) are read and dropped.
// Source: redis.io/docs/latest/develop/reference/protocol-spec.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/resp/kind.h"

namespace holdfast::resp {

struct Node {
  const char* text;
  std::size_t text_bytes;
  std::uint32_t children;
  std::uint32_t nodes;  // itself and everything below it
  Kind kind;
};

// A value inside a Reply, which has to outlive it and stay where it is; so do the bytes that the reply was read from.
class Value {
 public:
  class Iterator;

  explicit Value(const Node& node) : node_(&node) {}

  Kind kind() const { return node_->kind; }
  bool is_null() const { return kind() == Kind::null; }

  // A string's bytes, an error's message, a number's digits; empty for null and for what has members. A verbatim string
  // ("=") is without its format.
  std::string_view text() const { return {node_->text, node_->text_bytes}; }
  // 0 for what is no integer; to_integer() tells the difference.
  std::int64_t integer() const;
  double real() const;
  bool boolean() const { return kind() == Kind::boolean && text() == "t"; }

  // Members. A map has its keys and values in turn, as the flat array that RESP2 has in its place.
  std::size_t size() const { return node_->children; }
  // A null beyond the end: what reads a reply of unexpected shape meets a wrong kind, not foreign memory.
  Value operator[](std::size_t index) const;
  Iterator begin() const;
  Iterator end() const;

 private:
  const Node* node_;
};

class Value::Iterator {
 public:
  using value_type = Value;
  using difference_type = std::ptrdiff_t;

  Iterator() = default;
  explicit Iterator(const Node* node) : node_(node) {}

  Value operator*() const { return Value(*node_); }
  Iterator& operator++() {
    node_ += node_->nodes;
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator&) const = default;

 private:
  const Node* node_ = nullptr;
};

class Reply {
 public:
  // `whole` is one reply, as long as Scanner::scan said. Errc::internal, "not RESP: ...", when it is not: a whole reply
  // that a scanner let pass is always understood.
  static Result<Reply> parse(std::string_view whole);
  // The same for the first of several, in the place of what this was before: `bytes` is then what follows it.
  Status read(std::string_view& bytes);

  Reply();

  Value root() const { return Value(nodes()[0]); }

 private:
  friend class ReplyReader;

  static constexpr std::size_t kFew = 16;

  const Node* nodes() const { return many_.empty() ? few_.data() : many_.data(); }
  Node& node(std::size_t index) { return many_.empty() ? few_[index] : many_[index]; }
  void append(const Node& node);
  void truncate(std::size_t size);

  std::size_t size_ = 0;
  std::array<Node, kFew> few_;  // only what was appended has a value
  std::vector<Node> many_;  // all of them, once there are more than fit into few_
};

// An integer, or text that is the decimal digits of one: Redis keeps numbers in hashes as text.
std::optional<std::int64_t> to_integer(Value value);

// Whether a whole reply is an error, or a push, which answers no command; without reading all of it.
bool is_error(std::string_view whole);
bool is_push(std::string_view whole);

// "MOVED" of "MOVED 3999 127.0.0.1:6381": what kind of error a message of Redis is.
std::string_view error_word(std::string_view message);

}  // namespace holdfast::resp
