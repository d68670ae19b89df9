// What visits many rows: listing by prefix, look-up by an index entry, keys by pattern, deletion by prefix. Keys are in
// bytewise order, which an index of ours has, and a page continues behind its last key.
#include <fmt/format.h>

#include <deque>
#include <optional>

#include "base/encoding.h"
#include "state/keys.h"
#include "stores/postgresql/store.h"

namespace holdfast::stores::postgresql {

using state::CallContext;

namespace {

// A page of values ends early, with a cursor, once they come to this.
constexpr std::int64_t kPageBytesMax = std::int64_t{32} << 20;
constexpr std::int64_t kEraseChunk = 500;

// "k" and the last key of the page; the letter tells the empty key from no cursor.
std::string cursor_after(std::string_view key) { return "k" + base64url_encode(key); }

// Empty: from the start.
Result<std::optional<std::string>> read_cursor(std::string_view cursor) {
  if (cursor.empty()) return std::nullopt;
  auto key = cursor.starts_with('k') ? base64url_decode(cursor.substr(1)) : std::nullopt;
  if (!key || !check_key(*key)) return fail(Errc::invalid_argument, "the cursor is not one of this store's");
  return std::move(*key);
}

// Parameters as they come.
class Conditions {
 public:
  std::string add(std::string_view text) {
    texts_.emplace_back(text);
    return number("text");
  }
  std::string add(std::int64_t integer) {
    texts_.push_back(std::to_string(integer));
    return number("bigint");
  }
  // Keys that begin with `prefix`, of the row that `key` is of.
  std::string range(std::string_view key, std::string_view prefix) {
    std::string sql = fmt::format("{} COLLATE \"C\" >= {}", key, add(prefix));
    if (const auto end = end_of(prefix)) sql += fmt::format(" AND {} COLLATE \"C\" < {}", key, add(*end));
    return sql;
  }
  std::string after(std::string_view key, const std::optional<std::string>& cursor) {
    return cursor ? fmt::format(" AND {} COLLATE \"C\" > {}", key, add(*cursor)) : "";
  }
  // state::is_listable(), in bytes.
  std::string listable(std::string_view key, std::size_t own_bytes, bool hides_isolated) {
    if (own_bytes == state::kEveryKey) return "";
    const std::string at = add(static_cast<std::int64_t>(own_bytes));
    const std::string rest = fmt::format("substr(convert_to({}, 'UTF8'), {}::int + 1)", key, at);
    std::string sql = fmt::format(
        " AND octet_length({0}) >= {1} AND position('\\x7c7c'::bytea in {2}) = 0 AND substr({2}, 1, 7) <> "
        "'\\x6f7574626f782d'::bytea",
        key, at, rest);
    if (hides_isolated) sql += fmt::format(" AND substr({}, 1, 11) <> '\\x69736f6c6174696f6e3a3a'::bytea", rest);
    return sql;
  }
  void fill(Values& values) const {
    for (std::size_t i = 0; i < texts_.size(); ++i) values.text(texts_[i]);
  }

 private:
  std::string number(std::string_view type) const {
    return type == "text" ? fmt::format("${}::text", texts_.size()) : fmt::format("${}::text::{}", texts_.size(), type);
  }
  // As state::prefix_end(), but of text: characters are in the order of their bytes.
  static std::optional<std::string> end_of(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty()) {
      if (auto next = state::prefix_end(end); next && check_key(*next)) return next;
      // The last character has no next one with as many bytes: what begins with the one before ends later, which the
      // condition on the prefix itself makes up for.
      do end.pop_back();
      while (!end.empty() && (static_cast<unsigned char>(end.back()) & 0xc0) == 0x80);
    }
    return std::nullopt;
  }

  std::deque<std::string> texts_;
};

constexpr std::string_view kPrefixExactly = " AND starts_with({}, {})";

}  // namespace

// Of the records that carry the entry, or of all without one.
Task<Result<state::ListPage>> PostgresqlStore::list_records(CallContext context, state::ListRequest request,
                                                            const state::FindRequest* entry) {
  if (!check_key(request.prefix)) co_return state::ListPage();
  const auto after = read_cursor(request.cursor);
  if (!after) co_return fail(after.error());
  const Dialect& d = statements_.dialect();
  const Statements::Shape shape{request.want_values, request.want_fields};
  const std::string_view key = entry == nullptr ? "t.key" : "i.key";
  Conditions query;
  std::string from = d.table + " t";
  std::string where;
  if (entry != nullptr) {
    from = fmt::format("{} i JOIN {} t ON t.key = (i.key COLLATE \"default\") AND t.{} = i.etag", d.index, d.table,
                       d.etag);
    where = fmt::format("i.name = {} AND i.value = {} AND ", query.add(entry->name), query.add(entry->value));
  }
  where += query.range(key, request.prefix) + fmt::format(kPrefixExactly, key, query.add(request.prefix)) +
           query.after(key, *after) + query.listable("t.key", request.own_bytes, request.hides_isolated) + " AND " +
           d.live();
  std::string sql = fmt::format("SELECT t.key, {} FROM {} WHERE {} ORDER BY {} COLLATE \"C\"",
                                statements_.columns(shape), from, where, key);
  // One row more than the page holds shows that there is a next page.
  if (request.limit != 0) sql += " LIMIT " + query.add(static_cast<std::int64_t>(request.limit) + 1);
  Execution list{&statements_.of(sql), {}};
  query.fill(list.values);
  auto rows = co_await ask(context, {&list, 1}, Kind::reading, "list records in");
  if (!rows) co_return fail(std::move(rows.error()));
  const Rows& found = rows->front();
  state::ListPage page;
  std::int64_t bytes = 0;
  for (int row = 0; row < found.size(); ++row) {
    if ((request.limit != 0 && page.items.size() >= request.limit) || bytes >= kPageBytesMax) {
      page.cursor = cursor_after(page.items.back().key);
      break;
    }
    auto record = read_row(found, row, 1, shape, settings_.layout);
    if (!record) co_return fail(with_context(std::move(record.error()), found.text(row, 0)));
    bytes += static_cast<std::int64_t>(record->value.size());
    page.items.push_back({std::string(found.text(row, 0)), std::move(*record)});
  }
  co_return page;
}

Task<Result<state::ListPage>> PostgresqlStore::list(CallContext context, state::ListRequest request) {
  co_return co_await list_records(context, request, nullptr);
}

Task<Result<state::ListPage>> PostgresqlStore::find(CallContext context, state::FindRequest request) {
  if (!check_key(request.name) || !check_key(request.value)) co_return state::ListPage();
  co_return co_await list_records(context, request.of, &request);
}

Task<Result<state::KeyPage>> PostgresqlStore::keys_like(CallContext context, state::LikeRequest request) {
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  if (!check_key(request.pattern)) co_return state::KeyPage();
  const auto after = read_cursor(request.cursor);
  if (!after) co_return fail(after.error());
  const Dialect& d = statements_.dialect();
  // PostgreSQL refuses a pattern that ends with the escape; here such a backslash stands for itself.
  std::string pattern(request.pattern);
  const std::size_t other = pattern.find_last_not_of('\\');
  if ((pattern.size() - (other == std::string::npos ? 0 : other + 1)) % 2 == 1) pattern += '\\';
  std::string prefix = state::LikePattern(request.pattern).literal_prefix();
  // A pattern may part a character's bytes nowhere, but a cut may.
  if (!check_key(prefix)) prefix.clear();
  Conditions query;
  std::string sql =
      fmt::format("SELECT t.key FROM {} t WHERE {} AND t.key LIKE {} ESCAPE '\\'{} AND {}", d.table,
                  query.range("t.key", prefix), query.add(pattern), query.after("t.key", *after), d.live());
  if (request.own_bytes) sql += query.listable("t.key", *request.own_bytes, request.hides_isolated);
  sql += " ORDER BY t.key COLLATE \"C\"";
  if (request.limit != 0) sql += " LIMIT " + query.add(static_cast<std::int64_t>(request.limit) + 1);
  Execution like{&statements_.of(sql), {}};
  query.fill(like.values);
  auto rows = co_await ask(context, {&like, 1}, Kind::reading, "list keys in");
  if (!rows) co_return fail(std::move(rows.error()));
  const Rows& found = rows->front();
  state::KeyPage page;
  for (int row = 0; row < found.size(); ++row) {
    if (request.limit != 0 && page.keys.size() >= request.limit) {
      page.cursor = cursor_after(page.keys.back());
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
    Conditions query;
    const std::string where = query.range("t.key", request.prefix) +
                              fmt::format(kPrefixExactly, "t.key", query.add(request.prefix)) +
                              query.listable("t.key", request.own_bytes, request.hides_isolated);
    Execution chunk{&statements_.of(fmt::format(
                        "WITH gone AS (DELETE FROM {0} AS t WHERE t.key IN (SELECT t.key FROM {0} t WHERE {1} ORDER BY "
                        "t.key COLLATE \"C\" LIMIT {2} FOR UPDATE) RETURNING {3} AS existed) SELECT count(*), "
                        "count(*) FILTER (WHERE existed) FROM gone",
                        d.table, where, query.add(kEraseChunk), d.live())),
                    {}};
    query.fill(chunk.values);
    auto rows = co_await ask(context, {&chunk, 1}, Kind::writing, "delete records in");
    if (!rows) co_return fail(std::move(rows.error()));
    erased += static_cast<std::uint64_t>(rows->front().integer(0, 1));
    if (rows->front().integer(0, 0) < kEraseChunk) co_return erased;
  }
}

}  // namespace holdfast::stores::postgresql
