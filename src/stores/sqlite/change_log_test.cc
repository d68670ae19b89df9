// `watch: log`: changes of others, and tokens that outlive the process.
#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using Kind = state::WatchEvent::Kind;

class ChangeLogTest : public ::testing::Test {
 protected:
  void open(const std::string& watch = "log") {
    auto core = kSqliteType.prepare(component_of({{"connectionString", file_}, {"watch", watch}}), {Clock::system(), 1});
    ASSERT_TRUE(core) << core.error().message;
    core_ = std::move(*core);
    store_ = std::move(*loop_.run(core_->open(loop_)));
  }
  void close() {
    watcher_.reset();
    ASSERT_TRUE(loop_.run(store_->close({})));
    store_.reset();
    core_.reset();
  }
  void put(std::string_view key, std::string_view value = "v") {
    state::SetRequest request;
    request.key = key;
    request.value = value;
    ASSERT_TRUE(loop_.run(store_->set({}, request)));
  }
  // The kind of the first event.
  Kind watch(std::string_view resume = "") {
    state::WatchRequest request;
    request.prefix = "a";
    request.resume = resume;
    request.want_values = true;
    watcher_ = std::move(*loop_.run(store_->watch({}, request)));
    return next().kind;
  }
  state::WatchEvent next() {
    auto event = loop_.run(watcher_->next());
    EXPECT_TRUE(event && *event);
    return std::move(**event);
  }

  TempFolder folder_;
  const std::string file_ = folder_.file("state.db");
  test::TestLoop loop_;
  std::shared_ptr<state::StoreCore> core_;
  std::unique_ptr<state::StateStore> store_;
  std::unique_ptr<state::Watcher> watcher_;
};

constexpr const char* kDaprPut =
    "INSERT INTO state (key, value, is_binary, etag, update_time, expiration_time) VALUES ('a1', '\"x\"', 0, 'e', "
    "CURRENT_TIMESTAMP, NULL) ON CONFLICT (key) DO UPDATE SET value = '\"y\"', etag = 'f'";

TEST_F(ChangeLogTest, WhatAnotherProgramWritesAndDeletesIsTold) {
  open();
  EXPECT_EQ(watch(), Kind::ready);
  sql(file_, kDaprPut);
  EXPECT_EQ(next().record->value, "\"x\"");
  sql(file_, kDaprPut);
  const auto second = next();
  EXPECT_EQ(second.record->value, "\"y\"");
  EXPECT_EQ(second.record->etag, "f");
  sql(file_, "DELETE FROM state WHERE key = 'a1'");
  EXPECT_EQ(next().kind, Kind::erase);
  sql(file_, "INSERT INTO state VALUES ('a2', '1', 0, 'e', datetime('now', '-1 second'), CURRENT_TIMESTAMP)");
  EXPECT_EQ(next().kind, Kind::expire);  // by our sweep
  close();
}

TEST_F(ChangeLogTest, ATokenContinuesInTheNextProcess) {
  open();
  EXPECT_EQ(watch(), Kind::ready);
  put("a1");
  const std::string token = next().resume;
  close();
  sql(file_, "DELETE FROM state WHERE key = 'a1'");
  open();
  put("a2", "1");
  put("a2", "2");
  put("b");
  EXPECT_EQ(watch(token), Kind::ready);
  EXPECT_EQ(next().kind, Kind::erase);
  const auto last = next();
  EXPECT_EQ(last.key, "a2");
  EXPECT_EQ(last.record->value, "2");
  put("a3");
  EXPECT_EQ(next().key, "a3");
  close();
}

TEST_F(ChangeLogTest, ATokenFromBeforeTheOldestRowIsNotContinued) {
  open();
  EXPECT_EQ(watch(), Kind::ready);
  put("a1");
  const std::string token = next().resume;
  put("a2");
  close();
  sql(file_, "UPDATE state_holdfast_log SET at = at - 601");
  open();
  put("a3");  // two rows of more than ten minutes go
  EXPECT_EQ(watch(token), Kind::resync);
  put("a4");
  EXPECT_EQ(next().key, "a4");
  close();
}

TEST_F(ChangeLogTest, WithoutALogItSaysWhatTurnsItOn) {
  open("off");
  const auto refused = loop_.run(store_->watch({}, {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported);
  EXPECT_NE(refused.error().message.find("set its field watch to log"), std::string::npos);
  close();
}

TEST_F(ChangeLogTest, AFieldThatIsNeitherOffNorLogIsRefused) {
  EXPECT_FALSE(kSqliteType.prepare(component_of({{"connectionString", file_}, {"watch", "yes"}}), {Clock::system(), 1}));
  EXPECT_FALSE(kSqliteType.prepare(component_of({{"connectionString", "file:" + file_ + "?mode=ro"}, {"watch", "log"}}),
                                   {Clock::system(), 1}));
}

}  // namespace
}  // namespace holdfast::stores::sqlite
