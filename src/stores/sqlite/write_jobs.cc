#include "stores/sqlite/write_jobs.h"

#include <sqlite3.h>

namespace holdfast::stores::sqlite {

int SetJob::apply(RecordWriter& records, std::size_t step) {
  const state::SetRequest& request = requests_[step];
  RecordWriter::Found& found = records.scratch();
  if (const int code = records.find(request.key, found); code != SQLITE_OK) return code;
  if (Status holds = RecordWriter::check(request.when, found); !holds) {
    outcomes_[step] = std::unexpected(std::move(holds.error()));
    return SQLITE_OK;
  }
  state::Written written;
  const int code = records.put(request, principal, found, written);
  if (code == SQLITE_OK) outcomes_[step] = std::move(written);
  return code;
}

int EraseJob::apply(RecordWriter& records, std::size_t step) {
  const state::DeleteRequest& request = requests_[step];
  RecordWriter::Found& found = records.scratch();
  if (const int code = records.find(request.key, found); code != SQLITE_OK) return code;
  if (Status holds = RecordWriter::check(request.when, found); !holds) {
    outcomes_[step] = std::unexpected(std::move(holds.error()));
    return SQLITE_OK;
  }
  const int code = records.remove(request.key, found);
  if (code == SQLITE_OK) outcomes_[step] = state::Deleted{.existed = found.is_live};
  return code;
}

int TransactJob::apply(RecordWriter& records, std::size_t) {
  bool holds = true;
  if (const int code = check_all(records, holds); code != SQLITE_OK || !holds) return code;
  std::vector<state::Written> all(operations_.size());
  for (std::size_t i = 0; i < operations_.size(); ++i)
    if (const int code = apply_one(records, operations_[i], all[i]); code != SQLITE_OK) return code;
  outcome = std::move(all);
  return SQLITE_OK;
}

int TransactJob::check_all(RecordWriter& records, bool& holds) {
  RecordWriter::Found& found = records.scratch();
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const auto [key, when] =
        std::visit([](const auto& each) { return std::pair(each.key, each.when); }, operations_[i]);
    if (when.kind == state::Precondition::Kind::any) continue;
    if (const int code = records.find(key, found); code != SQLITE_OK) return code;
    Status status = RecordWriter::check(when, found);
    if (status) continue;
    status.error().operation = static_cast<int>(i);
    outcome = std::unexpected(std::move(status.error()));
    holds = false;
    return SQLITE_OK;
  }
  return SQLITE_OK;
}

int TransactJob::apply_one(RecordWriter& records, const state::Operation& operation, state::Written& written) {
  RecordWriter::Found& found = records.scratch();
  if (const auto* set = std::get_if<state::SetRequest>(&operation)) {
    if (const int code = records.find(set->key, found); code != SQLITE_OK) return code;
    return records.put(*set, principal, found, written);
  }
  if (const auto* erase = std::get_if<state::DeleteRequest>(&operation)) {
    if (const int code = records.find(erase->key, found); code != SQLITE_OK) return code;
    return records.remove(erase->key, found);
  }
  return SQLITE_OK;
}

int EraseKeysJob::apply(RecordWriter& records, std::size_t) {
  RecordWriter::Found& found = records.scratch();
  std::uint64_t live = 0;
  for (const std::string& key : keys_) {
    if (const int code = records.find(key, found); code != SQLITE_OK) return code;
    if (const int code = records.remove(key, found); code != SQLITE_OK) return code;
    live += found.is_live ? 1 : 0;
  }
  outcome = live;
  return SQLITE_OK;
}

}  // namespace holdfast::stores::sqlite
