// How far a server is in the history of its database, as a session's position: the place in the write-ahead log and,
// for the history, a number that a primary writes into the database when it begins a timeline. A standby that shows
// that number is on the same history, and one that was left behind by a failover is not.
#pragma once

#include <optional>
#include <string>

#include "state/position.h"
#include "stores/postgresql/rows.h"
#include "stores/postgresql/session.h"

namespace holdfast::stores::postgresql {

// Of a primary, once for each connection to it.
Status note_timeline(Session& session, const PostgresqlSettings& settings, SteadyTime deadline);

// Give the number of the history and the place: of a primary what has been written to its disk, of a standby what it
// shows. Read behind what was read they are at least as far.
std::string primary_position_sql(const PostgresqlSettings& settings);
std::string standby_position_sql(const PostgresqlSettings& settings);
// Nothing: the history has no number.
std::optional<state::Position::Reached> read_position(const Rows& rows);

}  // namespace holdfast::stores::postgresql
