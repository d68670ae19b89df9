#include "stores/etcd/leases.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <iterator>
#include <utility>

#include "wire/etcd/messages.h"

namespace holdfast::stores::etcd {

namespace {

constexpr std::int64_t kStretches = 16;  // of a time to live at most; a lease lives on for two of them at most
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
  const auto hash = static_cast<std::uint32_t>(std::hash<std::string_view>()(key));
  while (true) {
    Group& group = groups_[stretch];
    if (const Lease* const lease = find(group, hash, expires)) co_return lease->id;
    if (group.is_asked_for) {
      co_await changes_;
    } else if (Status granted = co_await grant(stretch, deadline); !granted) {
      co_return fail(std::move(granted.error()));
    }
  }
}

const Leases::Lease* Leases::find(Group& group, std::uint32_t hash, SteadyTime expires) {
  const auto place = std::ranges::lower_bound(group.places, hash, {}, &Place::hash);
  if (place != group.places.end() && place->hash == hash) {
    const Lease& lease = group.full[place->lease];
    if (lease.lives_until >= expires) return &lease;
  }
  if (group.open.id == 0 || group.open.lives_until < expires) return nullptr;
  if (group.keys.size() >= kKeysMost && !group.keys.contains(hash)) return nullptr;
  group.keys.insert(hash);
  return &group.open;
}

void Leases::fill_up(Group& group) {
  if (group.open.id == 0) return;
  const auto lease = static_cast<std::uint32_t>(group.full.size());
  group.full.push_back(std::exchange(group.open, {}));
  std::vector<Place> added;
  for (const std::uint32_t hash : std::exchange(group.keys, {})) added.push_back({hash, lease});
  std::ranges::sort(added);
  std::vector<Place> all;
  all.reserve(group.places.size() + added.size());
  std::ranges::merge(group.places, added, std::back_inserter(all));
  group.places = std::move(all);
}

Task<Status> Leases::grant(Stretch stretch, SteadyTime deadline) {
  drop_ended(now());
  groups_[stretch].is_asked_for = true;
  const SteadyTime asked_at = now();
  const SteadyTime end{std::chrono::seconds((stretch.number + 1) * stretch.width)};
  std::string request;
  holdfast::etcd::append_lease_grant(request, seconds_up(end - asked_at) + 1);
  auto answer = co_await endpoints_.call({.method = holdfast::etcd::kLeaseGrant,
                                          .request = request,
                                          .access = Access::write,
                                          .doing = "be granted a lease",
                                          .deadline = deadline});
  Group& group = groups_[stretch];
  group.is_asked_for = false;
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
  fill_up(group);
  group.open = {granted->lease, asked_at + std::chrono::seconds(granted->seconds)};
  co_return Status();
}

void Leases::drop_ended(SteadyTime now) {
  // All of a group live until much the same time.
  std::erase_if(groups_, [&](const auto& entry) {
    const Group& group = entry.second;
    const auto has_ended = [&](const Lease& lease) { return lease.id == 0 || lease.lives_until < now; };
    return !group.is_asked_for && has_ended(group.open) && std::ranges::all_of(group.full, has_ended);
  });
}

void Leases::forget(std::int64_t lease) {
  for (auto& [stretch, group] : groups_) {
    if (group.open.id == lease) {
      group.open = {};
      group.keys.clear();
    }
    for (std::uint32_t i = 0; i < group.full.size(); ++i) {
      if (group.full[i].id != lease) continue;
      group.full[i] = {};
      std::erase_if(group.places, [&](const Place& place) { return place.lease == i; });
    }
  }
}

Task<void> Leases::give_back(SteadyTime deadline) {
  drop_ended(now());
  std::vector<std::int64_t> leases;
  for (const auto& [stretch, group] : groups_) {
    if (group.open.id != 0) leases.push_back(group.open.id);
    for (const Lease& lease : group.full)
      if (lease.id != 0) leases.push_back(lease.id);
  }
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
