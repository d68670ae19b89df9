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

Subject subject(std::string name, Layout layout, std::string column, std::string watch = "off") {
  Subject subject;
  subject.name = std::move(name);
  subject.column = std::move(column);
  subject.start = [layout, watch = std::move(watch)] {
    const std::string prefix = layout == Layout::v1 ? "v1_" : "v2_";
    const Fields fields{{"connectionString", server().connection_string()},
                        {"tablePrefix", prefix + watch + "_"},
                        {"watch", watch}};
    return std::make_shared<PostgresqlInstance>(fields, layout);
  };
  return subject;
}

HOLDFAST_CONFORMANCE(Postgresql, subject("v1", Layout::v1, "PostgreSQL v1"), subject("v2", Layout::v2, "PostgreSQL v2"),
                     subject("v1_logged", Layout::v1, "", "log"),
                     subject("v2_logged", Layout::v2, "PostgreSQL, `watch: log`", "log"));

}  // namespace
}  // namespace holdfast::conformance
