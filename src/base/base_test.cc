#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <latch>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/frame_pool.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/number.h"
#include "base/random.h"
#include "base/task.h"
#include "base/worker_pool.h"
#include "support/test_loop.h"

namespace holdfast {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string every_byte() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

struct CodeCase {
  const char* name;
  std::string_view bytes;
  std::string_view standard;
  std::string_view url;
};
constexpr CodeCase kCodes[] = {
    // RFC 4648 section 10
    {"nothing", "", "", ""},
    {"one byte", "f", "Zg==", "Zg"},
    {"two bytes", "fo", "Zm8=", "Zm8"},
    {"three bytes", "foo", "Zm9v", "Zm9v"},
    {"six bytes", "foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"where the alphabets differ", "\xfb\xef\xff", "++//", "--__"},
};

TEST(Base64, BothAlphabetsAreWrittenAndRead) {
  for (const CodeCase& c : kCodes) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(base64_encode(c.bytes), c.standard);
    EXPECT_EQ(base64_decode(c.standard), c.bytes);
    EXPECT_EQ(base64url_encode(c.bytes), c.url);
    EXPECT_EQ(base64url_decode(c.url), c.bytes);
  }
  const std::string all = every_byte();
  for (std::size_t n = 0; n < 256; ++n) {
    const std::string part = all.substr(n);
    EXPECT_EQ(base64_decode(base64_encode(part)), part);
    EXPECT_EQ(base64url_decode(base64url_encode(part)), part);
  }
}

TEST(Base64, MalformedTextIsNothing) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zm9v=", "Zm 9", "Zm9v\n", "--__", "Zg==Zg=="})
    EXPECT_EQ(base64_decode(text), std::nullopt) << text;
  for (const char* text : {"Z", "Zm9vY", "Zg==", "++//", "Zm 9"})
    EXPECT_EQ(base64url_decode(text), std::nullopt) << text;
}

TEST(Percent, UnreservedCharactersStandForThemselves) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a b/c+%\xff"), "a%20b%2Fc%2B%25%FF");
  EXPECT_EQ(percent_decode(percent_encode(every_byte()), Plus::literal), every_byte());
}

TEST(Percent, EscapesAreDecodedOnceAndInAnyCase) {
  EXPECT_EQ(percent_decode("%2f%2F%252F", Plus::literal), "//%2F");
  EXPECT_EQ(percent_decode("a+b", Plus::literal), "a+b");
  EXPECT_EQ(percent_decode("a+b", Plus::space), "a b");
  EXPECT_EQ(percent_decode("%00", Plus::literal), std::string(1, '\0'));
}

TEST(Percent, MalformedEscapesAreNothing) {
  for (const char* text : {"%", "%2", "a%", "%zz", "%2g", "%%20", "% 2"})
    EXPECT_EQ(percent_decode(text, Plus::literal), std::nullopt) << text;
}

TEST(Utf8, EveryCodePointsEdgesAreText) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("\0", 1), std::string_view("\x7f"), std::string_view("\xc2\x80"),
        std::string_view("\xdf\xbf"), std::string_view("\xe0\xa0\x80"), std::string_view("\xed\x9f\xbf"),
        std::string_view("\xee\x80\x80"), std::string_view("\xef\xbf\xbf"), std::string_view("\xf0\x90\x80\x80"),
        std::string_view("\xf4\x8f\xbf\xbf"), std::string_view("grüße, 世界 🌍")})
    EXPECT_TRUE(is_utf8(text)) << hex_encode(text);
}

TEST(Utf8, OverlongSurrogateAndCutSequencesAreNot) {
  for (const std::string_view text :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "\xfe", "a\xc3", "\xe4\xb8", "\xf0\x9f\x8c", "\xc3("})
    EXPECT_FALSE(is_utf8(text)) << hex_encode(text);
}

TEST(Text, IsQuotedAsGoDoes) {
  EXPECT_EQ(go_quote("plain \u00e4"), "\"plain \u00e4\"");
  EXPECT_EQ(go_quote("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\x01\x7f")");
  EXPECT_EQ(go_quote("a\xff"), R"("a\xff")");
  EXPECT_EQ(go_quote(""), R"("")");
}

TEST(Text, CaseAndSpacesAreAsciiOnly) {
  EXPECT_EQ(to_lower("ABC-Ä"), "abc-Ä");
  EXPECT_TRUE(iequals("Content-Type", "content-tYPE"));
  EXPECT_FALSE(iequals("a", "ab"));
  EXPECT_FALSE(iequals("@", "`"));
  EXPECT_EQ(trim(" \t\r\n a b \n"), "a b");
  EXPECT_EQ(trim(" \t "), "");
  EXPECT_EQ(hex_encode(std::string_view("\x00\x9f\xff", 3)), "009fff");
}

TEST(Hex, IsReadInEitherCaseAndNothingElseIs) {
  EXPECT_EQ(hex_decode(hex_encode(every_byte())), every_byte());
  EXPECT_EQ(hex_decode("aBCdEf"), "\xab\xcd\xef");
  EXPECT_EQ(hex_decode(""), "");
  for (const char* text : {"0", "123", "0g", "g0", "0x", "+1", " 1", "-1"})
    EXPECT_EQ(hex_decode(text), std::nullopt) << text;
}

TEST(Text, IsTakenApartAtSeparators) {
  std::vector<std::string_view> parts;
  for (std::string_view text = "a,,bc,"; !text.empty();) parts.push_back(take_part(text, ','));
  EXPECT_THAT(parts, ::testing::ElementsAre("a", "", "bc"));
  std::string_view rest = "no comma";
  EXPECT_EQ(take_part(rest, ','), "no comma");
  EXPECT_EQ(take_part(rest, ','), "");
  EXPECT_EQ(rest, "");
  EXPECT_THAT(split(",a,,bc,", ','), ::testing::ElementsAre("a", "bc"));
  EXPECT_THAT(split("", ','), ::testing::IsEmpty());
}

TEST(Files, AFullDiskIsNamedWithTheFile) {
  const Descriptor full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  const Status written = write_all(full.get(), "text", "notes.txt");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::unavailable);
  EXPECT_EQ(written.error().message, "cannot write notes.txt: No space left on device");
}

TEST(Files, ADescriptorIsClosedOnceAndByItsLastOwner) {
  Descriptor first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fd = first.get();
  ASSERT_GE(fd, 0);
  {
    Descriptor second(std::move(first));
    EXPECT_EQ(second.get(), fd);
    first = std::move(second);
  }
  EXPECT_EQ(::fcntl(fd, F_GETFD), FD_CLOEXEC);
  first = Descriptor();
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

template <class Number>
std::optional<Number> number_in(std::string_view text, int base = 10) {
  Number number = 77;
  if (read_number(text, number, base)) return number;
  EXPECT_EQ(number, 77) << text;
  return std::nullopt;
}

TEST(Numbers, AreWholeTexts) {
  EXPECT_EQ(number_in<int>("-12"), -12);
  EXPECT_EQ(number_in<std::uint64_t>("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(number_in<std::uint64_t>("fF", 16), 255U);
  EXPECT_EQ(number_in<double>("1.5e3"), 1500);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "x", "--1", "0x1", "1.5", "99999999999"})
    EXPECT_EQ(number_in<int>(text), std::nullopt) << text;
  for (const char* text : {"-1", "65536"}) EXPECT_EQ(number_in<std::uint16_t>(text), std::nullopt) << text;
  for (const char* text : {"", "1.5.", "1e999", "+1.5"}) EXPECT_EQ(number_in<double>(text), std::nullopt) << text;
}

struct TimeCase {
  const char* name;
  std::int64_t us;
  const char* seconds;
  const char* ticks;
  const char* http;
  const char* sql;
};
constexpr TimeCase kTimes[] = {
    {"an afternoon of 2026", 1'795'322'957'123'456, "2026-11-22T04:49:17Z", "2026-11-22T04:49:17.1234560+00:00",
     "Sun, 22 Nov 2026 04:49:17 GMT", "2026-11-22 04:49:17"},
    {"the first", 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.0000000+00:00", "Thu, 01 Jan 1970 00:00:00 GMT",
     "1970-01-01 00:00:00"},
    {"a microsecond before it", -1, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.9999990+00:00",
     "Wed, 31 Dec 1969 23:59:59 GMT", "1969-12-31 23:59:59"},
    {"a leap day", 951'782'400'000'001, "2000-02-29T00:00:00Z", "2000-02-29T00:00:00.0000010+00:00",
     "Tue, 29 Feb 2000 00:00:00 GMT", "2000-02-29 00:00:00"},
    {"far ahead", 253'402'300'799'999'999, "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999990+00:00",
     "Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31 23:59:59"},
};

TEST(Times, AreWrittenInEachForm) {
  for (const TimeCase& c : kTimes) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(rfc3339_seconds(WallTime{c.us}), c.seconds);
    EXPECT_EQ(rfc3339_ticks(WallTime{c.us}), c.ticks);
    EXPECT_EQ(http_date(WallTime{c.us}), c.http);
    EXPECT_EQ(sql_seconds(WallTime{c.us}), c.sql);
    WallTime read;
    ASSERT_TRUE(parse_sql_seconds(c.sql, read));
    EXPECT_EQ(sql_seconds(read), c.sql);
  }
}

TEST(Times, OtherTextIsNoSqlTime) {
  WallTime read{7};
  for (const char* text : {"", "2026-11-22", "2026-11-22T04:49:17", "2026-11-22 04:49:17.1", "2026-13-22 04:49:17",
                           "2026-11-22 24:49:17", "xxxx-11-22 04:49:17", "2026-11-22 04:49:1 "})
    EXPECT_FALSE(parse_sql_seconds(text, read)) << text;
  EXPECT_EQ(read.us, 7);
}

TEST(Random, IdentifiersAreVersionFourAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = uuid_v4();
    EXPECT_THAT(id, MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Random, ThreadsDrawDifferentBytes) {
  std::set<std::uint64_t> seen;
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const std::uint64_t drawn = random_u64();
        const std::lock_guard lock(mutex);
        seen.insert(drawn);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(seen.size(), 4000u);
}

Task<int> give(int value) { co_return value; }
Task<int> doubled(int value) { co_return 2 * co_await give(value); }
Task<int> thrown() {
  throw std::runtime_error("on purpose");
  co_return 0;
}
Task<std::string> what_came_of(Task<int> task) {
  try {
    co_return std::to_string(co_await std::move(task));
  } catch (const std::runtime_error& e) {
    co_return e.what();
  }
}
Task<void> mark(bool& ran) {
  ran = true;
  co_return;
}
Task<int> sum_to(int n) {
  int sum = 0;
  for (int i = 1; i <= n; ++i) sum += co_await give(i);
  co_return sum;
}
Task<int> after(Arrival<int>& arrival) { co_return co_await arrival + 1; }

TEST(Tasks, DoNothingUntilTheyAreStarted) {
  bool ran = false;
  {
    const Task<void> never = mark(ran);
  }
  EXPECT_FALSE(ran);
  start(mark(ran));
  EXPECT_TRUE(ran);
}

TEST(Tasks, GiveTheirResultToWhoeverAwaitsThem) {
  int result = 0;
  start(doubled(21), [&](int value) { result = value; });
  EXPECT_EQ(result, 42);
}

TEST(Tasks, WhatTheyThrowReachesWhoeverAwaitsThem) {
  std::string result;
  start(what_came_of(thrown()), [&](const std::string& text) { result = text; });
  EXPECT_EQ(result, "on purpose");
}

TEST(Tasks, AwaitInALoop) {
  int result = 0;
  start(sum_to(100), [&](int value) { result = value; });
  EXPECT_EQ(result, 5050);
}

TEST(Tasks, MovingOverAnUnstartedTaskFreesIt) {
  bool ran = false;
  Task<void> task = mark(ran);
  bool other = false;
  task = mark(other);
  start(std::move(task));
  EXPECT_FALSE(ran);
  EXPECT_TRUE(other);
}

TEST(Arrivals, WakeTheWaiterInsideTheCall) {
  Arrival<int> arrival;
  int result = 0;
  start(after(arrival), [&](int value) { result = value; });
  EXPECT_EQ(result, 0);
  EXPECT_FALSE(arrival.is_set());
  arrival.set(1);
  EXPECT_EQ(result, 2);
}

TEST(Arrivals, MayComeBeforeAnybodyWaits) {
  Arrival<int> arrival;
  arrival.set(1);
  int result = 0;
  start(after(arrival), [&](int value) { result = value; });
  EXPECT_EQ(result, 2);
}

TEST(FramePool, FramesMayBeFreedOnAnotherThread) {
  static constexpr std::size_t kSizes[] = {1, 64, 65, 500, 4096, 100'000};
  std::vector<std::pair<void*, std::size_t>> frames;
  for (int i = 0; i < 200; ++i) {
    for (const std::size_t size : kSizes) {
      void* frame = frame_allocate(size);
      std::memset(frame, i, size);
      frames.emplace_back(frame, size);
    }
  }
  std::set<void*> distinct;
  for (const auto& [frame, size] : frames) distinct.insert(frame);
  EXPECT_EQ(distinct.size(), frames.size());
  std::thread([&frames] {
    for (const auto& [frame, size] : frames) frame_free(frame, size);
    for (const std::size_t size : kSizes) {
      void* frame = frame_allocate(size);
      std::memset(frame, 7, size);
      frame_free(frame, size);
    }
  }).join();
}

TEST(WorkerPools, RefuseWhatTheirQueueDoesNotHold) {
  std::latch begun(1);
  std::latch go(1);
  std::atomic<int> ran = 0;
  {
    WorkerPool pool("test", 1, 2);
    ASSERT_TRUE(pool.submit([&] {
      begun.count_down();
      go.wait();
      ++ran;
    }));
    begun.wait();  // the queue is empty from here on
    EXPECT_TRUE(pool.submit([&] { ++ran; }));
    EXPECT_TRUE(pool.submit([&] { ++ran; }));
    EXPECT_FALSE(pool.submit([&] { ++ran; }));
    go.count_down();
  }
  EXPECT_EQ(ran, 3) << "what was queued is finished before the pool ends";
}

TEST(WorkerPools, OffloadedWorkRunsElsewhereAndItsResultArrivesOnTheLoop) {
  test::TestLoop loop;
  WorkerPool pool("test", 2, 10);
  std::thread::id ran_on;
  const auto result = loop.run(offload(pool, loop, [&]() -> Result<int> {
    ran_on = std::this_thread::get_id();
    return 42;
  }));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 42);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(WorkerPools, WhatOffloadedWorkThrowsIsAnInternalError) {
  test::TestLoop loop;
  WorkerPool pool("test", 1, 10);
  const auto result = loop.run(offload(pool, loop, []() -> Result<int> { throw std::runtime_error("on purpose"); }));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::internal);
  EXPECT_EQ(result.error().message, "on purpose");
}

TEST(WorkerPools, OffloadingToAFullPoolIsOverloaded) {
  test::TestLoop loop;
  WorkerPool pool("test", 1, 0);
  const auto result = loop.run(offload(pool, loop, []() -> Result<int> { return 1; }));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::overloaded);
}

TEST(Schedulers, SleepingAndResumingStayOnTheLoop) {
  test::TestLoop loop;
  loop.run(sleep_for(loop, Milliseconds(1)));
  EXPECT_TRUE(loop.is_current());
}

// The log is one per process, so its tests share a file each.
class Log : public ::testing::Test {
 protected:
  Log() {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-log-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~Log() override { std::filesystem::remove_all(folder_); }

  std::string written(log::Options options, std::string_view message) {
    options.file = folder_ / "log";
    options.app_id = "orders";
    options.version = "1.2.3";
    EXPECT_TRUE(log::configure(options));
    log::write(log::Level::info, "holdfast.test", message);
    std::ostringstream text;
    text << std::ifstream(options.file).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

constexpr std::string_view kAwkward = "a \"quoted\" \\ text,\nwith lines\r\tand \x01";

TEST_F(Log, ATextLineIsOneLineWhateverTheMessage) {
  const std::string line = written({}, kAwkward);
  EXPECT_THAT(line, MatchesRegex("time=\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]+Z\" level=info msg=[^\n]*"
                                 " app_id=orders instance=[^ ]+ scope=holdfast.test type=log ver=1.2.3\n"));
  EXPECT_THAT(line, HasSubstr(R"(msg="a \"quoted\" \\ text,\nwith lines\r\tand \u0001")"));
}

TEST_F(Log, AJsonLineHasDaprdsKeys) {
  log::Options options;
  options.json = true;
  const std::string line = written(options, kAwkward);
  EXPECT_THAT(line,
              MatchesRegex("\\{\"app_id\":\"orders\",\"instance\":\"[^\"]+\",\"level\":\"info\",\"msg\":[^\n]*,"
                           "\"scope\":\"holdfast.test\",\"time\":\"[^\"]+\",\"type\":\"log\",\"ver\":\"1.2.3\"\\}\n"));
  EXPECT_THAT(line, HasSubstr(R"("msg":"a \"quoted\" \\ text,\nwith lines\r\tand \u0001")"));
}

TEST_F(Log, LinesBelowTheLevelAreNotWritten) {
  log::Options options;
  options.level = log::Level::warning;
  EXPECT_NE(written(options, "direct"), "") << "write() itself does not ask";
  EXPECT_FALSE(log::enabled(log::Level::info));
  EXPECT_TRUE(log::enabled(log::Level::warning));
  log::info("holdfast.test", "not {}", "written");
  log::error("holdfast.test", "but {}", "this");
  std::ostringstream text;
  text << std::ifstream(folder_ / "log").rdbuf();
  EXPECT_THAT(text.str(), ::testing::Not(HasSubstr("not written")));
  EXPECT_THAT(text.str(), HasSubstr("level=error msg=\"but this\""));
}

TEST_F(Log, AFileThatCannotBeOpenedIsRefused) {
  log::Options options;
  std::filesystem::create_directory(folder_ / "log");
  options.file = folder_ / "log";  // a directory
  EXPECT_FALSE(log::configure(options));
}

TEST_F(Log, LevelsAreReadInAnyCase) {
  log::Level level{};
  for (const auto& [text, expected] :
       {std::pair("debug", log::Level::debug), std::pair("WARN", log::Level::warning),
        std::pair("Warning", log::Level::warning), std::pair("fatal", log::Level::fatal)}) {
    ASSERT_TRUE(log::parse_level(text, level)) << text;
    EXPECT_EQ(level, expected);
  }
  EXPECT_FALSE(log::parse_level("verbose", level));
}

TEST(HashOf, KeysThatDifferInOneByteAnywhereDifferInHash) {
  for (std::size_t length = 0; length < 70; ++length) {
    const std::string key(length, 'x');
    for (std::size_t at = 0; at < length; ++at) {
      std::string other = key;
      other[at] = 'y';
      EXPECT_NE(hash_of(key), hash_of(other)) << length << " " << at;
    }
    EXPECT_NE(hash_of(key), hash_of(key + '\0'));
  }
}

}  // namespace
}  // namespace holdfast
