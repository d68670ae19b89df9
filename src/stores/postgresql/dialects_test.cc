// CockroachDB cannot be had here, so PostgreSQL stands in for it: what is said to it is compared with what it lacks,
// and it refuses as CockroachDB does, which any transaction of its meets: "restart transaction" (40001), at a statement
// or at the commit. Sources: cockroachlabs.com/docs/stable/postgresql-compatibility,
// .../transaction-retry-error-reference.
#include <gtest/gtest.h>

#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "stores/postgresql/store_testing.h"
#include "support/load.h"
#include "support/postgresql_servers.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Precondition;
using test::save;
using test::Stores;

// Columns, functions, settings and statements that it has not.
constexpr auto kUnknown = std::to_array<std::string_view>(
    {"xmin", "ctid", "::xid", "pg_current_xact_id", "pg_current_snapshot", "pg_advisory", "pg_stat_replication",
     "pg_wal", "'jit'", "COLLATE", "synchronous_commit", "unnest($1::text[], $2", "LOCK TABLE", "TRIGGER", "plpgsql",
     "LISTEN", "NOTIFY", "SKIP LOCKED"});

class PostgresqlDialects : public testing::TestWithParam<const state::StoreType*> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    test::PostgresqlOptions options;
    options.settings = {"log_statement = all", "log_line_prefix = '%u '"};
    server_.emplace(options);
    server_->must(
        "CREATE SEQUENCE rowids; CREATE FUNCTION unique_rowid() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS "
        "'SELECT nextval(''rowids'')'");
    stores_.emplace(core_of({{"connectionString", server_->connection_string()}}, *GetParam()));
  }

  // Saves, of which some share a transaction; deletions, a transaction, and everything that reads.
  void do_everything() {
    ASSERT_TRUE(stores_->set(save("a", "1")));
    state::SetRequest first = save("b", R"({"n":1})");
    static const state::Pairs kEntries{{"user", "1"}};
    first.when = Precondition::absent();
    first.indexes = kEntries;
    ASSERT_TRUE(stores_->set(first));
    const std::string etag = (*stores_->get("a"))->etag;
    const std::string_view view = etag;
    const std::array<state::Operation, 3> operations{[&] {
                                                       state::SetRequest request = save("a", "2");
                                                       request.when = Precondition::one_of({&view, 1});
                                                       return request;
                                                     }(),
                                                     state::DeleteRequest{.key = "c", .when = {}}, save("d", "1")};
    ASSERT_TRUE(stores_->ask([&](state::StateStore& store) { return store.transact({}, operations); }));
    const std::array<state::SetRequest, 3> many{save("e1", "1"), save("e2", "2"), save("e3", "3")};
    for (const auto& each : stores_->ask([&](state::StateStore& store) { return store.set_many({}, many); }))
      ASSERT_TRUE(each);
    const std::array<state::GetRequest, 2> wanted{{{.key = "e1", .want_fields = true}, {.key = "e2"}}};
    for (const auto& each : stores_->ask([&](state::StateStore& store) { return store.get_many({}, wanted); }))
      ASSERT_TRUE(each);
    state::ListRequest listing;
    listing.prefix = "e";
    listing.want_values = listing.want_fields = true;
    ASSERT_TRUE(stores_->ask([&](state::StateStore& store) { return store.list({}, listing); }));
    ASSERT_TRUE(stores_->ask(
        [](state::StateStore& store) { return store.find({}, {.name = "user", .value = "1", .of = {}}); }));
    state::LikeRequest like;
    like.pattern = "e%";
    ASSERT_TRUE(stores_->ask([&](state::StateStore& store) { return store.keys_like({}, like); }));
    state::Query query;
    query.limit = 10;
    ASSERT_TRUE(stores_->ask([&](state::StateStore& store) { return store.query({}, query); }));
    ASSERT_TRUE(stores_->ask([](state::StateStore& store) { return store.erase({}, {.key = "a", .when = {}}); }));
    ASSERT_TRUE(stores_->ask([](state::StateStore& store) { return store.erase_prefix({}, {.prefix = "e"}); }));
  }

  // Everything that the store has said.
  std::vector<std::string> statements() {
    std::ifstream log(server_->folder() / "log");
    std::vector<std::string> all;
    for (std::string line; std::getline(log, line);)
      if (line.starts_with("app LOG:  execute ") || line.starts_with("app LOG:  statement: ")) all.push_back(line);
    return all;
  }

  // The next two writes are refused by `trigger`, which runs restart().
  void restart_twice(const std::string& trigger) {
    server_->must(
        "CREATE SEQUENCE tries; CREATE FUNCTION restart() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN "
        "IF nextval(''public.tries'') <= 2 THEN RAISE EXCEPTION ''restart transaction'' USING ERRCODE = ''40001''; END "
        "IF; RETURN NEW; END'; " +
        trigger);
  }
  std::string tries() { return server_->value("SELECT last_value FROM tries"); }

  std::optional<test::PostgresqlServer> server_;
  std::optional<Stores> stores_;
};

TEST_P(PostgresqlDialects, NothingIsSaidThatCockroachdbDoesNotKnow) {
  do_everything();
  const std::vector<std::string> said = statements();
  EXPECT_GT(said.size(), 30U);
  for (const std::string& statement : said)
    for (const std::string_view unknown : kUnknown)
      EXPECT_FALSE(statement.contains(unknown)) << unknown << ": " << statement;
}

TEST_P(PostgresqlDialects, AWriteThatHasToRestartIsRepeated) {
  restart_twice("CREATE TRIGGER restarts BEFORE INSERT OR UPDATE ON state FOR EACH ROW EXECUTE FUNCTION restart()");
  const auto written = stores_->set(save("a", "1"));
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(stores_->value("a"), "1");
  EXPECT_EQ(tries(), "3");
}

TEST_P(PostgresqlDialects, ATransactionWhoseCommitHasToRestartIsRepeatedAsAWhole) {
  restart_twice(
      "CREATE CONSTRAINT TRIGGER restarts AFTER INSERT OR UPDATE ON state DEFERRABLE INITIALLY DEFERRED FOR EACH ROW "
      "WHEN (NEW.key = 'b') EXECUTE FUNCTION restart()");
  const std::array<state::Operation, 2> both{save("a", "1"), save("b", "1")};
  const auto done = stores_->ask([&](state::StateStore& store) { return store.transact({}, both); });
  ASSERT_TRUE(done) << done.error().message;
  for (const std::string_view key : {"a", "b"}) EXPECT_EQ(stores_->value(key), "1");
  EXPECT_EQ(tries(), "3");
}

INSTANTIATE_TEST_SUITE_P(All, PostgresqlDialects, testing::Values(&kCockroachdbV1Type, &kCockroachdbV2Type),
                         [](const auto& info) {
                           return info.param == &kCockroachdbV1Type ? "cockroachdb1" : "cockroachdb2";
                         });

}  // namespace
}  // namespace holdfast::stores::postgresql
