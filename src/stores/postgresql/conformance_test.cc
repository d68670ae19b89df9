#include "conformance/conformance.h"

#include <deque>
#include <mutex>

#include "stores/postgresql/store_testing.h"
#include "support/postgresql_servers.h"

namespace holdfast::conformance {
namespace {

using stores::postgresql::Fields;
using stores::postgresql::Layout;

// Handles on one database, which serves all cases: each keeps to keys of its own.
class PostgresqlInstance final : public Instance {
 public:
  PostgresqlInstance(const Fields& fields, Layout layout) : core_(stores::postgresql::core_of(fields, layout)) {}

  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override {
    test::LoopThread* thread = nullptr;
    {
      const std::lock_guard lock(mutex_);
      thread = &threads_.emplace_back();
    }
    return test::LoopStore::open(core_, *thread, loop);
  }

 private:
  const std::shared_ptr<state::StoreCore> core_;
  std::mutex mutex_;
  std::deque<test::LoopThread> threads_;
};

test::PostgresqlServer& server() {
  static test::PostgresqlServer made;
  return made;
}

// A primary and two standbys, of which it waits for one.
test::PostgresqlGroup& group() {
  static test::PostgresqlGroup made(2, "FIRST 1 (s1, s2)");
  return made;
}

std::string connection_string_of(test::PostgresqlGroup& group) {
  return "host=127.0.0.1,127.0.0.1,127.0.0.1 port=" + std::to_string(group.primary().port()) + "," +
         std::to_string(group.standby(0).port()) + "," + std::to_string(group.standby(1).port()) +
         " user=" + test::PostgresqlServer::kUser + " password=" + test::PostgresqlServer::kPassword +
         " dbname=" + test::PostgresqlServer::kDatabase;
}

enum class Servers : bool { one, group };

// Each with tables of its own.
Subject subject(const std::string& name, Layout layout, Servers servers, const std::string& watch,
                const std::string& column) {
  Subject subject;
  subject.name = name;
  subject.column = column;
  subject.start = [=] {
    const std::string connection =
        servers == Servers::one ? server().connection_string() : connection_string_of(group());
    return std::make_shared<PostgresqlInstance>(
        Fields{{"connectionString", connection}, {"tablePrefix", name + "_"}, {"watch", watch}}, layout);
  };
  return subject;
}

HOLDFAST_CONFORMANCE(Postgresql, subject("v1", Layout::v1, Servers::one, "off", "PostgreSQL v1"),
                     subject("v2", Layout::v2, Servers::one, "off", "PostgreSQL v2"),
                     subject("v1_logged", Layout::v1, Servers::one, "log", ""),
                     subject("v2_logged", Layout::v2, Servers::one, "log", "PostgreSQL v2, `watch: log`"),
                     subject("v1_standbys", Layout::v1, Servers::group, "off", ""),
                     subject("v2_standbys", Layout::v2, Servers::group, "off", "PostgreSQL v2, standbys"));

}  // namespace
}  // namespace holdfast::conformance
