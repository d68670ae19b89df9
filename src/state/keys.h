// Which keys a listing shows, and LIKE patterns. Pure; every store that filters for itself uses these.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::state {

inline constexpr std::string_view kKeySeparator = "||";

// As `own_bytes` of a listing: every stored key under the prefix, whoever it belongs to. What a migration walks.
inline constexpr std::size_t kEveryKey = std::string_view::npos;

// What the keys of isolated records have behind the component's prefix: "isolation::K::state::", and the user's key.
inline constexpr std::string_view kIsolationHead = "isolation::";
inline constexpr std::string_view kIsolationTail = "::state::";

// Whether a key under `own_bytes` of mapped prefix belongs to this listing: not shorter than they are, no further "||"
// after them, not an outbox marker ("outbox-..."), and with `hides_isolated` no isolated record's ("isolation::...").
// With kEveryKey each does.
bool is_listable(std::string_view key, std::size_t own_bytes, bool hides_isolated = false);

// The least key greater than every key that begins with `prefix`; nothing when there is none (all 0xff).
std::optional<std::string> prefix_end(std::string_view prefix);

// A compiled SQL LIKE pattern: % any run, _ one UTF-8 character, \ escapes the next. Anchored, case-sensitive.
class LikePattern {
 public:
  // The pattern must not be empty. A trailing lone backslash stands for itself.
  explicit LikePattern(std::string_view pattern);
  bool matches(std::string_view key) const;
  // What every match begins with.
  const std::string& literal_prefix() const { return literal_prefix_; }

 private:
  std::string literal_prefix_;
  std::string bytes_;
  std::string kinds_;  // parallel to bytes_: 'l', '_' or '%'
};

}  // namespace holdfast::state
