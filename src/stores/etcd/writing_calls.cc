// Writing records: rounds of one Txn until its compares hold or a condition does not.
#include <fmt/format.h>

#include "base/log.h"
#include "stores/etcd/store.h"

namespace holdfast::stores::etcd {

using state::CallContext;
using state::Written;
namespace wire = holdfast::etcd;

namespace {

// Each is lost to somebody who wrote meanwhile.
constexpr int kRoundsMost = 16;

WriterContext writer_context(const EtcdSettings& settings, const CallContext& context, WallTime now,
                             std::uint32_t transaction_ops_max) {
  return {settings.layout, settings.key_prefix, context.principal, now, transaction_ops_max};
}

}  // namespace

Task<Result<Outcome>> EtcdStore::write_one(CallContext context, std::string_view verb, state::Operation operation) {
  const std::string doing =
      fmt::format("{} \"{}\"", verb, std::visit([](const auto& one) { return one.key; }, operation));
  auto outcomes = co_await write(context, {&operation, 1}, doing);
  if (outcomes) co_return std::move(outcomes->front());
  outcomes.error().operation = -1;
  co_return fail(std::move(outcomes.error()));
}

Task<Result<Written>> EtcdStore::set(CallContext context, state::SetRequest request) {
  auto outcome = co_await write_one(context, "save", request);
  if (!outcome) co_return fail(std::move(outcome.error()));
  co_return std::move(outcome->written);
}

Task<Result<state::Deleted>> EtcdStore::erase(CallContext context, state::DeleteRequest request) {
  auto outcome = co_await write_one(context, "delete", request);
  if (!outcome) co_return fail(std::move(outcome.error()));
  co_return state::Deleted{outcome->existed};
}

Task<Result<std::vector<Written>>> EtcdStore::transact(CallContext context,
                                                       std::span<const state::Operation> operations) {
  if (operations.empty()) co_return std::vector<Written>();
  if (operations.size() > transaction_ops_max_)
    co_return fail(Errc::invalid_argument,
                   fmt::format("{}: a transaction of {} operations is more than the servers take ({})",
                               settings_.place(), operations.size(), transaction_ops_max_));
  auto outcomes = co_await write(context, operations, "carry out a transaction");
  if (!outcomes) co_return fail(std::move(outcomes.error()));
  std::vector<Written> written;
  written.reserve(outcomes->size());
  for (Outcome& outcome : *outcomes) written.push_back(std::move(outcome.written));
  co_return written;
}

Status EtcdStore::check_size(const state::Operation& operation) const {
  if (Status status = check_key(std::visit([](const auto& one) { return one.key; }, operation)); !status) return status;
  const auto* const set = std::get_if<state::SetRequest>(&operation);
  if (set == nullptr || set->value.size() <= capabilities_.value_bytes_max) return {};
  return fail(Errc::invalid_argument,
              fmt::format("{}: the value of \"{}\" has {} bytes, and the servers take {} (maxRequestBytes, and "
                          "--max-request-bytes of the servers)",
                          settings_.place(), set->key, set->value.size(), capabilities_.value_bytes_max));
}

Task<Status> EtcdStore::take_leases(CallContext context, Writing& writing) {
  for (Item& item : writing.items()) {
    if (!item.expires || item.keeps_expiry()) continue;
    auto lease = co_await leases_.lease_for(item.key, *item.set->ttl, deadline_of(context));
    if (!lease) co_return fail(std::move(lease.error()));
    item.lease = *lease;
  }
  co_return Status();
}

Task<Result<Part>> EtcdStore::send_round(CallContext context, Writing& writing, std::string_view doing,
                                         bool only_reads) {
  const SteadyTime deadline = deadline_of(context);
  if (only_reads) return endpoints_.transact(writing.reading(), {.doing = doing, .deadline = deadline});
  const wire::Txn& txn = writing.round();
  if (!writing.may_share() || !may_share(context, deadline))
    return endpoints_.transact(txn, {.access = Access::write, .doing = doing, .deadline = deadline});
  const Item& item = writing.items().front();
  return sharing_.call({.key = item.key,
                        .access = Access::write,
                        .operations = txn.success,
                        .bytes = item.set != nullptr ? item.set->value.size() : 0,
                        .doing = doing,
                        .deadline = deadline});
}

Task<Result<std::vector<Outcome>>> EtcdStore::write(CallContext context, std::span<const state::Operation> operations,
                                                    std::string_view doing) {
  for (const state::Operation& operation : operations)
    if (Status status = check_size(operation); !status) co_return fail(std::move(status.error()));
  Writing writing(operations, writer_context(settings_, context, clock_.wall(), transaction_ops_max_));
  if (Status status = co_await take_leases(context, writing); !status) co_return fail(std::move(status.error()));
  for (int round = 0; round < kRoundsMost; ++round) {
    const bool only_reads = writing.needs_reading();
    const auto part = co_await send_round(context, writing, doing, only_reads);
    if (!part) {
      if (!is_refusal(part.error(), Trouble::lease_gone)) co_return fail(part.error());
      for (Item& item : writing.items()) {
        if (item.lease != 0) leases_.forget(item.lease);
        item.known.reset();
      }
      if (Status status = co_await take_leases(context, writing); !status) co_return fail(std::move(status.error()));
      continue;
    }
    reach(context, part->header());
    if (!only_reads && part->succeeded()) {
      const std::int64_t revision = part->header().revision;
      std::vector<Outcome> outcomes = writing.outcomes(part->replies, revision);
      co_await settle(context, writing, outcomes, revision);
      co_return outcomes;
    }
    if (Status noted = writing.note(part->replies); !noted)
      co_return fail(with_context(noted.error(), settings_.place()));
    if (auto objection = writing.objection()) co_return fail(std::move(*objection));
  }
  co_return fail(Errc::conflict,
                 fmt::format("{}: cannot {}: others wrote the same records {} times meanwhile; try again",
                             settings_.place(), doing, kRoundsMost));
}

Task<void> EtcdStore::settle(CallContext context, Writing& writing, std::vector<Outcome>& outcomes,
                             std::int64_t revision) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    Outcome& outcome = outcomes[i];
    const Item& item = writing.items()[i];
    // What the write took the place of.
    if (outcome.may_have_expired && (co_await had_expired(context, item.key, revision - 1)).value_or(false)) {
      if (outcome.existed) outcome.existed = false;
      if (item.set != nullptr) {
        outcome.written.created = true;
        outcome.making.clear();
        append_making(outcome.making, writing.making_of(item));
      }
    }
    if (outcome.making.empty() || item.set == nullptr) continue;
    // Only while the record is the one that we wrote. Without it, who made the record is forgotten: no more.
    wire::Txn txn;
    txn.compares.push_back({item.keys.record, wire::Compare::Of::modified, wire::Compare::Is::equal, revision});
    txn.success.emplace_back(wire::Put{item.keys.created, outcome.making, item.lease});
    const auto done = co_await endpoints_.transact(
        txn, {.access = Access::write, .doing = "keep who made a record", .deadline = deadline_of(context)});
    if (!done) log::debug("holdfast.etcd", "{}", done.error().message);
  }
}

}  // namespace holdfast::stores::etcd
