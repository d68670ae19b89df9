#include "stores/redis/entries.h"

#include "state/keys.h"
#include "state/pairs.h"
#include "stores/redis/scripts.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {

namespace {

constexpr std::string_view kEntryKey = "hf:index||||";

}  // namespace

std::string entry_key(std::string_view name, std::string_view value) {
  return std::string(kEntryKey) + state::entry_text(name, value);
}

bool is_entry_key(std::string_view key) { return key.starts_with(kEntryKey); }

void append_members(std::string& out, std::string_view entry_key, const MemberRange& range) {
  std::string from = "[" + std::string(range.prefix);
  if (range.has_after && range.after >= range.prefix) from = "(" + std::string(range.after);
  const auto end = range.prefix.empty() ? std::nullopt : state::prefix_end(range.prefix);
  const std::string to = end ? "(" + *end : "+";
  resp::append_command(out, {"ZRANGEBYLEX", entry_key, from, to, "LIMIT", "0", std::to_string(range.count)});
}

void append_forget(std::string& out, std::string_view name, std::string_view value, std::span<const std::string> keys) {
  const state::Pairs entry{{std::string(name), std::string(value)}};
  begin_script(out, forget_script(), Sending::in_full, 1 + keys.size(), 1);
  resp::append_argument(out, entry_key(name, value));
  for (const std::string& key : keys) resp::append_argument(out, key);
  resp::append_argument(out, state::encode_pairs(entry));
}

}  // namespace holdfast::stores::redis
