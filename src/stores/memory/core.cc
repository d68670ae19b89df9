#include "stores/memory/core.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/hash.h"
#include "base/random.h"
#include "stores/memory/record.h"
#include "stores/memory/shard_locks.h"
#include "stores/memory/store.h"

namespace holdfast::stores::memory {

using state::DeleteRequest;
using state::GetRequest;
using state::Operation;
using state::Precondition;
using state::Record;
using state::SetRequest;
using state::WatchEvent;
using state::Written;

namespace {

// Etags count up from a random number of 15 digits, so that none is seen twice for a key, not even
// after a restart (as good as never), and none needs memory of its own: std::string keeps 15 bytes
// inside itself.
constexpr std::uint64_t kVersionMin = 100'000'000'000'000;
constexpr std::uint64_t kVersionStarts = 400'000'000'000'000;

bool holds(const Precondition& when, const Entry* live) {
  if (when.kind == Precondition::Kind::any) return true;
  if (live == nullptr) return when.holds(nullptr);
  const EtagText text(live->version);
  const std::string_view etag = text.view();
  return when.holds(&etag);
}

Error refused(std::string_view key, const Precondition& when, const Entry* live) {
  std::string_view why = "has another etag; read it again";
  if (live == nullptr) why = "does not exist";
  if (when.kind == Precondition::Kind::absent) why = "exists already";
  Error error(Errc::precondition_failed, fmt::format("nothing was changed: \"{}\" {}", key, why));
  if (live != nullptr) error.current_etag = etag_of(*live);
  return error;
}

const Precondition& precondition_of(const Operation& operation) {
  return std::visit([](const auto& one) -> const Precondition& { return one.when; }, operation);
}
std::string_view key_of(const Operation& operation) {
  return std::visit([](const auto& one) { return one.key; }, operation);
}

}  // namespace

// An operation of a transaction and where its key lives.
struct MemoryCore::Target {
  const Operation* operation;
  std::string_view key;
  std::uint64_t hash;
  Shard* shard;
};

MemoryCore::MemoryCore(const Clock& clock, MemorySettings settings)
    : clock_(clock), settings_(std::move(settings)), feed_(settings_.feed) {
  for (Shard& shard : shards_) shard.version = kVersionMin + random_u64() % kVersionStarts;
}

Task<Result<std::unique_ptr<state::StateStore>>> MemoryCore::open(Scheduler& loop) {
  co_return std::make_unique<MemoryStore>(*this, loop, clock_);
}

// With the key's shard locked.
std::optional<Record> MemoryCore::read(const GetRequest& request, std::uint64_t hash) const {
  const Entry* entry = shard_of(hash).table.find(request.key, hash);
  if (entry == nullptr) return std::nullopt;
  if (entry->expires_us != kNeverExpires && !entry->is_live(clock_.wall().us)) return std::nullopt;
  return record_of(*entry, request.want_value, request.want_fields);
}

Result<std::optional<Record>> MemoryCore::get(const GetRequest& request) const {
  const std::uint64_t hash = hash_of(request.key);
  const std::lock_guard lock(shard_of(hash).mutex);
  return read(request, hash);
}

std::vector<Result<std::optional<Record>>> MemoryCore::get_many(std::span<const GetRequest> requests) const {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(requests.size());
  ShardMask mask = 0;
  for (const GetRequest& request : requests) {
    hashes.push_back(hash_of(request.key));
    mask |= bit_of(hashes.back());
  }
  std::vector<Result<std::optional<Record>>> records;
  records.reserve(requests.size());
  const ShardLocks locks(*this, mask);
  for (std::size_t i = 0; i < requests.size(); ++i) records.emplace_back(read(requests[i], hashes[i]));
  return records;
}

Result<Written> MemoryCore::set(std::string_view principal, const SetRequest& request) {
  Result<Written> written = try_set(principal, request);
  if (!written && written.error().code == Errc::overloaded && make_room()) written = try_set(principal, request);
  if (written && written->expires_at) sweeper_.plan();
  return written;
}

Result<Written> MemoryCore::try_set(std::string_view principal, const SetRequest& request) {
  const std::uint64_t hash = hash_of(request.key);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  const WallTime now = clock_.wall();
  Entry* entry = shard.table.find(request.key, hash);
  const Entry* live = entry != nullptr && entry->is_live(now.us) ? entry : nullptr;
  if (!holds(request.when, live)) return fail(refused(request.key, request.when, live));
  if (settings_.bytes_max != 0 && !reserve(bytes_of(request.key, request) - (entry != nullptr ? bytes_of(*entry) : 0)))
    return full(request.key);
  return write(shard, entry, hash, principal, request, now);
}

// With the shard locked; the precondition holds and the bytes are reserved.
Written MemoryCore::write(Shard& shard, Entry* entry, std::uint64_t hash, std::string_view principal,
                          const SetRequest& request, WallTime now) {
  Written written;
  written.created = entry == nullptr || !entry->is_live(now.us);
  if (entry == nullptr) {
    auto made = std::make_unique<Entry>();
    made->hash = hash;
    made->key = request.key;
    entry = shard.table.insert(std::move(made));
    shard.index.insert(entry);
  } else if (*written.created) {
    announce(WatchEvent::Kind::expire, entry->key);
  }
  if (*written.created) {
    entry->created = now;
    entry->created_by = request.created_by.empty() ? principal : request.created_by;
  }
  entry->modified = now;
  entry->modified_by = request.modified_by.empty() ? principal : request.modified_by;
  entry->version = ++shard.version;
  shard.by_entry.remove(entry);
  assign(*entry, request);
  shard.by_entry.add(entry);
  if (*written.created || !request.keep_expiry) set_expiry(shard, entry, expiry_at(request.ttl, now));
  written.etag = etag_of(*entry);
  announce_put(*entry, written.etag);
  written.expires_at = expiry_of(*entry);
  if (request.want_record) written.fields = fields_of(*entry);
  return written;
}

void MemoryCore::announce_put(const Entry& entry, const std::string& etag) {
  if (!feed_.wants(entry.key)) return;
  const bool whole = feed_.wants_values();
  auto record =
      whole ? record_of(entry, true, true)
            : Record{.value = {}, .shape = entry.shape, .etag = etag, .expires_at = expiry_of(entry), .fields = {}};
  feed_.publish({.kind = WatchEvent::Kind::put, .key = entry.key, .record = std::move(record), .has_value = whole});
}

void MemoryCore::announce(WatchEvent::Kind kind, const std::string& key) {
  if (feed_.wants(key)) feed_.publish({.kind = kind, .key = key, .record = std::nullopt});
}

void MemoryCore::set_expiry(Shard& shard, Entry* entry, std::int64_t expires_us) {
  if (entry->expires_us == expires_us) return;
  entry->expires_us = expires_us;
  shard.expiry.update(entry);
  const std::int64_t first = shard.expiry.first_us();
  if (shard.first_expiry_us.load(std::memory_order_relaxed) != first) shard.first_expiry_us = first;
}

void MemoryCore::remove(Shard& shard, Entry* entry, WatchEvent::Kind why) {
  if (settings_.bytes_max != 0) reserve(-bytes_of(*entry));
  unlink(shard, entry, why);
}

void MemoryCore::unlink(Shard& shard, Entry* entry, WatchEvent::Kind why) {
  announce(why, entry->key);
  set_expiry(shard, entry, kNeverExpires);
  shard.index.erase(entry);
  shard.by_entry.remove(entry);
  shard.table.remove(entry);
}

Result<state::Deleted> MemoryCore::erase(const DeleteRequest& request) {
  const std::uint64_t hash = hash_of(request.key);
  Shard& shard = shard_of(hash);
  const std::lock_guard lock(shard.mutex);
  Entry* entry = shard.table.find(request.key, hash);
  const Entry* live = entry != nullptr && entry->is_live(clock_.wall().us) ? entry : nullptr;
  if (!holds(request.when, live)) return fail(refused(request.key, request.when, live));
  state::Deleted deleted;
  deleted.existed = live != nullptr;
  if (entry != nullptr) remove(shard, entry, live != nullptr ? WatchEvent::Kind::erase : WatchEvent::Kind::expire);
  return deleted;
}

Result<std::vector<Written>> MemoryCore::transact(std::string_view principal, std::span<const Operation> operations) {
  Result<std::vector<Written>> written = try_transact(principal, operations);
  if (!written && written.error().code == Errc::overloaded && make_room())
    written = try_transact(principal, operations);
  if (written && std::ranges::any_of(*written, [](const Written& one) { return one.expires_at.has_value(); }))
    sweeper_.plan();
  return written;
}

Result<std::vector<Written>> MemoryCore::try_transact(std::string_view principal,
                                                      std::span<const Operation> operations) {
  std::vector<Target> targets;
  targets.reserve(operations.size());
  ShardMask mask = 0;
  for (const Operation& operation : operations) {
    const std::string_view key = key_of(operation);
    const std::uint64_t hash = hash_of(key);
    targets.push_back({&operation, key, hash, &shard_of(hash)});
    mask |= bit_of(hash);
  }
  std::vector<Written> written(operations.size());
  const ShardLocks locks(*this, mask);
  const WallTime now = clock_.wall();
  if (auto error = refusal(targets, now)) return fail(std::move(*error));
  if (settings_.bytes_max != 0 && !reserve(growth(targets))) return full(targets.front().key);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Target& target = targets[i];
    Entry* entry = target.shard->table.find(target.key, target.hash);
    if (const auto* set = std::get_if<SetRequest>(target.operation)) {
      written[i] = write(*target.shard, entry, target.hash, principal, *set, now);
    } else if (std::holds_alternative<DeleteRequest>(*target.operation) && entry != nullptr) {
      unlink(*target.shard, entry, entry->is_live(now.us) ? WatchEvent::Kind::erase : WatchEvent::Kind::expire);
    }
  }
  return written;
}

// The first operation whose precondition does not hold, on the state as it is before any of them.
std::optional<Error> MemoryCore::refusal(std::span<const Target> targets, WallTime now) const {
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Target& target = targets[i];
    const Precondition& when = precondition_of(*target.operation);
    if (when.kind == Precondition::Kind::any) continue;
    const Entry* entry = target.shard->table.find(target.key, target.hash);
    const Entry* live = entry != nullptr && entry->is_live(now.us) ? entry : nullptr;
    if (holds(when, live)) continue;
    Error error = with_context(refused(target.key, when, live), fmt::format("operation {}", i));
    error.operation = static_cast<int>(i);
    return error;
  }
  return std::nullopt;
}

// By how many bytes the records grow: what the last operation on each key leaves, less what is
// there.
std::int64_t MemoryCore::growth(std::span<const Target> targets) const {
  std::unordered_map<std::string_view, std::int64_t> after;
  for (const Target& target : targets) {
    if (const auto* set = std::get_if<SetRequest>(target.operation)) after[target.key] = bytes_of(target.key, *set);
    if (std::holds_alternative<DeleteRequest>(*target.operation)) after[target.key] = 0;
  }
  std::int64_t more = 0;
  for (const auto& [key, bytes] : after) {
    const std::uint64_t hash = hash_of(key);
    const Entry* entry = shard_of(hash).table.find(key, hash);
    more += bytes - (entry != nullptr ? bytes_of(*entry) : 0);
  }
  return more;
}

bool MemoryCore::reserve(std::int64_t more_bytes) {
  const std::int64_t before = bytes_used_.fetch_add(more_bytes);
  if (more_bytes <= 0 || before + more_bytes <= static_cast<std::int64_t>(settings_.bytes_max)) return true;
  bytes_used_.fetch_sub(more_bytes);
  return false;
}

std::unexpected<Error> MemoryCore::full(std::string_view key) const {
  return fail(Errc::overloaded,
              fmt::format("component \"{}\" (state.in-memory): cannot save \"{}\": its records may take "
                          "{} bytes (maxBytes) and this one would not fit. Delete records, save with a "
                          "ttlInSeconds, or raise maxBytes",
                          settings_.component, key, settings_.bytes_max));
}

}  // namespace holdfast::stores::memory
