// What calls may be told beside a key and a value, as aggregates for designated initialisers:
//
//   store.put("orders/17", 13, {.ttl = 1h, .etag = record.etag});
//
// The members common to many:
//   ttl          how long the record lives. A put without one lives for ever, a change in place without one keeps its
//   time. etag, if_absent, if_present   conditions, of which only one can be asked for: the call does nothing but fail
//   with
//                PreconditionFailed where the condition does not hold.
//   concurrency  the same by the names of the advanced state options.
//   consistency  none: the component's, else session.
//   timeout      for the call with all its repetitions, in place of the client's.
//   created_by, modified_by   believed where the component says trustCreatedBy; empty: the caller.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "holdfast/types.h"

namespace holdfast {

using Timeout = std::optional<std::chrono::milliseconds>;

struct PutOptions {
  std::string content_type = {};  // empty: that of the value
  std::optional<Ttl> ttl = {};
  Tags tags = {};
  Indexes indexes = {};
  Etags etag = {};
  bool if_absent = false;
  bool if_present = false;
  std::optional<ConcurrencyMode> concurrency = {};
  std::optional<ConsistencyLevel> consistency = {};
  bool want_record = false;
  std::string created_by = {};
  std::string modified_by = {};
  Timeout timeout = {};
};

struct GetOptions {
  bool values = true;  // false: everything but the value
  std::optional<ConsistencyLevel> consistency = {};
  Timeout timeout = {};
};

struct EraseOptions {
  Etags etag = {};
  bool if_present = false;
  std::optional<ConcurrencyMode> concurrency = {};  // first_write needs an etag
  std::optional<ConsistencyLevel> consistency = {};
  Timeout timeout = {};
};

struct PatchOptions {
  std::optional<Ttl> ttl = {};  // none: the record goes on expiring when it did; 0: it no longer does
  Etags etag = {};
  bool if_absent = false;  // not of a merge
  bool if_present = false;
  std::optional<ConsistencyLevel> consistency = {};
  bool want_record = false;
  std::string modified_by = {};
  Timeout timeout = {};
};

struct IncrementOptions {
  std::optional<Number> initial = {};  // none: 0. Counted from where there is no record
  std::optional<Number> min = {};
  std::optional<Number> max = {};
  std::optional<Ttl> ttl = {};
  Etags etag = {};
  bool if_absent = false;
  bool if_present = false;
  std::optional<ConsistencyLevel> consistency = {};
  bool want_record = false;
  std::string modified_by = {};
  Timeout timeout = {};
};

struct ListOptions {
  std::optional<std::string> like = {};    // an SQL pattern, in the place of the prefix
  unsigned limit = 0;                      // of a page, at most 1000; 0: 100, and of a scan 1000
  std::optional<std::string> cursor = {};  // of the page before
  bool values = false;                     // whole records, not keys and etags alone
  Tags tags = {};                          // only records that have all of these
  Indexes indexes = {};                    // only records that carry all of these entries; excludes like
  std::optional<ConsistencyLevel> consistency = {};
  Timeout timeout = {};
};

struct QueryOptions {
  unsigned limit = 0;                      // of a page, at most 1000; 0: 100, and of query_all 1000
  std::optional<std::string> cursor = {};  // of the page before
  std::string prefix = {};
  Tags tags = {};
  Indexes indexes = {};
  std::vector<std::string> fields = {};  // paths: of each value only these members; none: all
  bool scan = false;                     // every record may be read, where nothing better will do
  std::optional<ConsistencyLevel> consistency = {};
  Timeout timeout = {};
};

struct ErasePrefixOptions {
  bool all = false;    // without a prefix: every record
  unsigned limit = 0;  // 0: all; at most 1000: about so many, and `more` says whether to go on
  std::optional<ConsistencyLevel> consistency = {};
  Timeout timeout = {};
};

struct BatchOptions {
  std::optional<ConsistencyLevel> consistency = {};
  bool want_records = false;
  Timeout timeout = {};
};

struct WatchOptions {
  std::string prefix = {};
  std::optional<std::string> key = {};  // this one alone, in the place of the prefix
  bool values = false;                  // whole records of puts
  std::string resume = {};              // of the last event that was seen. Empty: from now on
};

// Operations of batches and transactions, with the arguments of the calls.
struct Put {
  std::string key;
  Value value;
  std::string content_type = {};
  std::optional<Ttl> ttl = {};
  Tags tags = {};
  Indexes indexes = {};
  Etags etag = {};
  bool if_absent = false;
  bool if_present = false;
  std::optional<ConcurrencyMode> concurrency = {};
  std::string created_by = {};
  std::string modified_by = {};
};

struct Delete {
  std::string key;
  Etags etag = {};
  bool if_present = false;
  std::optional<ConcurrencyMode> concurrency = {};
};

// Takes part in a transaction by its condition alone.
struct Check {
  std::string key;
  Etags etag = {};
  bool if_absent = false;
  bool if_present = false;
};

using Write = std::variant<Put, Delete>;
using Operation = std::variant<Put, Delete, Check>;

}  // namespace holdfast
