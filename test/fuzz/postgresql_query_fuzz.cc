// Whatever a query asks for, its SQL has nothing of it but parameters, each of which is there.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/number.h"
#include "require.h"
#include "state/query.h"
#include "stores/postgresql/levels.h"
#include "stores/postgresql/query_sql.h"

namespace postgresql = holdfast::stores::postgresql;
namespace state = holdfast::state;

namespace {

// What a request may say and no statement does.
constexpr std::string_view kMark = "qqq";

const postgresql::Statements& statements() {
  static const postgresql::Statements made([] {
    postgresql::PostgresqlSettings settings;
    settings.table.table = "state";
    settings.metadata_table.table = "dapr_metadata";
    return settings;
  }());
  return made;
}

void check(const postgresql::CompiledQuery& compiled) {
  const std::string& sql = compiled.statement.sql;
  FUZZ_REQUIRE(!sql.contains(kMark));
  FUZZ_REQUIRE(std::ranges::all_of(sql, [](unsigned char c) { return c >= 0x20 && c < 0x7f; }));
  postgresql::Values values;
  compiled.conditions.fill(values);
  for (std::size_t at = sql.find('$'); at != std::string::npos; at = sql.find('$', at + 1)) {
    std::size_t end = at + 1;
    while (end < sql.size() && std::isdigit(static_cast<unsigned char>(sql[end]))) ++end;
    int number = 0;
    FUZZ_REQUIRE(holdfast::read_number(std::string_view(sql).substr(at + 1, end - at - 1), number));
    FUZZ_REQUIRE(number >= 1 && number <= values.count());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto standbys = postgresql::SynchronousStandbys::parse(text);
  FUZZ_REQUIRE(standbys.listed <= size);
  auto query = state::parse_query(text);
  if (!query) return 0;
  for (auto* part : {&query->key_prefix, &query->index}) part->append(kMark);
  for (state::Filter& filter : query->filter) filter.path.append(kMark);
  for (state::Sort& sort : query->sort) sort.path.append(kMark);
  const auto compiled = postgresql::compile_query(*query, statements());
  if (!compiled)
    FUZZ_REQUIRE(compiled.error().code == holdfast::Errc::invalid_argument);
  else
    check(*compiled);
  return 0;
}
