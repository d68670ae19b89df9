// The tables: Dapr's, made exactly as Dapr makes them and at Dapr's migration level, and what we add.
//
//   <state>                  Dapr's. v1: key, value jsonb, isbinary, insertdate, updatedate, expiredate, row_id. v2:
//   key,
//                            value bytea, etag uuid, created_at, updated_at, expires_at, row_id.
//     holdfast_etag ...      ours, nullable: created_by, modified_by, content_type, tags, indexes; with v2 json
//   <state>_holdfast_key     ours: an index on the key in bytewise order, for listing
//   <state>_holdfast_expiry  ours, with v1: a partial index, so that cleaning up does not read every row (v2 has
//   Dapr's) <state>_holdfast_index   ours: a row for each index entry of a record, believed while its etag is the
//   record's <metadata>               Dapr's: key, value; rows lock, migrations, last-cleanup, with v2 named after the
//   prefix
#pragma once

#include "stores/postgresql/levels.h"
#include "stores/postgresql/session.h"
#include "stores/postgresql/settings.h"

namespace holdfast::stores::postgresql {

// What the server is like, as far as it matters to what the store may promise.
struct ServerFacts {
  int version = 0;          // 150020
  bool is_durable = false;  // fsync, and a commit waits for the disk
  SynchronousStandbys standbys;
  std::uint32_t connected_standbys = 0;
  bool waits_for_standbys = false;  // a commit does by default, where it has synchronous ones
};

// Looks, and where something is missing makes it, in one transaction; several sidecars, Dapr's among them, may do so at
// once. May settle for another table (PostgresqlSettings::falls_back_to_state). Errc::invalid_argument: the table is
// somebody else's, or the server is too old. With `only_look` nothing is made: Errc::not_found where it has to be.
Result<ServerFacts> prepare_database(Session& session, PostgresqlSettings& settings, bool only_look,
                                     SteadyTime deadline);

}  // namespace holdfast::stores::postgresql
