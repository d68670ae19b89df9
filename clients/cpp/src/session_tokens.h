// What a session has seen, as the sidecar's tokens say.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace holdfast::detail {

// The tokens of a session. One answers what was sent and stands for all of that; those that other calls brought
// meanwhile stay beside it, and the next call sends them all: the sidecar merges them. Any thread.
class SessionTokens {
 public:
  // As many as calls of one session may usefully be under way at once; beyond it the oldest is forgotten, which is
  // behind the newer ones wherever they tell of the same store.
  static constexpr std::size_t kTokensMax = 32;
  static constexpr std::size_t kBytesMax = 8 * 1024;

  explicit SessionTokens(std::string_view tokens = {});

  // All of them, with commas between; empty: none.
  std::string all() const;
  // A call that had sent `sent` was answered with this token. Several with commas between, or none, will do too.
  void answered(std::string_view sent, std::string_view token);

 private:
  void add(std::string_view tokens);

  mutable std::mutex mutex_;
  std::deque<std::string> tokens_;  // oldest first
};

}  // namespace holdfast::detail
