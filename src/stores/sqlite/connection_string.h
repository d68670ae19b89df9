// Reads the connectionString field as Dapr's component and its driver do. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::stores::sqlite {

struct ConnectionString {
  std::string uri;  // for sqlite3_open_v2
  bool in_memory = false;
  bool read_only = false;            // mode=ro or immutable=1
  std::vector<std::string> pragmas;  // "name = value", from _pragma; run on every connection
  std::string synchronous;           // from _pragma=synchronous(...), upper case; empty: not given
  bool has_other_txlock = false;     // _txlock is given and not "immediate", which we use all the same
};

// A path, a "file:" URI or ":memory:", each with an optional query. As in Dapr a plain path becomes
// a URI, so
// "%20" in it is a blank. Errc::invalid_argument: a pragma that is set by a field of the component,
// that would break the store, or that is not of the form name(value) or name=value.
Result<ConnectionString> parse_connection_string(std::string_view text);

}  // namespace holdfast::stores::sqlite
