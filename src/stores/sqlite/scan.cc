#include "stores/sqlite/scan.h"

#include <fmt/format.h>

#include <limits>

#include "state/key_cursor.h"
#include "state/keys.h"
#include "stores/sqlite/query_sql.h"

namespace holdfast::stores::sqlite {
namespace {

// A page ends early, with a cursor, once its values come to this.
constexpr std::size_t kPageBytesMax = 32u << 20;
constexpr const char* kPatternKind = "holdfast.like_pattern";

std::string_view text_of(sqlite3_value* value) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_value_text(value));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

void sql_listable(sqlite3_context* context, int, sqlite3_value** arguments) {
  const std::string_view key = text_of(arguments[0]);
  const auto own_bytes = static_cast<std::size_t>(sqlite3_value_int64(arguments[1]));
  const bool hides_isolated = sqlite3_value_int(arguments[2]) != 0;
  sqlite3_result_int(context, state::is_listable(key, own_bytes, hides_isolated) ? 1 : 0);
}

void sql_like(sqlite3_context* context, int, sqlite3_value** arguments) {
  const auto* pattern = static_cast<const state::LikePattern*>(sqlite3_value_pointer(arguments[1], kPatternKind));
  sqlite3_result_int(context, pattern != nullptr && pattern->matches(text_of(arguments[0])) ? 1 : 0);
}

// Keys from `from` (at least) to before `to`; nothing in `to`: to the end.
struct KeyRange {
  std::string from;
  std::optional<std::string> to;

  static KeyRange of_prefix(std::string_view prefix) {
    return {std::string(prefix), prefix.empty() ? std::nullopt : state::prefix_end(prefix)};
  }
  // No key lies between a key and the same key with a zero byte behind it.
  void start_after(std::string_view key) {
    std::string next(key);
    next += '\0';
    if (next > from) from = std::move(next);
  }
  Status start_after_cursor(std::string_view cursor) {
    const auto key = state::read_cursor(cursor);
    if (!key) return fail(key.error());
    if (*key) start_after(**key);
    return {};
  }
  // With ?1 and ?2. A bound that may be absent would keep SQLite from seeking, hence two texts.
  // `of` is the table whose key it is about.
  std::string sql(std::string_view of = "s") const {
    return to ? fmt::format("{0}.key >= ?1 AND {0}.key < ?2", of) : fmt::format("{}.key >= ?1", of);
  }
  void bind(Statement& statement) const {
    statement.bind(1, from);
    if (to) statement.bind(2, *to);
  }
};

std::unexpected<Error> scan_error(Reader& reader, int code) {
  return fail(reader.database().error("list records of", code));
}

}  // namespace

Status add_functions(Database& database) {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
  int code = sqlite3_create_function_v2(database.handle(), "hf_listable", 3, kFlags, nullptr, sql_listable, nullptr,
                                        nullptr, nullptr);
  if (code == SQLITE_OK)
    code = sqlite3_create_function_v2(database.handle(), "hf_like", 2, kFlags, nullptr, sql_like, nullptr, nullptr,
                                      nullptr);
  if (code != SQLITE_OK) return fail(database.error("configure", code));
  return {};
}

namespace {

struct IndexEntry {
  std::string_view name;
  std::string_view value;
};

// Of the records that carry the entry, or of all without one.
Result<state::ListPage> list(Reader& reader, const state::ListRequest& request, const IndexEntry* entry, WallTime now) {
  KeyRange range = KeyRange::of_prefix(request.prefix);
  if (auto begun = range.start_after_cursor(request.cursor); !begun) return fail(std::move(begun.error()));
  const Reader::Session session(reader);
  const RowShape shape{request.want_values, request.want_fields};
  const std::string side = reader.settings().side_table();
  const std::string source = select_source(shape, reader.settings().table, side);
  // CROSS JOIN, because SQLite then begins with the entries whatever it thinks it knows of the tables.
  auto statement = reader.cached(
      entry == nullptr
          ? fmt::format("SELECT s.key, {} FROM {} WHERE {} AND hf_listable(s.key, ?3, ?4) ORDER BY s.key",
                        select_columns(shape, side), source, range.sql())
          : fmt::format("SELECT s.key, {} FROM \"{}\" i CROSS JOIN {} WHERE i.name = ?5 AND i.value = ?6 AND {} AND "
                        "s.key = i.key AND s.etag = i.etag AND hf_listable(i.key, ?3, ?4) ORDER BY i.key",
                        select_columns(shape, side), reader.settings().index_table(), source, range.sql("i")));
  if (!statement) return fail(std::move(statement.error()));
  Statement& row = **statement;
  const ResetAtExit reset(row);
  range.bind(row);
  row.bind(3, static_cast<std::int64_t>(request.own_bytes));
  row.bind(4, std::int64_t{request.hides_isolated});
  if (entry != nullptr) {
    row.bind(5, entry->name);
    row.bind(6, entry->value);
  }
  const std::size_t limit = request.limit == 0 ? std::numeric_limits<std::size_t>::max() : request.limit;
  state::ListPage page;
  std::size_t bytes = 0;
  int code = SQLITE_ROW;
  while ((code = row.step()) == SQLITE_ROW) {
    auto record = read_row(row, 1, shape, now);
    if (!record) return fail(with_context(std::move(record.error()), row.text(0)));
    if (!*record) continue;
    // One row more than the page holds shows that there is a next page.
    if (page.items.size() >= limit || bytes >= kPageBytesMax) {
      page.cursor = state::cursor_after(page.items.back().key);
      return page;
    }
    bytes += (*record)->value.size();
    page.items.push_back({std::string(row.text(0)), std::move(**record)});
  }
  if (code != SQLITE_DONE) return scan_error(reader, code);
  return page;
}

}  // namespace

Result<state::ListPage> list(Reader& reader, const state::ListRequest& request, WallTime now) {
  return list(reader, request, nullptr, now);
}

Result<state::ListPage> find(Reader& reader, const state::FindRequest& request, WallTime now) {
  const IndexEntry entry{request.name, request.value};
  return list(reader, request.of, &entry, now);
}

Result<state::KeyPage> keys_like(Reader& reader, const state::LikeRequest& request, WallTime now) {
  if (request.pattern.empty()) return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  const state::LikePattern pattern(request.pattern);
  KeyRange range = KeyRange::of_prefix(pattern.literal_prefix());
  if (auto begun = range.start_after_cursor(request.cursor); !begun) return fail(std::move(begun.error()));
  const Reader::Session session(reader);
  const RowShape shape{false, false};
  const std::string side = reader.settings().side_table();
  auto statement =
      reader.cached(fmt::format("SELECT s.key, {} FROM {} WHERE {} AND hf_like(s.key, ?3){} ORDER BY s.key",
                                select_columns(shape, side), select_source(shape, reader.settings().table, side),
                                range.sql(), request.own_bytes ? " AND hf_listable(s.key, ?4, ?5)" : ""));
  if (!statement) return fail(std::move(statement.error()));
  Statement& row = **statement;
  const ResetAtExit reset(row);
  range.bind(row);
  row.bind_pointer(3, &pattern, kPatternKind);
  if (request.own_bytes) {
    row.bind(4, static_cast<std::int64_t>(*request.own_bytes));
    row.bind(5, std::int64_t{request.hides_isolated});
  }
  const std::size_t limit = request.limit == 0 ? std::numeric_limits<std::size_t>::max() : request.limit;
  state::KeyPage page;
  int code = SQLITE_ROW;
  while ((code = row.step()) == SQLITE_ROW) {
    auto record = read_row(row, 1, shape, now);
    if (!record) return fail(std::move(record.error()));
    if (!*record) continue;
    if (page.keys.size() >= limit) {
      page.cursor = state::cursor_after(page.keys.back());
      return page;
    }
    page.keys.emplace_back(row.text(0));
  }
  if (code != SQLITE_DONE) return scan_error(reader, code);
  return page;
}

Result<std::vector<std::string>> keys_under(Reader& reader, const state::DeletePrefixRequest& request,
                                            std::string_view after, std::size_t limit) {
  KeyRange range = KeyRange::of_prefix(request.prefix);
  if (!after.empty()) range.start_after(after);
  const Reader::Session session(reader);
  auto statement = reader.cached(
      fmt::format("SELECT s.key FROM \"{}\" s WHERE {} AND hf_listable(s.key, ?3, ?4) ORDER BY s.key LIMIT ?5",
                  reader.settings().table, range.sql()));
  if (!statement) return fail(std::move(statement.error()));
  Statement& row = **statement;
  const ResetAtExit reset(row);
  range.bind(row);
  row.bind(3, static_cast<std::int64_t>(request.own_bytes));
  row.bind(4, std::int64_t{request.hides_isolated});
  row.bind(5, static_cast<std::int64_t>(limit));
  std::vector<std::string> keys;
  int code = SQLITE_ROW;
  while ((code = row.step()) == SQLITE_ROW) keys.emplace_back(row.text(0));
  if (code != SQLITE_DONE) return scan_error(reader, code);
  return keys;
}

Result<state::QueryPage> query(Reader& reader, const state::Query& request, WallTime now) {
  const RowShape shape{true, request.want_fields};
  auto compiled = compile_query(request, reader.settings(), now);
  if (!compiled) return fail(std::move(compiled.error()));
  const Reader::Session session(reader);
  // Not kept: its text is as varied as the requests are.
  auto statement = reader.database().prepare(compiled->sql);
  if (!statement) return fail(std::move(statement.error()));
  compiled->bind(*statement);
  state::QueryPage page;
  int code = SQLITE_ROW;
  while ((code = statement->step()) == SQLITE_ROW) {
    if (request.limit > 0 && page.items.size() >= request.limit) {
      page.token = compiled->token.next(page.items.back().key, page.items.size());
      return page;
    }
    auto record = read_row(*statement, 1, shape, now);
    if (!record) return fail(std::move(record.error()));
    if (*record) page.items.push_back({std::string(statement->text(0)), std::move(**record)});
  }
  if (code != SQLITE_DONE) return fail(reader.database().error("query", code));
  return page;
}

}  // namespace holdfast::stores::sqlite
