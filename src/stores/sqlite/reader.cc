#include "stores/sqlite/reader.h"

#include <fmt/format.h>

namespace holdfast::stores::sqlite {

Result<Reader> Reader::open(std::shared_ptr<Database> database, const SqliteSettings& settings, std::mutex* shared) {
  Reader reader;
  reader.database_ = std::move(database);
  reader.settings_ = settings;
  reader.shared_ = shared;
  const Session session(reader);
  for (const auto& [statement, sql] : {std::pair{&reader.begin_, "BEGIN"}, std::pair{&reader.commit_, "COMMIT"}}) {
    auto prepared = reader.database_->prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  return reader;
}

Reader::Session::Session(Reader& reader) : reader_(reader) {
  if (reader_.shared_ != nullptr) lock_ = std::unique_lock(*reader_.shared_);
  // Asked every so many steps of SQLite's machine: some tens of microseconds.
  if (reader_.clock_ != nullptr)
    sqlite3_progress_handler(reader_.database_->handle(), 2000, &Session::is_over, &reader_);
}

Reader::Session::~Session() {
  if (reader_.clock_ != nullptr) sqlite3_progress_handler(reader_.database_->handle(), 0, nullptr, nullptr);
}

int Reader::Session::is_over(void* reader) {
  const auto* self = static_cast<Reader*>(reader);
  return self->clock_->steady() >= self->deadline_ ? 1 : 0;
}

Result<Statement*> Reader::cached(const std::string& sql) {
  const auto at = cached_.find(sql);
  if (at != cached_.end()) return &at->second;
  auto prepared = database_->prepare(sql);
  if (!prepared) return fail(std::move(prepared.error()));
  return &cached_.emplace(sql, std::move(*prepared)).first->second;
}

Result<Statement*> Reader::point_statement(RowShape shape) {
  Statement& statement = points_[shape.want_value][shape.want_fields];
  if (!statement) {
    const std::string side = settings_.side_table();
    auto prepared = database_->prepare(fmt::format("SELECT {} FROM {} WHERE s.key = ?1", select_columns(shape, side),
                                                   select_source(shape, settings_.table, side)));
    if (!prepared) return fail(std::move(prepared.error()));
    statement = std::move(*prepared);
  }
  return &statement;
}

Error Reader::read_error(int code) {
  was_busy_ = is_busy(code);
  return database_->error("read", code);
}

Reader::Found Reader::get(const state::GetRequest& request, WallTime now) {
  const Session session(*this);
  return get_locked(request, now);
}

Reader::Found Reader::get_locked(const state::GetRequest& request, WallTime now) {
  was_busy_ = false;
  const RowShape shape{request.want_value, request.want_fields};
  auto statement = point_statement(shape);
  if (!statement) return fail(std::move(statement.error()));
  const ResetAtExit reset(**statement);
  (*statement)->bind(1, request.key);
  const int code = (*statement)->step();
  if (code == SQLITE_DONE) return std::nullopt;
  if (code != SQLITE_ROW) return fail(read_error(code));
  return read_row(**statement, 0, shape, now);
}

std::vector<Reader::Found> Reader::get_many(std::span<const state::GetRequest> requests, WallTime now) {
  const Session session(*this);
  was_busy_ = false;
  std::vector<Found> found;
  found.reserve(requests.size());
  if (const int code = begin_.run(); code != SQLITE_OK) {
    const Error error = read_error(code);
    found.assign(requests.size(), std::unexpected(error));
    return found;
  }
  bool busy = false;
  for (const state::GetRequest& request : requests) {
    found.push_back(get_locked(request, now));
    busy = busy || was_busy_;
  }
  commit_.run();
  was_busy_ = busy;
  return found;
}

Status Reader::ping() {
  const Session session(*this);
  // A file that was deleted or replaced stays open here: writes would go to nobody's file.
  int has_moved = 0;
  sqlite3_file_control(database_->handle(), "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
  if (has_moved != 0)
    return fail(Errc::unavailable, fmt::format("component \"{}\" (state.sqlite): the file {} was moved, replaced or "
                                               "deleted while it was "
                                               "open. Put it back and restart.",
                                               database_->place().component, database_->place().file));
  auto statement = cached(fmt::format("SELECT 1 FROM \"{}\" LIMIT 1", settings_.table));
  if (!statement) return fail(std::move(statement.error()));
  const ResetAtExit reset(**statement);
  const int code = (*statement)->step();
  if (code != SQLITE_ROW && code != SQLITE_DONE) return fail(read_error(code));
  return {};
}

}  // namespace holdfast::stores::sqlite
