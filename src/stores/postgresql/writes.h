// The writes of one transaction as executions of statements. What they refer to, the requests, lives until it was sent.
#pragma once

#include <algorithm>
#include <cstddef>
#include <list>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/store.h"
#include "stores/postgresql/mapping.h"
#include "stores/postgresql/statements.h"

namespace holdfast::stores::postgresql {

// The places of requests in the bytewise order of their keys, and of one key in their own: two that write the same
// records then wait for each other rather than deadlock.
template <class Requests, class KeyOf>
std::vector<std::size_t> key_order(const Requests& requests, KeyOf key_of) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const int compared = key_of(requests[a]).compare(key_of(requests[b]));
    return compared < 0 || (compared == 0 && a < b);
  });
  return order;
}

// Whether a condition that does not hold leaves the other writes of its transaction alone.
inline bool spoils_nothing(const state::SetRequest& request) {
  return request.indexes.empty() || request.when.kind == state::Precondition::Kind::any;
}
inline bool spoils_nothing(const state::DeleteRequest& request) {
  return request.when.kind != state::Precondition::Kind::absent;
}

class Writes {
 public:
  using Guard = Statements::Guard;

  Writes(Statements& statements, Layout layout, std::string_view principal)
      : statements_(statements), layout_(layout), principal_(principal) {}

  // `operation` is what the error of a guard names. Without a guard a condition that does not hold leaves no row, and
  // index entries go with a guard, or without a condition, only.
  Status add(const state::SetRequest& request, Guard guard, std::size_t operation);
  Status add(const state::DeleteRequest& request, Guard guard, std::size_t operation);
  // The operations of a transaction, in an order that makes two of them wait for each other rather than deadlock.
  Status add(std::span<const state::Operation> operations);
  void add_synchronous_commit(std::string_view level);

  std::span<const Execution> executions() const { return executions_; }
  // Of which operation an execution is.
  std::size_t operation_of(std::size_t execution) const { return executions_[execution].operation; }
  // The result of an operation that has one.
  const Rows* result_of(std::size_t operation, const std::vector<Rows>& rows) const;
  const SetParts& parts_of(std::size_t operation) const { return *operations_[operation].parts; }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  struct Operation {
    std::size_t execution = kNone;  // that has its result
    const SetParts* parts = nullptr;
  };

  Execution& execute(const Statement& statement, std::size_t operation);
  // The execution that was added last has its result.
  Operation& note_result(std::size_t operation);
  Result<std::span<const std::string>> etags(const state::Precondition& when);
  void add_entries(const state::SetRequest& request, const SetParts& parts, std::size_t operation);
  Status add_of_key(std::span<const state::Operation> operations, std::span<const std::size_t> places);
  // Judges a condition by itself, ahead of what is done to its key.
  Status add_condition(std::string_view key, const state::Precondition& when, std::size_t operation);

  Statements& statements_;
  const Layout layout_;
  const std::string_view principal_;
  std::vector<Execution> executions_;
  std::vector<Operation> operations_;
  std::list<SetParts> parts_;
  std::list<std::vector<std::string>> etags_;
};

}  // namespace holdfast::stores::postgresql
