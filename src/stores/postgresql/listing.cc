// What visits many rows: listing by prefix, look-up by an index entry, keys by pattern, deletion by prefix. Keys are in
// bytewise order, which an index of ours has, and a page continues behind its last key.
#include <fmt/format.h>

#include "state/key_cursor.h"
#include "state/keys.h"
#include "stores/postgresql/conditions.h"
#include "stores/postgresql/store.h"

namespace holdfast::stores::postgresql {

using state::CallContext;

namespace {

// A page of values ends early, with a cursor, once they come to this.
constexpr std::size_t kPageBytesMax = std::size_t{32} << 20;
// So many values at a time, which bounds what a page of large ones may read too much.
constexpr std::uint32_t kValuesAtATime = 200;
constexpr std::int64_t kEraseChunk = 500;

// One row more than the page holds shows that there is a next page.
std::string limit_of(Conditions& conditions, std::uint32_t limit) {
  return limit == 0 ? std::string() : " LIMIT " + conditions.add(static_cast<std::int64_t>(limit) + 1);
}

}  // namespace

// Of the records that carry the entry, or of all without one.
Task<Result<state::ListPage>> PostgresqlStore::list_records(CallContext context, state::ListRequest request,
                                                            Statements::Shape shape, const state::FindRequest* entry) {
  if (!check_key(request.prefix)) co_return state::ListPage();
  const auto after = read_cursor(request.cursor);
  if (!after) co_return fail(after.error());
  const Dialect& d = statements_.dialect();
  const std::string_view key = entry == nullptr ? "t.key" : "i.key";
  Conditions conditions(d);
  std::string from = d.table + " t";
  std::string where;
  if (entry != nullptr) {
    from = fmt::format("{} i JOIN {} t ON t.key = (i.key{}) AND t.{} = i.etag", d.index, d.table, d.as_key, d.etag);
    where = fmt::format("i.name = {} AND i.value = {} AND ", conditions.add(entry->name), conditions.add(entry->value));
  }
  where += fmt::format("{} AND {} AND {} AND {}", conditions.begins_with(key, request.prefix),
                       conditions.comes_after(key, *after),
                       conditions.is_listable("t.key", request.own_bytes, request.hides_isolated), d.live());
  const std::string sql = fmt::format("SELECT t.key, {} FROM {} WHERE {} ORDER BY {}{}{}", statements_.columns(shape),
                                      from, where, key, d.bytewise, limit_of(conditions, request.limit));
  Execution list{&statements_.of(sql), {}};
  conditions.fill(list.values);
  auto rows = co_await ask(context, {&list, 1}, Kind::reading, "list records in");
  if (!rows) co_return fail(std::move(rows.error()));
  const Rows& found = rows->front();
  state::ListPage page;
  for (int row = 0; row < found.size(); ++row) {
    if (request.limit != 0 && page.items.size() >= request.limit) {
      page.cursor = state::cursor_after(page.items.back().key);
      break;
    }
    auto record = read_row(found, row, 1, shape, settings_.layout);
    if (!record) co_return fail(with_context(std::move(record.error()), found.text(row, 0)));
    page.items.push_back({std::string(found.text(row, 0)), std::move(*record)});
  }
  co_return page;
}

// A page of values comes in parts, so that large ones do not all have to be in memory.
Task<Result<state::ListPage>> PostgresqlStore::list_page(CallContext context, state::ListRequest request,
                                                         const state::FindRequest* entry) {
  const Statements::Shape shape{request.want_values, request.want_fields};
  if (!request.want_values || (request.limit != 0 && request.limit <= kValuesAtATime))
    co_return co_await list_records(context, request, shape, entry);
  state::ListPage page;
  std::size_t bytes = 0;
  std::string cursor(request.cursor);
  for (;;) {
    state::ListRequest part = request;
    part.cursor = cursor;
    part.limit = kValuesAtATime;
    if (request.limit != 0)
      part.limit = std::min<std::uint32_t>(part.limit, request.limit - static_cast<std::uint32_t>(page.items.size()));
    auto more = co_await list_records(context, part, shape, entry);
    if (!more) co_return more;
    for (state::ListedRecord& item : more->items) {
      bytes += item.record.value.size();
      page.items.push_back(std::move(item));
    }
    page.cursor = std::move(more->cursor);
    if (page.cursor.empty() || bytes >= kPageBytesMax || page.items.size() == request.limit) co_return page;
    cursor = page.cursor;
  }
}

Task<Result<state::ListPage>> PostgresqlStore::list(CallContext context, state::ListRequest request) {
  co_return co_await list_page(context, request, nullptr);
}

Task<Result<state::ListPage>> PostgresqlStore::find(CallContext context, state::FindRequest request) {
  if (!check_key(request.name) || !check_key(request.value)) co_return state::ListPage();
  co_return co_await list_page(context, request.of, &request);
}

Task<Result<state::KeyPage>> PostgresqlStore::keys_like(CallContext context, state::LikeRequest request) {
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  if (!check_key(request.pattern)) co_return state::KeyPage();
  const auto after = read_cursor(request.cursor);
  if (!after) co_return fail(after.error());
  // PostgreSQL refuses a pattern that ends with the escape; here such a backslash stands for itself.
  std::string pattern(request.pattern);
  const std::size_t other = pattern.find_last_not_of('\\');
  if ((pattern.size() - (other == std::string::npos ? 0 : other + 1)) % 2 == 1) pattern += '\\';
  const Dialect& d = statements_.dialect();
  Conditions conditions(d);
  const std::string sql = fmt::format(
      "SELECT t.key FROM {} t WHERE {} AND t.key LIKE {} ESCAPE '\\' AND {} AND {} AND {} ORDER BY "
      "t.key{}{}",
      d.table, conditions.begins_with("t.key", state::LikePattern(request.pattern).literal_prefix()),
      conditions.add(pattern), conditions.comes_after("t.key", *after),
      conditions.is_listable("t.key", request.own_bytes.value_or(state::kEveryKey), request.hides_isolated), d.live(),
      d.bytewise, limit_of(conditions, request.limit));
  Execution like{&statements_.of(sql), {}};
  conditions.fill(like.values);
  auto rows = co_await ask(context, {&like, 1}, Kind::reading, "list keys in");
  if (!rows) co_return fail(std::move(rows.error()));
  const Rows& found = rows->front();
  state::KeyPage page;
  for (int row = 0; row < found.size(); ++row) {
    if (request.limit != 0 && page.keys.size() >= request.limit) {
      page.cursor = state::cursor_after(page.keys.back());
      break;
    }
    page.keys.emplace_back(found.text(row, 0));
  }
  co_return page;
}

// In chunks, each its own transaction, so that other writes go on in between: not atomic as a whole.
Task<Result<std::uint64_t>> PostgresqlStore::erase_prefix(CallContext context, state::DeletePrefixRequest request) {
  std::uint64_t erased = 0;
  if (!check_key(request.prefix)) co_return erased;
  const Dialect& d = statements_.dialect();
  for (;;) {
    Conditions conditions(d);
    const std::string sql = fmt::format(
        "WITH gone AS (DELETE FROM {0} AS t WHERE t.key IN (SELECT t.key FROM {0} t WHERE {1} AND {2} ORDER BY "
        "t.key{5} "
        "LIMIT {3} FOR UPDATE) RETURNING {4} AS existed) SELECT count(*), count(*) FILTER (WHERE existed) FROM gone",
        d.table, conditions.begins_with("t.key", request.prefix),
        conditions.is_listable("t.key", request.own_bytes, request.hides_isolated), conditions.add(kEraseChunk),
        d.live(), d.bytewise);
    Execution chunk{&statements_.of(sql), {}};
    conditions.fill(chunk.values);
    auto rows = co_await ask(context, {&chunk, 1}, Kind::writing, "delete records in");
    if (!rows) co_return fail(std::move(rows.error()));
    erased += static_cast<std::uint64_t>(rows->front().integer(0, 1));
    if (rows->front().integer(0, 0) < kEraseChunk) co_return erased;
  }
}

}  // namespace holdfast::stores::postgresql
