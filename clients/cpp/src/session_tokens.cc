#include "session_tokens.h"

#include <algorithm>

namespace holdfast::detail {

namespace {

template <class Take>
void each_token(std::string_view tokens, Take take) {
  while (!tokens.empty()) {
    const auto comma = std::min(tokens.find(','), tokens.size());
    std::string_view token = tokens.substr(0, comma);
    tokens.remove_prefix(std::min(comma + 1, tokens.size()));
    while (token.starts_with(' ')) token.remove_prefix(1);
    while (token.ends_with(' ')) token.remove_suffix(1);
    if (!token.empty()) take(token);
  }
}

}  // namespace

SessionTokens::SessionTokens(std::string_view tokens) { add(tokens); }

std::string SessionTokens::all() const {
  const std::lock_guard lock(mutex_);
  std::string joined;
  for (const std::string& token : tokens_) {
    if (!joined.empty()) joined += ',';
    joined += token;
  }
  return joined;
}

void SessionTokens::answered(std::string_view sent, std::string_view token) {
  if (token.empty()) return;
  const std::lock_guard lock(mutex_);
  each_token(sent, [this](std::string_view old) { std::erase(tokens_, old); });
  add(token);
}

void SessionTokens::add(std::string_view tokens) {
  each_token(tokens, [this](std::string_view token) {
    if (std::ranges::find(tokens_, token) == tokens_.end()) tokens_.emplace_back(token);
  });
  const auto bytes = [this] {
    std::size_t sum = 0;
    for (const std::string& token : tokens_) sum += token.size() + 1;
    return sum;
  };
  while (tokens_.size() > kTokensMax || (!tokens_.empty() && bytes() > kBytesMax)) tokens_.pop_front();
}

}  // namespace holdfast::detail
