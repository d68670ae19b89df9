#include "stores/postgresql/writes.h"

namespace holdfast::stores::postgresql {

using Kind = state::Precondition::Kind;

namespace {

std::string_view key_of(const state::Operation& operation) {
  return std::visit([](const auto& request) { return request.key; }, operation);
}
const state::Precondition& condition_of(const state::Operation& operation) {
  return std::visit([](const auto& request) -> const state::Precondition& { return request.when; }, operation);
}

}  // namespace

Execution& Writes::execute(const Statement& statement, std::size_t operation) {
  owners_.push_back(operation);
  return executions_.emplace_back(Execution{&statement, {}});
}

void Writes::note_result(std::size_t operation) {
  if (results_.size() <= operation) results_.resize(operation + 1, kNone);
  results_[operation] = executions_.size() - 1;
}

const Rows* Writes::result_of(std::size_t operation, const std::vector<Rows>& rows) const {
  const std::size_t at = operation < results_.size() ? results_[operation] : kNone;
  return at < rows.size() ? &rows[at] : nullptr;
}

Result<std::span<const std::string>> Writes::etags(const state::Precondition& when) {
  if (when.kind != Kind::one_of) return std::span<const std::string>();
  auto read = etags_of(when, layout_);
  if (!read) return fail(std::move(read.error()));
  return std::span<const std::string>(etags_.emplace_back(std::move(*read)));
}

void Writes::add_synchronous_commit(std::string_view level) {
  execute(statements_.set_synchronous_commit(), 0).values.text(level);
}

Status Writes::add(const state::SetRequest& request, Guard guard, std::size_t operation) {
  if (auto key = check_key(request.key); !key) return key;
  if (auto sizes = check_sizes(request, layout_); !sizes) return sizes;
  const auto wanted = etags(request.when);
  if (!wanted) return fail(wanted.error());
  SetParts& parts = parts_.emplace_back();
  set_values(execute(statements_.set(request.when.kind, guard), operation).values, request, principal_, *wanted,
             statements_.dialect(), parts);
  note_result(operation);
  if (parts_of_.size() <= operation) parts_of_.resize(operation + 1);
  parts_of_[operation] = &parts;
  if (!request.indexes.empty()) add_entries(request, parts, operation);
  return {};
}

// Entries of an earlier write that has others are passed over by their etag.
void Writes::add_entries(const state::SetRequest& request, const SetParts& parts, std::size_t operation) {
  execute(statements_.forget_entries(), operation).values.text(request.key);
  std::vector<std::string_view> names;
  std::vector<std::string_view> texts;
  for (const auto& [name, value] : request.indexes) {
    names.push_back(name);
    texts.push_back(value);
  }
  Values& values = execute(statements_.add_entries(), operation).values;
  values.text(request.key).list(names).list(texts);
  if (layout_ == Layout::v2) values.text(parts.etag);
}

Status Writes::add(const state::DeleteRequest& request, Guard guard, std::size_t operation) {
  if (auto key = check_key(request.key); !key) return key;
  const auto wanted = etags(request.when);
  if (!wanted) return fail(wanted.error());
  Values& values = execute(statements_.erase(request.when.kind, guard), operation).values;
  values.text(request.key);
  if (request.when.kind == Kind::one_of) values.list(*wanted);
  note_result(operation);
  return {};
}

Status Writes::add_condition(std::string_view key, const state::Precondition& when, std::size_t operation) {
  if (auto checked = check_key(key); !checked) return checked;
  if (when.kind == Kind::any) return {};
  if (when.kind == Kind::absent) {
    execute(statements_.hold(), operation).values.text(key);
    return {};
  }
  const auto wanted = etags(when);
  if (!wanted) return fail(wanted.error());
  Values& values = execute(statements_.check(when.kind), operation).values;
  values.text(key);
  if (when.kind == Kind::one_of) values.list(*wanted);
  return {};
}

// Key by key in bytewise order, which is the order of locks. An operation that has its key to itself judges and writes
// in one; else the conditions of a key come first, because they are about the state before the transaction.
Status Writes::add(std::span<const state::Operation> operations) {
  const std::vector<std::size_t> order = key_order(operations, key_of);
  for (std::size_t begin = 0; begin < order.size();) {
    const std::string_view key = key_of(operations[order[begin]]);
    std::size_t end = begin;
    while (end < order.size() && key_of(operations[order[end]]) == key) ++end;
    const state::Operation& only = operations[order[begin]];
    const auto* const set = std::get_if<state::SetRequest>(&only);
    const auto* const erase = std::get_if<state::DeleteRequest>(&only);
    const bool judges_itself =
        end - begin == 1 && (set != nullptr || (erase != nullptr && erase->when.kind != Kind::absent));
    bool holds = false;
    for (std::size_t i = begin; i < end && !judges_itself; ++i) {
      const state::Precondition& when = condition_of(operations[order[i]]);
      holds = holds || when.kind == Kind::absent;
      if (auto added = add_condition(key, when, order[i]); !added) {
        added.error().operation = static_cast<int>(order[i]);
        return added;
      }
    }
    // Where there is no row a deletion would lock nothing, and somebody could make it before this transaction shows.
    if (erase != nullptr && erase->when.kind == Kind::any && operations.size() > 1)
      execute(statements_.lock(), order[begin]).values.text(key);
    for (std::size_t i = begin; i < end; ++i) {
      Status added;
      if (const auto* write = std::get_if<state::SetRequest>(&operations[order[i]])) {
        state::SetRequest request = *write;
        const Guard guard = judges_itself && request.when.kind != Kind::any ? Guard::fails : Guard::none;
        if (!judges_itself) request.when = state::Precondition::any();
        added = add(request, guard, order[i]);
      } else if (const auto* removal = std::get_if<state::DeleteRequest>(&operations[order[i]])) {
        state::DeleteRequest request = *removal;
        const Guard guard = judges_itself && request.when.kind != Kind::any ? Guard::fails : Guard::none;
        if (!judges_itself) request.when = state::Precondition::any();
        added = add(request, guard, order[i]);
      }
      if (!added) {
        added.error().operation = static_cast<int>(order[i]);
        return added;
      }
    }
    if (holds) execute(statements_.let_go(), order[begin]).values.text(key);
    begin = end;
  }
  return {};
}

}  // namespace holdfast::stores::postgresql
