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
  return executions_.emplace_back(Execution{&statement, {}, operation});
}

Writes::Operation& Writes::note_result(std::size_t operation) {
  if (operations_.size() <= operation) operations_.resize(operation + 1);
  operations_[operation].execution = executions_.size() - 1;
  return operations_[operation];
}

const Rows* Writes::result_of(std::size_t operation, const std::vector<Rows>& rows) const {
  const std::size_t at = operation < operations_.size() ? operations_[operation].execution : kNone;
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
  note_result(operation).parts = &parts;
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

// Key by key in bytewise order, which is the order of locks.
Status Writes::add(std::span<const state::Operation> operations) {
  const std::vector<std::size_t> order = key_order(operations, key_of);
  for (auto rest = std::span(order); !rest.empty();) {
    const std::string_view key = key_of(operations[rest.front()]);
    const auto end = std::ranges::find_if(rest, [&](std::size_t at) { return key_of(operations[at]) != key; });
    const auto same = rest.first(static_cast<std::size_t>(end - rest.begin()));
    if (auto added = add_of_key(operations, same); !added) return added;
    rest = rest.subspan(same.size());
  }
  return {};
}

namespace {

Status named_after(Status status, std::size_t operation) {
  if (!status) status.error().operation = static_cast<int>(operation);
  return status;
}

}  // namespace

// An operation that has its key to itself judges and writes in one; else the conditions of the key come first, because
// they are about the state before the transaction.
Status Writes::add_of_key(std::span<const state::Operation> operations, std::span<const std::size_t> places) {
  const state::Operation& first = operations[places.front()];
  const std::string_view key = key_of(first);
  const bool deletes_first = std::holds_alternative<state::DeleteRequest>(first);
  const bool judges_itself = places.size() == 1 && (std::holds_alternative<state::SetRequest>(first) ||
                                                    (deletes_first && condition_of(first).kind != Kind::absent));
  if (!judges_itself)
    for (const std::size_t at : places)
      if (auto added = add_condition(key, condition_of(operations[at]), at); !added) return named_after(added, at);
  // Where there is no row a deletion would lock nothing, and somebody could make it before this transaction shows.
  if (deletes_first && condition_of(first).kind == Kind::any && operations.size() > 1)
    execute(statements_.lock(), places.front()).values.text(key);
  for (const std::size_t at : places) {
    const auto add_write = [&](auto request) -> Status {
      if constexpr (std::is_same_v<decltype(request), state::CheckRequest>) {
        return {};
      } else {
        const Guard guard = judges_itself && request.when.kind != Kind::any ? Guard::fails : Guard::none;
        if (!judges_itself) request.when = state::Precondition::any();
        return add(request, guard, at);
      }
    };
    if (auto added = std::visit(add_write, operations[at]); !added) return named_after(added, at);
  }
  const bool held = !judges_itself && std::ranges::any_of(places, [&](std::size_t at) {
    return condition_of(operations[at]).kind == Kind::absent;
  });
  if (held) execute(statements_.let_go(), places.front()).values.text(key);
  return {};
}

}  // namespace holdfast::stores::postgresql
