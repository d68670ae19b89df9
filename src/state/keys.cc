#include "state/keys.h"

#include <algorithm>

namespace holdfast::state {
namespace {

std::size_t character_bytes(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte >= 0xf0) return 4;
  if (byte >= 0xe0) return 3;
  if (byte >= 0xc0) return 2;
  return 1;
}

}  // namespace

bool is_listable(std::string_view key, std::size_t own_bytes, bool hides_isolated) {
  if (own_bytes == kEveryKey) return true;
  if (key.size() < own_bytes) return false;
  const std::string_view rest = key.substr(own_bytes);
  if (hides_isolated && rest.starts_with(kIsolationHead)) return false;
  return rest.find(kKeySeparator) == std::string_view::npos && !rest.starts_with("outbox-");
}

std::optional<std::string> prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty()) {
    if (static_cast<unsigned char>(end.back()) != 0xff) {
      ++end.back();
      return end;
    }
    end.pop_back();
  }
  return std::nullopt;
}

LikePattern::LikePattern(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      bytes_ += pattern[++i];
      kinds_ += 'l';
    } else if (pattern[i] == '%' || pattern[i] == '_') {
      bytes_ += pattern[i];
      kinds_ += pattern[i];
    } else {
      bytes_ += pattern[i];
      kinds_ += 'l';
    }
  }
  for (std::size_t i = 0; i < bytes_.size() && kinds_[i] == 'l'; ++i) literal_prefix_ += bytes_[i];
}

// The usual two-pointer match: on a mismatch, the last % swallows one more character.
bool LikePattern::matches(std::string_view key) const {
  std::size_t k = 0;
  std::size_t p = 0;
  std::size_t run_pattern = std::string::npos;
  std::size_t run_key = 0;
  while (k < key.size()) {
    if (p < bytes_.size() && kinds_[p] == '%') {
      run_pattern = p++;
      run_key = k;
    } else if (p < bytes_.size() && kinds_[p] == '_') {
      k = std::min(key.size(), k + character_bytes(key[k]));
      ++p;
    } else if (p < bytes_.size() && bytes_[p] == key[k]) {
      ++k;
      ++p;
    } else if (run_pattern != std::string::npos) {
      p = run_pattern + 1;
      k = ++run_key;
    } else {
      return false;
    }
  }
  while (p < bytes_.size() && kinds_[p] == '%') ++p;
  return p == bytes_.size();
}

}  // namespace holdfast::state
