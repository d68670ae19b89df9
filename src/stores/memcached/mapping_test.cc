#include "stores/memcached/mapping.h"

#include <gmock/gmock.h>

#include "stores/memcached/server.h"

namespace holdfast::stores::memcached {
namespace {

using state::Shape;
using testing::HasSubstr;
using wire::Reply;

constexpr Place kPlace{"orders", "10.0.0.7:11211"};
constexpr std::string_view kProcess = "1a2b";
constexpr std::int64_t kNowSecond = 1'800'000'000;
constexpr WallTime kNow{kNowSecond * 1'000'000 + 250'000};

Reply reply_of(std::string_view bytes) { return Reply::read(bytes).value(); }

WallTime second(std::int64_t seconds) { return WallTime{seconds * 1'000'000}; }

Result<std::optional<Item>> read(std::string_view bytes, bool want_value = true, bool want_fields = false) {
  return read_get(kPlace, {.key = "k", .want_value = want_value, .want_fields = want_fields}, reply_of(bytes), kProcess,
                  kNow);
}

state::Record record(std::string_view bytes, bool want_fields = false) {
  const auto item = read(bytes, true, want_fields);
  EXPECT_TRUE(item && *item) << bytes;
  return item && *item ? (**item).record : state::Record();
}

// ---- Which host

TEST(MemcachedHost, IsTheChecksumOfTheWholeKeyModuloTheirNumber) {
  // The check value of CRC-32 (IEEE) is 0xcbf43926.
  EXPECT_EQ(host_of("123456789", 1000), 0xcbf43926U % 1000);
  EXPECT_EQ(host_of("123456789", 3), 0xcbf43926U % 3);
  EXPECT_EQ(host_of("a", 7), 0xe8b7be43U % 7);
  EXPECT_EQ(host_of("app||cart/{42}", 1), 0);
  EXPECT_NE(host_of("{42}/a", 1000), host_of("{42}/b", 1000)) << "braces mean nothing here";
}

// ---- What is refused before it is sent

TEST(MemcachedKeys, ThatTheServerWouldNotTakeAreRefusedWithTheReason) {
  EXPECT_TRUE(check_key("orders", std::string(250, 'k')));
  const auto why = [](std::string_view key) {
    const Status refused = check_key("orders", key);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    return refused.error().message;
  };
  EXPECT_THAT(why(std::string(251, 'k')), HasSubstr("251 bytes"));
  EXPECT_THAT(why("a b"), HasSubstr("\"a b\" has a blank"));
  EXPECT_THAT(why("a\r\nflush_all"), HasSubstr("\"a\\r\\nflush_all\" has a blank or a control"));
  EXPECT_THAT(why("a\x7f"), HasSubstr("control character"));
  EXPECT_THAT(why(""), HasSubstr("is empty"));
}

TEST(MemcachedValues, OverTheLimitOfTheServerAreRefusedWithBothNumbers) {
  EXPECT_TRUE(check_value("orders", "k", 100, 100));
  const Status refused = check_value("orders", "k", 101, 100);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_THAT(refused.error().message, HasSubstr("101 bytes, and the server keeps at most 100"));
}

// ---- Etags

TEST(MemcachedEtag, IsANumberOfOneProcess) {
  EXPECT_EQ(make_etag(17, kProcess), "17-1a2b");
  EXPECT_EQ(read_etag("17-1a2b", kProcess), 17);
  EXPECT_EQ(read_etag("18446744073709551615-1a2b", kProcess), 18446744073709551615ULL);
  for (const std::string_view other : {"", "17", "17-", "17-1a2c", "017-1a2b", "0-1a2b", "-1a2b", "+1-1a2b", "17 -1a2b",
                                       "18446744073709551616-1a2b", "bad-etag"})
    EXPECT_EQ(read_etag(other, kProcess), std::nullopt) << other;
}

// ---- Times

TEST(MemcachedTimes, AreRoundedUpAndOneSecondMoreThanAsked) {
  for (const Milliseconds none : {Milliseconds(0), Milliseconds(-1)}) {
    EXPECT_EQ(lifetime_of(none, kNow).expiry, 0);
    EXPECT_EQ(lifetime_of(none, kNow).expires_at, std::nullopt);
  }
  EXPECT_EQ(lifetime_of(std::nullopt, kNow).expiry, 0);
  // It is a quarter past the second: a second later is in the next but one.
  EXPECT_EQ(lifetime_of(Milliseconds(1), kNow).expiry, 2);
  EXPECT_EQ(lifetime_of(Milliseconds(750), kNow).expiry, 2);
  EXPECT_EQ(lifetime_of(Milliseconds(1000), kNow).expiry, 3);
  EXPECT_EQ(lifetime_of(Milliseconds(1000), kNow).expires_at, second(kNowSecond + 2));
  EXPECT_EQ(lifetime_of(Milliseconds(1000), second(kNowSecond)).expiry, 2);
}

TEST(MemcachedTimes, OfThirtyDaysAndMoreArePointsInTime) {
  const WallTime now = second(kNowSecond);
  const auto days = [](int count) { return Milliseconds(std::chrono::hours(24 * count)); };
  EXPECT_EQ(lifetime_of(days(30) - std::chrono::seconds(1), now).expiry, 30 * 86400);
  EXPECT_EQ(lifetime_of(days(30), now).expiry, kNowSecond + 30 * 86400 + 1);
  EXPECT_EQ(lifetime_of(days(365), now).expiry, kNowSecond + 365 * 86400 + 1);
}

// Dapr counts in 32 bits, and such a record is gone at once or much too early.
TEST(MemcachedTimes, BeyondWhatTheServerCountsAreForEverAndNeverWrap) {
  const WallTime now = second(kNowSecond);
  const std::int64_t last = 2147483647;
  EXPECT_EQ(lifetime_of(std::chrono::seconds(last - 1 - kNowSecond), now).expiry, last);
  for (const std::int64_t seconds : {last - kNowSecond, last, last * 2, last * 1000}) {
    const Lifetime lifetime = lifetime_of(std::chrono::seconds(seconds), now);
    EXPECT_EQ(lifetime.expiry, 0) << seconds;
    EXPECT_EQ(lifetime.expires_at, second(kNowSecond + seconds)) << seconds;
  }
  EXPECT_EQ(lifetime_of(Milliseconds::max(), now).expiry, 0);
}

TEST(MemcachedTimes, ThatAreKeptStayWhereTheyWere) {
  const WallTime end = second(kNowSecond + 100);
  EXPECT_EQ(lifetime_until(end, kNow).expires_at, end);
  EXPECT_EQ(lifetime_until(end, kNow).expiry, 101);
  EXPECT_EQ(lifetime_until(std::nullopt, kNow).expiry, 0);
  // It is about to go, and must not stay for ever.
  EXPECT_EQ(lifetime_until(second(kNowSecond - 3), kNow).expiry, 2);
}

TEST(MemcachedTimes, AreToldToTheSecondAsTheyWereWritten) {
  const auto told = [](std::uint32_t flags, int seconds_left) {
    return record("VA 1 f" + std::to_string(flags) + " c1 t" + std::to_string(seconds_left) + "\r\nv\r\n").expires_at;
  };
  const WallTime end = second(kNowSecond + 60);
  const std::uint32_t flags = make_flags(Shape::bytes, end);
  // What the server tells moves by a second or two.
  for (const int seconds_left : {59, 60, 61, 62}) EXPECT_EQ(told(flags, seconds_left), end);
  // Somebody has given it another time since, or no flags at all.
  EXPECT_EQ(told(flags, 3600), second(kNowSecond + 3600));
  EXPECT_EQ(told(flags, -1), std::nullopt);
  EXPECT_EQ(told(0, 60), second(kNowSecond + 60));
  EXPECT_EQ(told(0, -1), std::nullopt);
  EXPECT_EQ(told(make_flags(Shape::json, std::nullopt), -1), std::nullopt);
  // The server does not expire what ends after the year 2038.
  const WallTime far = second(3'000'000'000);
  EXPECT_EQ(told(make_flags(Shape::json, far), -1), far);
}

// ---- Flags

TEST(MemcachedFlags, SayShapeAndEndAndAreNeverThoseOfDapr) {
  EXPECT_EQ(make_flags(Shape::bytes, std::nullopt), 1);
  EXPECT_EQ(make_flags(Shape::json, std::nullopt), 0x80000001);
  EXPECT_EQ(make_flags(Shape::bytes, second(kFlagsEpoch + 60)), 60);
  EXPECT_EQ(make_flags(Shape::json, second(kFlagsEpoch + 60)), 0x8000003c);
  EXPECT_EQ(make_flags(Shape::bytes, second(0)), 2) << "a clock that is wrong";
  EXPECT_EQ(make_flags(Shape::bytes, second(kFlagsEpoch * 4)), 0x7fffffff);
}

TEST(MemcachedFlags, TellTheShapeWhateverTheValueLooksLike) {
  EXPECT_EQ(record("VA 2 f1 c1 t-1\r\n{}\r\n", true).shape, Shape::bytes);
  EXPECT_EQ(record("VA 2 f2147483649 c1 t-1\r\n{}\r\n").shape, Shape::json);
  // Dapr's: the value says it, where somebody wants to know.
  EXPECT_EQ(record("VA 2 f0 c1 t-1\r\n{}\r\n", true).shape, Shape::json);
  EXPECT_EQ(record("VA 2 f0 c1 t-1\r\n{x\r\n", true).shape, Shape::bytes);
  EXPECT_EQ(record("VA 2 f0 c1 t-1\r\n{}\r\n").shape, Shape::bytes);
}

// ---- Replies

TEST(MemcachedReplies, OfReadingsAreRecordsOrNothing) {
  const state::Record found = record("VA 5 f0 c17 t-1\r\nhello\r\n");
  EXPECT_EQ(found.value, "hello");
  EXPECT_EQ(found.etag, "17-1a2b");
  EXPECT_FALSE(*read("EN\r\n"));
  EXPECT_EQ((**read("HD f1 c9 t-1\r\n", false)).cas, 9);
  EXPECT_EQ(read("HD f1 c9 t-1\r\n").error().code, Errc::internal);
  EXPECT_EQ(read("VA 5 f0\r\nhello\r\n").error().code, Errc::internal) << "without its number";
}

TEST(MemcachedReplies, OfWritesAreEtagsOrRefusals) {
  state::SetRequest request;
  request.key = "k";
  request.value = "v";
  const Lifetime lifetime{.expiry = 60, .expires_at = second(kNowSecond + 60)};
  const auto written = read_set(kPlace, request, reply_of("HD c18\r\n"), kProcess, lifetime);
  ASSERT_TRUE(written);
  EXPECT_EQ(written->etag, "18-1a2b");
  EXPECT_EQ(written->expires_at, lifetime.expires_at);
  for (const std::string_view refused : {"NS c0\r\n", "EX c0\r\n", "NF c0\r\n"}) {
    const auto result = read_set(kPlace, request, reply_of(refused), kProcess, lifetime);
    EXPECT_EQ(result.error().code, Errc::precondition_failed);
    EXPECT_THAT(result.error().message, HasSubstr("\"k\""));
  }
  EXPECT_TRUE(*read_erase(kPlace, "k", reply_of("HD\r\n")));
  EXPECT_FALSE(*read_erase(kPlace, "k", reply_of("NF\r\n")));
  EXPECT_EQ(read_erase(kPlace, "k", reply_of("EX\r\n")).error().code, Errc::precondition_failed);
}

TEST(MemcachedReplies, ThatAreErrorsSayWhatWhereAndWhatToDo) {
  const auto error = [](std::string_view line) { return describe(kPlace, "save \"k\"", reply_of(line)); };
  const Error memory = error("SERVER_ERROR out of memory storing object\r\n");
  EXPECT_EQ(memory.code, Errc::overloaded);
  EXPECT_EQ(
      memory.message,
      "component \"orders\" (state.memcached): cannot save \"k\": 10.0.0.7:11211 is out of memory, and has dropped "
      "what it had under the key. Give it more with -m, or let it evict (without -M).");
  EXPECT_EQ(memory.backend_message, "SERVER_ERROR out of memory storing object");
  EXPECT_EQ(error("SERVER_ERROR object too large for cache\r\n").code, Errc::invalid_argument);
  EXPECT_EQ(error("ERROR Too many open connections\r\n").code, Errc::unavailable);
  EXPECT_EQ(error("CLIENT_ERROR unauthenticated\r\n").code, Errc::denied);
  EXPECT_EQ(error("CLIENT_ERROR bad data chunk\r\n").code, Errc::internal);
  EXPECT_EQ(error("SERVER_ERROR something else\r\n").code, Errc::unavailable);
  EXPECT_EQ(error("ERROR\r\n").code, Errc::internal);
  EXPECT_THAT(error("STORED\r\n").message, HasSubstr("does not fit the command"));
}

// ---- Greeting

std::string greeting(std::string_view version, std::string_view no_op = "MN", std::string_view pid = "7",
                     std::string_view settings = "STAT item_size_max 2097152\r\nEND") {
  return "VERSION " + std::string(version) + "\r\n" + std::string(no_op) + "\r\nSTAT pid " + std::string(pid) +
         "\r\nSTAT uptime 5\r\nSTAT time 105\r\nEND\r\n" + std::string(settings) + "\r\n";
}

TEST(MemcachedGreeting, TellsTheProcessAndTheLongestValue) {
  const auto facts = read_greeting(kPlace, greeting("1.6.18"));
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->version, "1.6.18");
  EXPECT_EQ(facts->value_bytes_max, 2097152 - 512);
  EXPECT_NE(facts->process, read_greeting(kPlace, greeting("1.6.18", "MN", "8"))->process);
  EXPECT_EQ(read_greeting(kPlace, greeting("1.6.18", "MN", "7", "ERROR"))->value_bytes_max, 1048576 - 512);
}

TEST(MemcachedGreeting, RefusesServersWithoutTheMetaCommandsAndNamesTheVersion) {
  for (const std::string version : {"1.4.39", "1.5.22"}) {
    const auto refused = read_greeting(kPlace, greeting(version, "ERROR"));
    EXPECT_EQ(refused.error().code, Errc::unsupported);
    EXPECT_THAT(refused.error().message, HasSubstr("is memcached " + version));
    EXPECT_THAT(refused.error().message, HasSubstr("Use memcached 1.6.10 or later"));
  }
  // They have the commands, in another form.
  EXPECT_FALSE(read_greeting(kPlace, greeting("1.6.9")));
  for (const std::string version : {"1.6.10", "1.6.18", "1.7", "2.0.0", "1.6.21-custom", "something"})
    EXPECT_TRUE(read_greeting(kPlace, greeting(version))) << version;
}

TEST(MemcachedGreeting, OfAProxyThatIsNoProcessIsRefused) {
  const auto refused = read_greeting(kPlace, "VERSION 1.6.18\r\nMN\r\nEND\r\nEND\r\n");
  EXPECT_EQ(refused.error().code, Errc::unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("not a proxy"));
  EXPECT_EQ(read_greeting(kPlace, "CLIENT_ERROR unauthenticated\r\nERROR\r\nERROR\r\nERROR\r\n").error().code,
            Errc::denied);
}

}  // namespace
}  // namespace holdfast::stores::memcached
