#include "stores/etcd/layout.h"

#include <gtest/gtest.h>

namespace holdfast::stores::etcd {
namespace {

namespace wire = holdfast::etcd;
using namespace std::string_view_literals;

TEST(EtcdLayout, KeysAreDaprsAndCompanionsLieWhereNobodyLists) {
  const Keys keys("/p", "app||k");
  EXPECT_EQ(keys.record, "/p/app||k");
  EXPECT_EQ(keys.created, "/p.holdfast/app||k\0c"sv);
  EXPECT_EQ(keys.modified, "/p.holdfast/app||k\0m"sv);
  EXPECT_EQ(Keys("", "k").record, "/k");
  EXPECT_LT(keys.created, "/p/") << "a listing of records begins behind it";
}

// Dapr always writes a time to live, of zero where there is none.
TEST(EtcdLayout, AMessageOfDaprsWithoutATimeToLiveDoesNotExpire) {
  const auto message = read_message("\x0a\x05value\x12\x0c\x08\x80\xe2\xcf\xaa\x06\x10\x80\xca\xb5\xee\x01\x1a\x00"sv);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->value, "value");
  EXPECT_FALSE(message->expires);
}

TEST(EtcdLayout, AMessageComesBackAsItWas) {
  Extras extras;
  extras.shape = state::Shape::json;
  extras.modified = WallTime{1'700'000'000'123'456};
  extras.modified_by = "me";
  std::string text;
  append_extras(text, extras);
  const WallTime written{1'700'000'000'123'456}, expires{1'700'000'060'123'456};
  std::string bytes;
  append_message(bytes, {"the value", written, expires, text});
  const auto message = read_message(bytes);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->value, "the value");
  EXPECT_EQ(message->written, written);
  EXPECT_EQ(message->expires, expires);
  EXPECT_EQ(message->extras, text);
}

TEST(EtcdLayout, EveryTruncationIsAnErrorOrAShorterMessage) {
  std::string bytes;
  append_message(bytes, {"value", WallTime{1'700'000'000'000'000}, WallTime{1'700'000'001'500'000}, "extras"});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    const auto message = read_message(part);
    if (message) EXPECT_TRUE(message->value.empty() || message->value == "value") << size;
  }
}

TEST(EtcdLayout, TimesThatNoClockShowsAreRefused) {
  EXPECT_FALSE(read_message("\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"sv));
  EXPECT_FALSE(read_message("\x12\x01"sv));
}

TEST(EtcdLayout, FieldsOfAnotherWriteAreNotBelieved) {
  std::string making, extras;
  append_making(making, {WallTime{5'000'000}, "maker"});
  Extras of;
  of.modified = WallTime{6'000'000};
  of.modified_by = "writer";
  append_extras(extras, of);
  const Keys keys("", "k");
  const wire::KeyValue record{keys.record, "v", 10, 12, 2, 0};
  const wire::KeyValue made{keys.created, making, 10, 10, 1, 0};
  const wire::KeyValue modified{keys.modified, extras, 10, 12, 2, 0};
  const auto whole = read_stored({&record, &made, &modified}, Layout::v1);
  ASSERT_TRUE(whole);
  EXPECT_TRUE(whole->has_extras);
  ASSERT_TRUE(whole->making);
  EXPECT_EQ(whole->making->created_by, "maker");
  // Dapr has written the record again.
  const wire::KeyValue rewritten{keys.record, "w", 10, 14, 3, 0};
  const auto without = read_stored({&rewritten, &made, &modified}, Layout::v1);
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->has_extras);
  EXPECT_FALSE(record_of(*without, true, true).fields);
  // It has deleted it and made it anew.
  const wire::KeyValue remade{keys.record, "w", 20, 20, 1, 0};
  const auto other = read_stored({&remade, &made, &modified}, Layout::v1);
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->making);
}

TEST(EtcdLayout, AnEtagIsARevisionInItsOneForm) {
  EXPECT_EQ(revision_of("12"), 12);
  for (const char* text : {"", "0", "-1", "01", "+1", "1x", "12345678901234567890123"})
    EXPECT_FALSE(revision_of(text)) << text;
}

}  // namespace
}  // namespace holdfast::stores::etcd
