// Queries by value. jsonb is asked in SQL; of version v2, whose values are bytes, each record under the prefix is
// looked at, because PostgreSQL before 16 cannot be asked whether some bytes are JSON; nor can CockroachDB put JSON in
// order.
#include "state/keys.h"
#include "state/selection.h"
#include "stores/postgresql/query_sql.h"
#include "stores/postgresql/store.h"

namespace holdfast::stores::postgresql {

using state::CallContext;

namespace {
constexpr std::uint32_t kLookedAtATime = 500;
}

Task<Result<state::QueryPage>> PostgresqlStore::query(CallContext context, const state::Query& query) {
  if (!check_key(query.key_prefix)) co_return state::QueryPage();
  if (settings_.layout == Layout::v2 || !statements_.dialect().compares_jsonb)
    co_return co_await look_through(context, query);
  const auto compiled = compile_query(query, statements_);
  if (!compiled) co_return fail(compiled.error());
  Execution execution{&compiled->statement, {}};
  compiled->conditions.fill(execution.values);
  auto rows = co_await ask(context, {&execution, 1}, Kind::reading, "query");
  if (!rows) co_return fail(std::move(rows.error()));
  const Rows& found = rows->front();
  const Statements::Shape shape{.want_value = true, .want_fields = query.want_fields};
  state::QueryPage page;
  for (int row = 0; row < found.size(); ++row) {
    if (query.limit != 0 && page.items.size() >= query.limit) {
      page.token = compiled->token.next(page.items.back().key, page.items.size());
      break;
    }
    auto record = read_row(found, row, 1, shape, settings_.layout);
    if (!record) co_return fail(std::move(record.error()));
    page.items.push_back({std::string(found.text(row, 0)), std::move(*record)});
  }
  co_return page;
}

Task<Result<state::QueryPage>> PostgresqlStore::look_through(CallContext context, const state::Query& query) {
  auto selection = state::Selection::begin(query);
  if (!selection) co_return fail(std::move(selection.error()));
  state::ListRequest request;
  request.prefix = query.key_prefix;
  request.own_bytes = query.own_bytes.value_or(state::kEveryKey);
  request.hides_isolated = query.hides_isolated;
  request.limit = kLookedAtATime;
  // What Dapr wrote may be JSON as well.
  const Statements::Shape shape{.want_value = true, .want_fields = query.want_fields, .daprs_may_be_json = true};
  for (std::string cursor;;) {
    if (auto may = may_begin(context, Kind::reading); !may) co_return fail(std::move(may.error()));
    request.cursor = cursor;
    auto page = co_await list_records(context, request, shape, nullptr);
    if (!page) co_return fail(std::move(page.error()));
    for (state::ListedRecord& item : page->items) selection->offer(std::move(item));
    if (page->cursor.empty() || selection->is_full()) break;
    cursor = std::move(page->cursor);
  }
  co_return std::move(*selection).finish();
}

}  // namespace holdfast::stores::postgresql
