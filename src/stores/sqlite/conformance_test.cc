#include "conformance/conformance.h"

#include "stores/sqlite/testing.h"

namespace holdfast::conformance {
namespace {

// A file in a folder of its own.
class SqliteFile final : public Instance {
 public:
  explicit SqliteFile(const std::string& watch) {
    const stores::sqlite::Fields fields{{"connectionString", folder_.file("state.db")}, {"watch", watch}};
    auto core = stores::kSqliteType.prepare(stores::sqlite::component_of(fields), {.clock = clock_, .loops = 4});
    if (!core) throw std::runtime_error(core.error().message);
    core_ = std::move(*core);
  }
  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override { return loop.run(core_->open(loop)); }
  test::ManualClock* clock() override { return &clock_; }

 private:
  stores::sqlite::TempFolder folder_;
  test::ManualClock clock_;
  std::shared_ptr<state::StoreCore> core_;
};

Subject sqlite(const std::string& name, const std::string& watch) {
  Subject subject;
  subject.name = name;
  subject.start = [watch] { return std::make_shared<SqliteFile>(watch); };
  return subject;
}

HOLDFAST_CONFORMANCE(Sqlite, sqlite("sqlite", "off"), sqlite("logged", "log"));

}  // namespace
}  // namespace holdfast::conformance
