// Leases for records that expire. etcd counts time in leases, of which a server can carry only so many, so records
// share them: those that expire within the same stretch of time, a second or up to an eighth of the time to live, have
// one together. A lease outlives every record on it; when exactly a record expires is written in the record.
//
// Of one loop. Leases end by themselves, so that none outlives its records for long, whatever becomes of us.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "net/changes.h"
#include "stores/etcd/endpoints.h"

namespace holdfast::stores::etcd {

class Leases {
 public:
  Leases(net::Loop& loop, Endpoints& endpoints, std::string place)
      : endpoints_(endpoints), changes_(loop), place_(std::move(place)) {}

  // A lease that lives for `ttl` (positive) from now at least. Errc::invalid_argument for a time beyond what etcd
  // takes.
  Task<Result<std::int64_t>> lease_for(std::string_view key, Milliseconds ttl, SteadyTime deadline);
  // The server does not know it any more.
  void forget(std::int64_t lease);
  // Takes the leases back that have no records any more, as far as the time allows. Nobody asks for one after this.
  Task<void> give_back(SteadyTime deadline);

 private:
  // Records that expire within a stretch of `width` seconds, by the steady clock.
  struct Stretch {
    std::int64_t width = 0;
    std::int64_t number = 0;
    auto operator<=>(const Stretch&) const = default;
  };
  struct Lease {
    std::int64_t id = 0;  // 0: there is none yet
    SteadyTime lives_until;
  };
  // Where the record of a key lies.
  struct Place {
    std::uint32_t hash = 0;
    std::uint32_t lease = 0;  // of the full ones
    auto operator<=>(const Place&) const = default;
  };
  // The leases of a stretch. A key that is written again stays where it is, so that there are only so many as there are
  // records, however often they are written.
  struct Group {
    Lease open;
    std::unordered_set<std::uint32_t> keys;  // of it, hashes; what one lease ends, the server deletes at once
    std::vector<Lease> full;
    std::vector<Place> places;  // of the keys of the full ones, in order
    bool is_asked_for = false;
  };

  // Nothing when there has to be a new one.
  static const Lease* find(Group& group, std::uint32_t hash, SteadyTime expires);
  static void fill_up(Group& group);
  Task<Status> grant(Stretch stretch, SteadyTime deadline);
  void drop_ended(SteadyTime now);

  Endpoints& endpoints_;
  net::Changes changes_;
  const std::string place_;
  std::map<Stretch, Group> groups_;
};

}  // namespace holdfast::stores::etcd
