#include "conformance/conformance.h"

#include "conformance/loop_instance.h"
#include "stores/postgresql/store_testing.h"
#include "support/postgresql_servers.h"

namespace holdfast::conformance {
namespace {

using stores::postgresql::Fields;
using stores::postgresql::Layout;

// Logging in with a password, which takes its time on purpose, is for other tests.
test::PostgresqlOptions options() { return {.access = {"host app app 127.0.0.1/32 trust"}}; }

test::PostgresqlServer& server() {
  static test::PostgresqlServer made(options());
  static const bool kPrepared = [] {
    made.must(
        "CREATE SEQUENCE rowids; CREATE FUNCTION unique_rowid() RETURNS bigint SECURITY DEFINER LANGUAGE sql AS "
        "'SELECT nextval(''rowids'')'");
    return true;
  }();
  static_cast<void>(kPrepared);
  return made;
}

// A primary and two standbys, of which it waits for one.
test::PostgresqlGroup& group() {
  static test::PostgresqlGroup made(2, "FIRST 1 (s1, s2)", options());
  return made;
}

std::string connection_string_of(test::PostgresqlGroup& group) {
  return "host=127.0.0.1,127.0.0.1,127.0.0.1 port=" + std::to_string(group.primary().port()) + "," +
         std::to_string(group.standby(0).port()) + "," + std::to_string(group.standby(1).port()) +
         " user=" + test::PostgresqlServer::kUser + " password=" + test::PostgresqlServer::kPassword +
         " dbname=" + test::PostgresqlServer::kDatabase;
}

enum class Servers : bool { one, group };

// Each with tables of its own. The types of other engines run on PostgreSQL too, which understands all that they say
// but one function.
Subject subject(const std::string& name, const state::StoreType& type, Servers servers, const std::string& watch,
                const std::string& column) {
  Subject subject;
  subject.name = name;
  subject.column = column;
  // One component for all cases, on servers that the first of them starts.
  subject.start = [=, &type, core = std::shared_ptr<state::StoreCore>()]() mutable {
    if (core == nullptr) {
      const std::string connection =
          servers == Servers::one ? server().connection_string() : connection_string_of(group());
      core = stores::postgresql::core_of(
          {{"connectionString", connection}, {"tablePrefix", name + "_"}, {"watch", watch}}, type);
    }
    return std::make_shared<LoopInstance>(core);
  };
  return subject;
}

using stores::kCockroachdbV1Type;
using stores::kCockroachdbV2Type;
using stores::kPostgresqlV1Type;
using stores::kPostgresqlV2Type;

HOLDFAST_CONFORMANCE(Postgresql, subject("v1", kPostgresqlV1Type, Servers::one, "off", "PostgreSQL v1"),
                     subject("v2", kPostgresqlV2Type, Servers::one, "off", "PostgreSQL v2"),
                     subject("v1_logged", kPostgresqlV1Type, Servers::one, "log", ""),
                     subject("v2_logged", kPostgresqlV2Type, Servers::one, "log", "PostgreSQL v2, `watch: log`"),
                     subject("v1_standbys", kPostgresqlV1Type, Servers::group, "off", ""),
                     subject("v2_standbys", kPostgresqlV2Type, Servers::group, "off", "PostgreSQL v2, standbys"),
                     subject("cockroachdb_v1", kCockroachdbV1Type, Servers::one, "off", ""),
                     subject("cockroachdb_v2", kCockroachdbV2Type, Servers::one, "off", ""));

}  // namespace
}  // namespace holdfast::conformance
