#include "wire/memcached/command.h"

#include <gtest/gtest.h>

namespace holdfast::memcached {
namespace {

std::string set(const SetCommand& command) {
  std::string out;
  append_set(out, command);
  return out;
}

TEST(MemcachedCommand, SetSaysLengthFlagsTimeAndCondition) {
  EXPECT_EQ(set({.key = "k", .value = "v\r\n"}), "ms k 3 F0 T0 c\r\nv\r\n\r\n");
  EXPECT_EQ(set({.key = "k", .value = "", .flags = 4294967295, .expiry = -1, .mode = Mode::add}),
            "ms k 0 F4294967295 T-1 ME c\r\n\r\n");
  EXPECT_EQ(set({.key = "k", .value = "v", .expiry = 60, .mode = Mode::replace, .cas = 18446744073709551615ULL}),
            "ms k 1 F0 T60 C18446744073709551615 MR c\r\nv\r\n");
}

TEST(MemcachedCommand, TheOthersAreOneLine) {
  std::string out;
  append_get(out, "a||b", true);
  append_get(out, "k", false);
  append_delete(out, "k");
  append_delete(out, "k", 7);
  append_no_op(out);
  append_version(out);
  append_stats(out, "");
  append_stats(out, "settings");
  EXPECT_EQ(out, "mg a||b v f c t\r\nmg k f c t\r\nmd k\r\nmd k C7\r\nmn\r\nversion\r\nstats\r\nstats settings\r\n");
}

TEST(MemcachedCommand, AKeyIsBytesWithoutBlanksAndControlCharacters) {
  for (const std::string key : {"k", "app||cart/{42}", "\xff\x80", "grüße", "!", "~"}) EXPECT_TRUE(is_key(key)) << key;
  EXPECT_TRUE(is_key(std::string(250, 'k')));
  EXPECT_FALSE(is_key(std::string(251, 'k')));
  for (const std::string key : {"", " ", "a b", "a\t", "\r\nflush_all\r\n", "\x7f", "a\x01"}) EXPECT_FALSE(is_key(key));
  EXPECT_FALSE(is_key(std::string(1, '\0')));
}

}  // namespace
}  // namespace holdfast::memcached
