// Which consistency level is served how, by what the primary waits for. Pure.
//
// A write waits for standbys by synchronous_commit, which is set for its transaction alone: `remote_apply` for strong
// (the standbys show it), `on` for quorum (they have it on disk), `local` for what asks for less. A call that asks for
// nothing does what the server does by default.
// Source: postgresql.org/docs/15/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES.
#pragma once

#include <cstdint>
#include <string_view>

#include "state/capabilities.h"

namespace holdfast::stores::postgresql {

// What synchronous_standby_names says.
struct SynchronousStandbys {
  std::uint32_t awaited = 0;  // of each commit; 0: none
  std::uint32_t listed = 0;
  bool any = false;  // whoever is connected: "*"

  static SynchronousStandbys parse(std::string_view names);
  // Whether the primary and those awaited are more than half of the primary and those listed.
  bool are_majority(std::uint32_t connected) const;
};

struct Levels {
  state::Capabilities::Levels reads{};
  state::Capabilities::Levels writes{};
};
// `reads_standbys`: the component names them. `waits_by_default`: a commit waits for synchronous standbys, where there
// are some, unless told otherwise.
Levels levels_of(const SynchronousStandbys& standbys, std::uint32_t connected, bool reads_standbys,
                 bool waits_by_default);

// For synchronous_commit; empty: leave it as it is.
std::string_view commit_of(const SynchronousStandbys& standbys, state::Consistency level);

}  // namespace holdfast::stores::postgresql
