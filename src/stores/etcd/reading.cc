// Reading records: one Txn of ranges, at one revision.
#include <fmt/format.h>

#include <algorithm>

#include "stores/etcd/store.h"

namespace holdfast::stores::etcd {

using state::CallContext;
using state::Record;
namespace wire = holdfast::etcd;

namespace {

constexpr std::size_t kRangesMost = Sharing::kReadingMost;  // of one record

}  // namespace

Task<Result<Part>> EtcdStore::read(CallContext context, std::string_view doing, Reading ranges,
                                   std::string_view alone) {
  const SteadyTime deadline = deadline_of(context);
  bool serializable = may_be_behind(context.consistency);
  wire::Txn txn{.compares = {}, .success = std::move(ranges), .failure = {}};
  while (true) {
    for (wire::Operation& range : txn.success) std::get<wire::Range>(range).serializable = serializable;
    const bool shares = !alone.empty() && !serializable && may_share(context, deadline);
    auto part =
        shares
            ? co_await sharing_.call({.key = alone, .operations = txn.success, .doing = doing, .deadline = deadline})
            : co_await endpoints_.transact(txn, {.doing = doing, .deadline = deadline, .needs_leader = !serializable});
    if (!part) co_return fail(std::move(part.error()));
    if (!serializable || is_far_enough(context, part->header())) {
      reach(context, part->header());
      co_return part;
    }
    serializable = false;
  }
}

Task<Result<std::optional<Record>>> EtcdStore::get(CallContext context, state::GetRequest request) {
  Records out;
  std::int64_t revision = 0;
  if (Status status = co_await read_chunk(context, {&request, 1}, revision, out); !status)
    co_return fail(std::move(status.error()));
  co_return std::move(out.front());
}

std::size_t EtcdStore::reading_chunk() const { return std::max<std::size_t>(transaction_ops_max_ / kRangesMost, 1); }

Task<std::vector<Result<std::optional<Record>>>> EtcdStore::get_many(CallContext context,
                                                                     std::span<const state::GetRequest> requests) {
  Records out;
  out.reserve(requests.size());
  std::int64_t revision = 0;
  while (out.size() < requests.size()) {
    const auto chunk = requests.subspan(out.size(), std::min(reading_chunk(), requests.size() - out.size()));
    const std::size_t before = out.size();
    if (Status status = co_await read_chunk(context, chunk, revision, out); !status) {
      out.resize(before);
      while (out.size() < before + chunk.size()) out.emplace_back(fail(status.error()));
    }
  }
  co_return out;
}

Task<Result<EtcdStore::Records>> EtcdStore::read_at(CallContext context, std::span<const state::GetRequest> requests,
                                                    std::int64_t revision) {
  Records out;
  out.reserve(requests.size());
  while (out.size() < requests.size()) {
    const auto chunk = requests.subspan(out.size(), std::min(reading_chunk(), requests.size() - out.size()));
    Status status = co_await read_chunk(context, chunk, revision, out);
    if (!status && revision != 0 && is_refusal(status.error(), Trouble::compacted)) {
      revision = 0;
      status = co_await read_chunk(context, chunk, revision, out);
    }
    if (!status) co_return fail(std::move(status.error()));
  }
  co_return out;
}

Task<std::optional<bool>> EtcdStore::had_expired(CallContext context, std::string_view key, std::int64_t revision) {
  const state::GetRequest request{.key = key, .want_value = false};
  Records found;
  const Status status = co_await read_chunk(context, {&request, 1}, revision, found);
  if (!status || !found.front()) co_return std::nullopt;
  co_return !found.front()->has_value();
}

Task<Status> EtcdStore::read_chunk(CallContext context, std::span<const state::GetRequest> requests,
                                   std::int64_t& revision, Records& out) {
  std::vector<Keys> keys;
  keys.reserve(requests.size());
  for (const state::GetRequest& request : requests) {
    if (Status status = check_key(request.key); !status) co_return status;
    keys.emplace_back(settings_.key_prefix, request.key);
  }
  std::vector<std::size_t> ends;  // of each request's ranges
  Reading ranges;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    append_ranges(ranges, keys[i], settings_.layout, requests[i].want_fields, revision);
    ends.push_back(ranges.size());
  }
  const std::string doing = requests.size() == 1 ? fmt::format("read \"{}\"", requests.front().key)
                                                 : fmt::format("read {} records", requests.size());
  const bool is_alone = requests.size() == 1 && revision == 0;
  const auto part = co_await read(context, doing, std::move(ranges), is_alone ? requests.front().key : "");
  if (!part) co_return fail(part.error());
  if (revision == 0) revision = part->header().revision;
  std::size_t at = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    std::vector<wire::KeyValue> kvs;
    for (; at < std::min(ends[i], part->replies.size()); ++at)
      kvs.insert(kvs.end(), part->replies[at].kvs.begin(), part->replies[at].kvs.end());
    std::int64_t lease = 0;
    auto record = take(requests[i], keys[i], kvs, lease);
    if (record && *record && lease != 0) (*record)->expires_at = co_await expiry_of(context, lease);
    out.push_back(std::move(record));
  }
  co_return Status();
}

// `lease`: of a record whose expiry nothing but its lease knows.
Result<std::optional<Record>> EtcdStore::take(const state::GetRequest& request, const Keys& keys,
                                              const std::vector<wire::KeyValue>& kvs, std::int64_t& lease) const {
  const Found found = found_in(keys, kvs);
  if (found.record == nullptr) return std::nullopt;
  const auto stored = read_stored(found, settings_.layout);
  if (!stored) return fail(with_context(stored.error(), fmt::format("{}: key \"{}\"", settings_.place(), request.key)));
  if (stored->is_expired(clock_.wall())) return std::nullopt;
  if (stored->lease != 0 && !stored->expires) lease = stored->lease;
  return record_of(*stored, request.want_value, request.want_fields);
}

Task<std::optional<WallTime>> EtcdStore::expiry_of(CallContext context, std::int64_t lease) {
  std::string request;
  wire::append_lease_time_to_live(request, lease, false);
  const auto answer = co_await endpoints_.call({.method = wire::kLeaseTimeToLive,
                                                .request = request,
                                                .doing = "look at a lease",
                                                .deadline = deadline_of(context)});
  if (!answer) co_return std::nullopt;
  const auto left = wire::read_lease_time_to_live(*answer);
  if (!left || left->seconds < 0) co_return std::nullopt;
  co_return WallTime{clock_.wall().us + left->seconds * 1'000'000};
}

}  // namespace holdfast::stores::etcd
