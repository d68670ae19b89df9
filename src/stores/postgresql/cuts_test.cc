// The connection is lost at every byte of every kind of call, each way, and the server is asked what it holds then
// (support/cuts.h). A trigger counts the writes of each key.
#include "support/cuts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "stores/postgresql/store_testing.h"
#include "support/postgresql_servers.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Precondition;
using test::CutCall;
using test::kAbsent;
using test::kFirst;
using test::kNew;
using test::kOld;
using test::kSecond;
using test::Stores;

// What the three keys hold, how often they were written since they were prepared, and how many index entries there are.
constexpr std::string_view kBefore = "old@0 old@0 -@0 0";
constexpr std::string_view kSet = "new@1 old@0 -@0 0";
constexpr std::string_view kErased = "-@1 old@0 -@0 0";
constexpr std::string_view kAll = "new@1 -@1 new@1 0";

template <class Outcomes>
Status status_of_all(const Outcomes& outcomes) {
  for (const auto& each : outcomes)
    if (!each) return fail(each.error());
  return {};
}

Status set_several(Stores& stores) {
  const std::array<state::SetRequest, 2> requests{test::save(kFirst, kNew), test::save(kAbsent, kNew)};
  return status_of_all(stores.ask([&](state::StateStore& store) { return store.set_many({}, requests); }));
}

Status erase_several(Stores& stores) {
  const std::array<state::DeleteRequest, 2> requests{{{.key = kFirst, .when = {}}, {.key = kSecond, .when = {}}}};
  return status_of_all(stores.ask([&](state::StateStore& store) { return store.erase_many({}, requests); }));
}

Status set_with_entries(Stores& stores) {
  static const state::Pairs entries{{"user", "1"}, {"city", "2"}};
  state::SetRequest request = test::save(kFirst, kNew);
  request.indexes = entries;
  return test::status_of(stores.set(request));
}

Task<bool> pause(Scheduler& loop) {
  co_await sleep_for(loop, Milliseconds(1));
  co_return true;
}

class PostgresqlCutter final : public test::Cutter {
 public:
  PostgresqlCutter(test::TcpGate& gate, Stores& stores, test::PostgresqlServer& server, Layout layout)
      : Cutter(gate, stores, kBefore), gate_(gate), stores_(stores), server_(server), is_v2_(layout == Layout::v2) {
    server_.must(
        "CREATE TABLE writes (key text); CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql SECURITY "
        "DEFINER AS 'BEGIN INSERT INTO public.writes VALUES (coalesce(NEW.key, OLD.key)); RETURN NULL; END'; CREATE "
        "TRIGGER noted AFTER INSERT OR UPDATE OR DELETE ON state FOR EACH ROW EXECUTE FUNCTION note_write()");
  }

  std::vector<CutCall> calls() {
    const auto if_old = [this] { return Precondition::one_of({&etag_view_, 1}); };
    return {
        {"get", test::get_one, kBefore},
        {"bulk get", test::get_several, kBefore},
        {"list", test::list_all, kBefore},
        {"set", [](Stores& stores) { return test::set_first(stores); }, kSet},
        {"set by etag", [=](Stores& stores) { return test::set_first(stores, if_old()); }, kSet},
        {"set with entries", set_with_entries, "new@1 old@0 -@0 2"},
        {"first write", test::set_absent, "old@0 old@0 new@1 0"},
        {"delete", [](Stores& stores) { return test::erase_first(stores); }, kErased},
        {"delete by etag", [=](Stores& stores) { return test::erase_first(stores, if_old()); }, kErased},
        {"transaction", [](Stores& stores) { return test::change_all(stores); }, kAll},
        {"transaction by etags", [=](Stores& stores) { return test::change_all(stores, if_old()); }, kAll},
        {"bulk set", set_several, "new@1 old@0 new@1 0"},
        {"bulk delete", erase_several, "-@1 -@1 -@0 0"},
        {"get on a new connection", test::get_one, kBefore, true},
        {"set on a new connection", [](Stores& stores) { return test::set_first(stores); }, kSet, true},
    };
  }

 private:
  void prepare(const CutCall& call) override {
    const std::string columns = is_v2_ ? "value, etag" : "value, isbinary";
    const std::string_view kEtag = "00000000-0000-4000-8000-000000000001";
    const std::string values =
        is_v2_ ? fmt::format("'{}', '{}'", kOld, kEtag) : fmt::format("to_jsonb(encode('{}', 'base64')), true", kOld);
    server_.must(
        fmt::format("DELETE FROM state; DELETE FROM state_holdfast_index; INSERT INTO state (key, {0}) VALUES ('{1}', "
                    "{3}), ('{2}', {3}); DELETE FROM writes",
                    columns, kFirst, kSecond, values));
    etag_ = server_.value(fmt::format("SELECT {} FROM state LIMIT 1", is_v2_ ? "etag" : "xmin"));
    etag_view_ = etag_;
    if (call.is_first) lose_connections();
  }

  // And the store knows it.
  void lose_connections() {
    gate_.cut();
    (void)net::on_loop<bool>(stores_.loop(0), Milliseconds(1000), [this] { return pause(stores_.loop(0)); });
  }

  std::string look() override {
    const std::string_view value =
        is_v2_ ? "convert_from(value, 'UTF8')" : "convert_from(decode(value #>> '{}', 'base64'), 'UTF8')";
    return server_.value(
        fmt::format("WITH keys (place, key) AS (VALUES (1, '{}'), (2, '{}'), (3, '{}')) SELECT string_agg(coalesce({}, "
                    "'-') || '@' || (SELECT count(*) FROM writes w WHERE w.key = keys.key), ' ' ORDER BY place) || ' ' "
                    "|| (SELECT count(*) FROM state_holdfast_index) FROM keys LEFT JOIN state USING (key)",
                    kFirst, kSecond, kAbsent, value));
  }

  // A process of the server's ends once it has done what it had received of a connection that is lost. Only readings,
  // which change nothing, connect again by themselves.
  void settle() override {
    test::require_eventually("the end of lost connections at the server", [this] {
      return std::stoul(server_.value("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app'")) <=
             gate_.connections();
    });
  }

  test::TcpGate& gate_;
  Stores& stores_;
  test::PostgresqlServer& server_;
  const bool is_v2_;
  std::string etag_;
  std::string_view etag_view_;
};

class PostgresqlCuts : public testing::TestWithParam<Layout> {};

TEST_P(PostgresqlCuts, NoCallIsAppliedTwiceOrToldWrongly) {
  HOLDFAST_NEEDS_POSTGRESQL();
  test::PostgresqlServer server;
  test::TcpGate gate(server.port());
  // One connection, so that each call goes over it.
  const std::string through_gate =
      fmt::format("host=127.0.0.1 port={} user=app password=app-password dbname=app pool_max_conns=1", gate.port());
  Stores stores(
      core_of({{"connectionString", through_gate}, {"timeout", "10s"}, {"cleanupInterval", "0"}}, GetParam()));
  PostgresqlCutter cutter(gate, stores, server, GetParam());
  cutter.cut_everywhere(cutter.calls(), 101);
  gate.spare();
}

INSTANTIATE_TEST_SUITE_P(All, PostgresqlCuts, testing::Values(Layout::v1, Layout::v2),
                         [](const auto& info) { return info.param == Layout::v1 ? "v1" : "v2"; });

}  // namespace
}  // namespace holdfast::stores::postgresql
