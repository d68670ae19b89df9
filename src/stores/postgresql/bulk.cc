// Many records at once: one query, or one transaction with a result for each.
#include <map>

#include "stores/postgresql/store.h"

namespace holdfast::stores::postgresql {

using state::CallContext;
using state::Deleted;
using state::Record;
using state::Written;

namespace {

using When = state::Precondition::Kind;

constexpr auto kKeyOf = [](const auto& request) { return request.key; };

}  // namespace

Task<std::vector<Result<std::optional<Record>>>> PostgresqlStore::get_many(
    CallContext context, std::span<const state::GetRequest> requests) {
  using Outcomes = std::vector<Result<std::optional<Record>>>;
  Outcomes outcomes(requests.size(), Result<std::optional<Record>>(std::nullopt));
  Statements::Shape shape{false, false};
  std::vector<std::string_view> keys;
  std::multimap<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!check_key(requests[i].key)) continue;
    shape.want_value |= requests[i].want_value;
    shape.want_fields |= requests[i].want_fields;
    if (!places.contains(requests[i].key)) keys.push_back(requests[i].key);
    places.emplace(requests[i].key, i);
  }
  if (keys.empty()) co_return outcomes;
  Execution get{&statements_.get_many(shape), {}};
  get.values.list(keys);
  auto rows = co_await ask(context, {&get, 1}, Kind::reading, "read records in");
  if (!rows) co_return Outcomes(requests.size(), fail(rows.error()));
  const Rows& found = rows->front();
  for (int row = 0; row < found.size(); ++row) {
    const auto [begin, end] = places.equal_range(found.text(row, 0));
    for (auto place = begin; place != end; ++place) {
      auto record = read_row(found, row, 1, shape, settings_.layout);
      if (record)
        outcomes[place->second] = std::move(*record);
      else
        outcomes[place->second] = fail(std::move(record.error()));
    }
  }
  co_return outcomes;
}

// Nothing where anything of it cannot be done in one transaction: each goes by itself then, so that it spoils no other.
template <class Outcome, class Request>
Task<std::optional<std::vector<Result<Outcome>>>> PostgresqlStore::write_together(CallContext context,
                                                                                  std::span<const Request> requests,
                                                                                  std::string_view doing) {
  using Outcomes = std::vector<Result<Outcome>>;
  if (requests.size() < 2) co_return std::nullopt;
  Writes writes = begin_writes(context);
  for (const std::size_t at : key_order(requests, kKeyOf))
    if (!spoils_nothing(requests[at]) || !writes.add(requests[at], Writes::Guard::none, at)) co_return std::nullopt;
  const Answer answer = co_await run_writes(context, writes);
  if (answer.refusal) co_return std::nullopt;
  if (answer.lost) co_return Outcomes(requests.size(), fail(error_of(answer, Kind::writing, doing)));
  Outcomes outcomes;
  for (std::size_t i = 0; i < requests.size(); ++i)
    outcomes.push_back(co_await outcome_of(context, requests[i], writes, i, answer.rows));
  co_return std::move(outcomes);
}

Task<std::vector<Result<Written>>> PostgresqlStore::set_many(CallContext context,
                                                             std::span<const state::SetRequest> requests) {
  auto outcomes = co_await write_together<Written>(context, requests, "save records in");
  if (outcomes) co_return std::move(*outcomes);
  co_return co_await StateStore::set_many(context, requests);
}

Task<std::vector<Result<Deleted>>> PostgresqlStore::erase_many(CallContext context,
                                                               std::span<const state::DeleteRequest> requests) {
  auto outcomes = co_await write_together<Deleted>(context, requests, "delete records in");
  if (outcomes) co_return std::move(*outcomes);
  co_return co_await StateStore::erase_many(context, requests);
}

}  // namespace holdfast::stores::postgresql
