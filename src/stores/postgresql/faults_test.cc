// A server is killed, stopped, exhausted and held up under load: nothing that was acknowledged is lost, nothing is
// applied twice, calls meanwhile fail and say why, and the store answers again soon after the server does.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <future>
#include <list>
#include <string>

#include "base/random.h"
#include "stores/postgresql/store_testing.h"
#include "support/fault_load.h"
#include "support/postgresql_servers.h"
#include "support/tcp_gate.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Consistency;
using test::Load;
using test::rounds;
using test::Stores;

const std::string kComponent = "component \"postgresql\"";

test::PostgresqlOptions durable(std::vector<std::string> settings = {}) {
  return {.settings = std::move(settings), .access = {}, .fsync = true};
}

std::shared_ptr<state::StoreCore> core(const std::string& connection, Layout layout = Layout::v2,
                                       const std::string& timeout = "20s") {
  return core_of({{"connectionString", connection}, {"timeout", timeout}}, layout, 2);
}

// The load's registers and counters, on a server that has a table for bare_write().
Load load_of(test::PostgresqlServer& server, std::shared_ptr<state::StoreCore> core) {
  server.must("CREATE TABLE IF NOT EXISTS bare (number int); GRANT ALL ON bare TO app");
  return {std::move(core), Consistency::unspecified, {"count/1", "count/2"}};
}

// A write by a client that connects anew each time: what the server itself can do at that moment.
bool bare_write(const test::PostgresqlServer& server, const std::string& table = "bare") {
  try {
    test::PostgresqlClient client(server.connection_string() + " connect_timeout=2");
    client.query(table == "bare" ? "INSERT INTO bare VALUES (1)"
                                 : "UPDATE " + table + " SET value = value WHERE false");
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

void end_connections(test::PostgresqlServer& server) {
  server.must("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast'");
}

class PostgresqlFaults : public testing::Test {
 protected:
  void SetUp() override { HOLDFAST_NEEDS_POSTGRESQL(); }
};
class PostgresqlFaultsOfBoth : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override { HOLDFAST_NEEDS_POSTGRESQL(); }
};
INSTANTIATE_TEST_SUITE_P(All, PostgresqlFaultsOfBoth, testing::Values(Layout::v1, Layout::v2),
                         [](const auto& info) { return info.param == Layout::v1 ? "v1" : "v2"; });

// ---- The server goes and comes back

TEST_P(PostgresqlFaultsOfBoth, AKilledServerLosesNothingThatWasAcknowledged) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string(), GetParam()));
  rounds(2, [&](int) {
    load.go_on();
    server.kill();
    load.expect_quick_refusals({kComponent, server.address()});
    load.expect_soon_after("killed and started again", [&] { return bare_write(server); }, [&] { server.restart(); });
  });
  load.go_on();
  load.finish_and_check();
}

TEST_P(PostgresqlFaultsOfBoth, ConnectionsThatAnAdministratorEndsApplyNothingTwice) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string(), GetParam()));
  rounds(10, [&](int) {
    load.go_on(50);
    end_connections(server);
  });
  load.go_on();
  load.finish_and_check();
}

TEST_F(PostgresqlFaults, AServerThatIsShutDownIsTakenBack) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string()));
  rounds(1, [&](int) {
    load.go_on();
    server.stop_fast();
    load.expect_quick_refusals({kComponent, server.address()});
    load.expect_soon_after(
        "shut down and started again", [&] { return bare_write(server); }, [&] { server.restart(); });
  });
  load.go_on();
  load.finish_and_check();
}

TEST_F(PostgresqlFaults, AStoppedServerIsNoticedAndTakenBack) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string(), Layout::v2, "1s"));
  rounds(1, [&](int) {
    load.go_on();
    server.pause();
    // It is given a second beyond the timeout of a statement, which it ends itself if it can.
    load.expect_quick_refusals({kComponent, server.address()}, Milliseconds(1500));
    load.expect_soon_after("stopped and continued", [&] { return bare_write(server); }, [&] { server.resume(); });
  });
  load.go_on();
  load.finish_and_check();
}

// At once, again and again, while replies are on their way.
TEST_F(PostgresqlFaults, RestartsUnderLoadApplyNothingTwice) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string(), Layout::v1));
  rounds(5, [&](int) {
    load.go_on(50);
    server.restart();
  });
  load.go_on();
  load.finish_and_check();
}

TEST_F(PostgresqlFaults, ConnectionsThatAreRefusedAreTriedAgain) {
  test::PostgresqlServer server(durable());
  test::TcpGate gate(server.port());
  const std::string through_gate =
      "host=127.0.0.1 port=" + std::to_string(gate.port()) + " user=app password=app-password dbname=app";
  Load load = load_of(server, core(through_gate));
  rounds(2, [&](int) {
    load.go_on();
    gate.refuse(true);
    gate.cut();
    load.expect_quick_refusals({kComponent, "127.0.0.1:" + std::to_string(gate.port())});
    load.expect_soon_after("refused and accepted", [&] { return bare_write(server); }, [&] { gate.refuse(false); });
  });
  load.go_on();
  load.finish_and_check();
}

// ---- The server has something that is scarce

TEST_F(PostgresqlFaults, AServerWithoutAConnectionLeftIsTriedAgain) {
  test::PostgresqlServer server(durable({"max_connections = 12", "superuser_reserved_connections = 3"}));
  Load load = load_of(server, core(server.connection_string() + " pool_max_conns=2"));
  rounds(1, [&](int) {
    load.go_on();
    std::list<test::PostgresqlClient> others;
    const auto take_all = [&] {
      try {
        for (;;) others.emplace_back(server.connection_string());
      } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("FATAL"), std::string::npos) << error.what();
      }
    };
    take_all();
    load.go_on(50);
    test::require_eventually("others to have all connections", [&] {
      end_connections(server);
      take_all();
      return others.size() == 12 - 3 - 1;  // the last is `server`'s own
    });
    load.expect_quick_refusals({kComponent, server.address(), "connection"});
    load.expect_soon_after(
        "all connections taken and given back", [&] { return bare_write(server); }, [&] { others.clear(); });
  });
  load.go_on();
  load.finish_and_check();
}

// A file system of a few megabytes, which only this thread, and what it starts, sees.
class SmallDisk {
 public:
  SmallDisk() {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=8m") != 0)
      why_not_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (why_not_.empty()) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  // Empty: it is there.
  const std::string& why_not() const { return why_not_; }
  // A folder of the user's whom `owned` belongs to.
  std::string make_folder(const std::string& owned) {
    struct stat like{};
    const std::string made = folder_ / "data";
    if (::stat(owned.c_str(), &like) != 0 || ::mkdir(made.c_str(), 0700) != 0 ||
        ::chown(made.c_str(), like.st_uid, like.st_gid) != 0)
      throw std::runtime_error("cannot make " + made + ": " + std::strerror(errno));
    return made;
  }
  void fill() {
    std::ofstream file(folder_ / "full", std::ios::binary);
    const std::string block(4096, 'x');
    while (file.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) continue;
  }
  void empty() { ::unlink((folder_ / "full").c_str()); }

 private:
  test::TemporaryFolder folder_;
  std::string why_not_;
};

TEST_F(PostgresqlFaults, AFullDiskRefusesWritesAndNothingElse) {
  SmallDisk disk;
  if (!disk.why_not().empty()) GTEST_SKIP() << "no small file system can be mounted here: " << disk.why_not();
  test::PostgresqlServer server(durable());
  const std::string location = disk.make_folder(server.folder() / "data");
  server.must("CREATE TABLESPACE small LOCATION '" + location + "'");
  server.must("GRANT CREATE ON TABLESPACE small TO app; ALTER ROLE app SET default_tablespace = 'small'");
  Load load = load_of(server, core(server.connection_string()));
  // Nothing that can be compressed.
  int number = 0;
  const auto big_write = [&] {
    std::string value;
    while (value.size() < 100'000) value += uuid_v4();
    return load.stores().set(test::save("big/" + std::to_string(++number), value));
  };
  rounds(2, [&](int) {
    load.go_on();
    disk.fill();
    Error error;
    test::require_eventually("the disk to be full", [&] {
      const auto written = big_write();
      if (!written) error = written.error();
      return !written;
    });
    EXPECT_EQ(error.code, Errc::unavailable) << error.message;
    for (const std::string_view part : {std::string_view(kComponent), std::string_view("disk is full")})
      EXPECT_NE(error.message.find(part), std::string::npos) << error.message;
    EXPECT_TRUE(load.stores().get("count/1")) << "what is there can be read";
    disk.empty();
    EXPECT_TRUE(load.answers());
  });
  load.go_on();
  load.finish_and_check();
  EXPECT_EQ(load.unknown(), 0U) << "a write that is refused has not happened";
}

// ---- Somebody holds something

class TableLock {
 public:
  explicit TableLock(const test::PostgresqlServer& server) : client_(server.superuser_connection_string()) {
    client_.query("BEGIN; LOCK TABLE state IN ACCESS EXCLUSIVE MODE");
  }
  void release() { client_.query("COMMIT"); }

 private:
  test::PostgresqlClient client_;
};

TEST_F(PostgresqlFaults, ALockedTableEndsCallsAtTheServersTimeout) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string() + " statement_timeout=200"));
  rounds(2, [&](int) {
    load.go_on();
    TableLock lock(server);
    Error error;
    test::require_eventually("the lock to be met", [&] {
      const auto written = load.try_write();
      if (!written) error = written.error();
      return !written;
    });
    EXPECT_EQ(error.code, Errc::deadline_exceeded) << error.message;
    EXPECT_NE(error.message.find(kComponent), std::string::npos) << error.message;
    load.expect_soon_after("locked and released", [&] { return bare_write(server, "state"); }, [&] { lock.release(); });
  });
  load.go_on();
  load.finish_and_check();
  EXPECT_EQ(load.unknown(), 0U) << "a statement that was cancelled has not happened";
}

TEST_F(PostgresqlFaults, ALockedTableEndsCallsAtTheStoresTimeout) {
  test::PostgresqlServer server(durable());
  Load load = load_of(server, core(server.connection_string(), Layout::v2, "1s"));
  rounds(1, [&](int) {
    load.go_on();
    TableLock lock(server);
    for (int i = 0; i < 3; ++i) {
      const auto began = std::chrono::steady_clock::now();
      const auto written = load.try_write();
      EXPECT_FALSE(written);
      EXPECT_LT(test::ms(std::chrono::steady_clock::now() - began), 1500);
    }
    load.expect_soon_after(
        "locked for long and released", [&] { return bare_write(server, "state"); }, [&] { lock.release(); });
  });
  load.go_on();
  load.finish_and_check();
}

// Whoever holds one record holds up those who write it, and what is behind them on a connection already.
TEST_F(PostgresqlFaults, ALockedRecordHoldsUpNoLaterCallOfOtherRecords) {
  test::PostgresqlServer server;
  Stores stores(core(server.connection_string() + " pool_max_conns=4"));  // two for each of two loops
  const auto write = [&stores](std::string key) {
    return std::async(std::launch::async, [&stores, key = std::move(key)] { return stores.set(test::save(key, "1")); });
  };
  ASSERT_TRUE(write("held").get());
  test::PostgresqlClient other(server.superuser_connection_string());
  other.query("BEGIN; SELECT 1 FROM state WHERE key = 'held' FOR UPDATE");
  auto waiting = write("held");
  test::require_eventually("somebody to wait for the lock", [&] {
    return server.value(
               "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock' AND "
               "now() - query_start > interval '200 ms'") == "1";
  });
  // So many at once that the other connection is the busier one.
  for (int round = 0; round < 10; ++round) {
    std::list<std::future<Result<state::Written>>> writes;
    for (int i = 0; i < 8; ++i) writes.push_back(write("beside/" + std::to_string(i)));
    for (auto& each : writes) ASSERT_EQ(each.wait_for(std::chrono::seconds(5)), std::future_status::ready);
    for (auto& each : writes) EXPECT_TRUE(each.get());
  }
  EXPECT_NE(waiting.wait_for(Milliseconds(0)), std::future_status::ready);
  other.query("COMMIT");
  EXPECT_TRUE(waiting.get());
}

// In the other order than ours, so that each waits for the other. Ours is the one that is broken off, and repeated.
TEST_F(PostgresqlFaults, ATransactionThatADeadlockBreaksOffIsRepeated) {
  test::PostgresqlServer server(durable({"deadlock_timeout = 500ms"}));
  Stores stores(core(server.connection_string()));
  const std::array<state::Operation, 2> both{test::save("a", "new"), test::save("b", "new")};
  bool was_ours = false;
  for (int tries = 0; tries < 5 && !was_ours; ++tries) {
    for (const std::string_view key : {"a", "b"}) ASSERT_TRUE(stores.set(test::save(key, "old")));
    test::PostgresqlClient other(server.superuser_connection_string());
    other.query("BEGIN; SET LOCAL deadlock_timeout = '5s'; UPDATE state SET value = 'other' WHERE key = 'b'");
    auto ours = std::async(std::launch::async, [&] {
      return stores.ask([&](state::StateStore& store) { return store.transact({}, both); });
    });
    test::require_eventually("ours to wait for the other", [&] {
      return server.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND wait_event_type = 'Lock'") ==
             "1";
    });
    try {
      other.query("UPDATE state SET value = 'other' WHERE key = 'a'");
      was_ours = true;
    } catch (const std::runtime_error&) {
      // We were too slow to make it one before the server looked.
    }
    other.query("COMMIT");
    const auto done = ours.get();
    ASSERT_TRUE(done) << done.error().message;
    for (const std::string_view key : {"a", "b"}) EXPECT_EQ(stores.value(key), "new");
  }
  EXPECT_TRUE(was_ours);
}

// What is judged at the end of a transaction fails after every statement of it has been answered.
TEST_F(PostgresqlFaults, ACommitThatFailsHasDoneNothing) {
  test::PostgresqlServer server;
  Stores stores(core(server.connection_string()));
  server.must(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not this one''; END'; "
      "CREATE CONSTRAINT TRIGGER refused AFTER INSERT OR UPDATE ON state DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "WHEN (NEW.key = 'bad') EXECUTE FUNCTION refuse()");
  const auto written = stores.set(test::save("bad", "1"));
  EXPECT_FALSE(written);
  const std::array<state::Operation, 2> both{test::save("bad", "1"), test::save("good", "1")};
  const auto done = stores.ask([&](state::StateStore& store) { return store.transact({}, both); });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::internal) << done.error().message;
  EXPECT_EQ(done.error().operation, -1) << "nobody knows which";
  EXPECT_FALSE(stores.get("good").value());
  const std::array<state::SetRequest, 2> each{test::save("bad", "1"), test::save("good", "1")};
  const auto outcomes = stores.ask([&](state::StateStore& store) { return store.set_many({}, each); });
  EXPECT_FALSE(outcomes[0]);
  EXPECT_TRUE(outcomes[1]);
  EXPECT_FALSE(stores.get("bad").value());
  EXPECT_EQ(stores.value("good"), "1");
}

}  // namespace
}  // namespace holdfast::stores::postgresql
