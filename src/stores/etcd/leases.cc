#include "stores/etcd/leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "wire/etcd/messages.h"

namespace holdfast::stores::etcd {

namespace {

constexpr std::int64_t kStretches = 16;  // of a time to live: how much longer than its record a lease may live
// The end of a lease deletes its records in one step of all servers.
constexpr std::size_t kKeysMost = 4096;
constexpr std::int64_t kSecondsMost = 9'000'000'000;  // etcd, lease/lessor.go

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::int64_t seconds_up(SteadyTime::duration time) { return std::chrono::ceil<std::chrono::seconds>(time).count(); }

}  // namespace

Task<Result<std::int64_t>> Leases::lease_for(std::string_view key, Milliseconds ttl, SteadyTime deadline) {
  const std::int64_t seconds = seconds_up(ttl);
  const std::int64_t width = static_cast<std::int64_t>(
      std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(seconds / kStretches, 1))));
  if (seconds > kSecondsMost - 2 * width)
    co_return fail(Errc::invalid_argument, fmt::format("{}: a time to live of {} s is more than etcd takes ({} s)",
                                                       place_, seconds, kSecondsMost));
  const SteadyTime expires = now() + ttl;
  const Stretch stretch{width, seconds_up(expires.time_since_epoch()) / width + 1};
  const std::size_t hash = std::hash<std::string_view>()(key);
  while (true) {
    Lease& lease = leases_[stretch];
    const bool has_room = lease.keys.size() < kKeysMost || lease.keys.contains(hash);
    if (lease.id != 0 && has_room && lease.lives_until >= expires) {
      lease.keys.insert(hash);
      co_return lease.id;
    }
    if (lease.is_asked_for) {
      co_await changes_;
    } else if (Status granted = co_await grant(stretch, deadline); !granted) {
      co_return fail(std::move(granted.error()));
    }
  }
}

Task<Status> Leases::grant(Stretch stretch, SteadyTime deadline) {
  drop_ended(now());
  Lease& asked = leases_[stretch];
  asked.is_asked_for = true;
  const SteadyTime asked_at = now();
  const SteadyTime end{std::chrono::seconds((stretch.number + 1) * stretch.width)};
  std::string request;
  holdfast::etcd::append_lease_grant(request, seconds_up(end - asked_at) + 1);
  auto answer = co_await endpoints_.call({.method = holdfast::etcd::kLeaseGrant,
                                          .request = request,
                                          .access = Access::write,
                                          .doing = "be granted a lease",
                                          .deadline = deadline});
  Lease& lease = leases_[stretch];
  lease.is_asked_for = false;
  changes_.notify();
  if (!answer) {
    // A lease that nobody knows of ends by itself: nothing was written.
    if (answer.error().code == Errc::outcome_unknown) answer.error().code = Errc::unavailable;
    co_return fail(std::move(answer.error()));
  }
  const auto granted = holdfast::etcd::read_lease_grant(*answer);
  if (!granted) co_return fail(granted.error());
  if (asked_at + std::chrono::seconds(granted->seconds) < end)
    co_return fail(Errc::internal, fmt::format("{}: a lease that was granted is shorter than it has to be", place_));
  if (lease.id != 0) full_.emplace_back(lease.id, lease.lives_until);
  lease.id = granted->lease;
  lease.lives_until = asked_at + std::chrono::seconds(granted->seconds);
  lease.keys.clear();
  co_return Status();
}

void Leases::drop_ended(SteadyTime now) {
  std::erase_if(leases_, [&](const auto& entry) {
    const Lease& lease = entry.second;
    return !lease.is_asked_for && (lease.id == 0 || lease.lives_until < now);
  });
  std::erase_if(full_, [&](const auto& entry) { return entry.second < now; });
}

void Leases::forget(std::int64_t lease) {
  std::erase_if(leases_, [&](const auto& entry) { return entry.second.id == lease && !entry.second.is_asked_for; });
}

Task<void> Leases::give_back(SteadyTime deadline) {
  drop_ended(now());
  std::vector<std::int64_t> leases;
  for (const auto& [id, end] : full_) leases.push_back(id);
  for (const auto& [stretch, lease] : leases_)
    if (lease.id != 0) leases.push_back(lease.id);
  for (const std::int64_t lease : leases) {
    std::string request;
    holdfast::etcd::append_lease_time_to_live(request, lease, true);
    const auto answer = co_await endpoints_.call({.method = holdfast::etcd::kLeaseTimeToLive,
                                                  .request = request,
                                                  .doing = "look at a lease",
                                                  .deadline = deadline});
    if (!answer) co_return;
    const auto found = holdfast::etcd::read_lease_time_to_live(*answer);
    if (!found || found->has_keys || found->seconds < 0) continue;
    request.clear();
    holdfast::etcd::append_lease_revoke(request, lease);
    (void)co_await endpoints_.call({.method = holdfast::etcd::kLeaseRevoke,
                                    .request = request,
                                    .access = Access::write,
                                    .doing = "give a lease back",
                                    .deadline = deadline});
  }
}

}  // namespace holdfast::stores::etcd
