// The least client of Redis: one blocking connection to 127.0.0.1, for tests to look behind the code that they test.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/eventually.h"
#include "wire/resp/reply.h"

namespace holdfast::test {

// A reply that owns its bytes. Values point into it: they go when it is moved or destroyed.
class Answer {
 public:
  explicit Answer(std::string bytes);  // throws std::runtime_error for what is not one whole reply

  resp::Value root() const { return reply_.root(); }
  resp::Value operator[](std::size_t index) const { return root()[index]; }
  std::size_t size() const { return root().size(); }
  std::string text() const { return std::string(root().text()); }
  bool is_error() const { return root().kind() == resp::Kind::error; }

 private:
  std::unique_ptr<const std::string> bytes_;  // stay where they are when the answer is moved
  resp::Reply reply_;
};

// Used by one thread. Everything throws std::runtime_error when the connection is lost or nothing comes in time; an
// error that the server answers with is an answer.
class RespClient {
 public:
  explicit RespClient(std::uint16_t port, std::chrono::milliseconds patience = kPatience);
  ~RespClient();
  RespClient(const RespClient&) = delete;
  RespClient& operator=(const RespClient&) = delete;

  Answer command(std::initializer_list<std::string_view> words);
  Answer command(const std::vector<std::string>& words);

  // Apart: bytes as they are, and the next reply, also one that nobody asked for.
  void send(std::string_view bytes);
  Answer read();

 private:
  int fd_ = -1;
  std::chrono::milliseconds patience_;
  std::string received_;
};

}  // namespace holdfast::test
