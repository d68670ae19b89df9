#include "conformance/conformance.h"

#include "stores/sqlite/testing.h"

namespace holdfast::conformance {
namespace {

// A file in a folder of its own.
class SqliteFile final : public Instance {
 public:
  explicit SqliteFile(std::string watch) : watch_(std::move(watch)) { prepare(); }
  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override { return loop.run(core_->open(loop)); }
  bool restart() override {
    core_.reset();
    prepare();
    return true;
  }
  test::ManualClock* clock() override { return &clock_; }

 private:
  void prepare() {
    const stores::sqlite::Fields fields{{"connectionString", folder_.file("state.db")}, {"watch", watch_}};
    auto core = stores::kSqliteType.prepare(stores::sqlite::component_of(fields), {.clock = clock_, .loops = 4});
    if (!core) throw std::runtime_error(core.error().message);
    core_ = std::move(*core);
  }

  const std::string watch_;
  stores::sqlite::TempFolder folder_;
  test::ManualClock clock_;
  std::shared_ptr<state::StoreCore> core_;
};

Subject sqlite(const std::string& name, const std::string& watch, const std::string& column) {
  Subject subject;
  subject.name = name;
  subject.column = column;
  subject.start = [watch] { return std::make_shared<SqliteFile>(watch); };
  return subject;
}

HOLDFAST_CONFORMANCE(Sqlite, sqlite("sqlite", "off", "SQLite"), sqlite("logged", "log", "SQLite, `watch: log`"));

}  // namespace
}  // namespace holdfast::conformance
