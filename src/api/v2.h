// Our own API between decoding and encoding: what /v2 over HTTP and holdfast.v2.State over gRPC share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/query_command.h"
#include "service/runtime.h"
#include "service/service.h"

namespace holdfast::api {

inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::uint32_t kListLimitDefault = 100;
inline constexpr std::uint32_t kListLimitMax = 1000;
inline constexpr std::size_t kBatchMax = 1000;  // keys or operations of one call

// What a value's type is where nobody has said.
inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kBytesType = "application/octet-stream";

// A store's etag as an entity tag (RFC 9110 8.8.3): quoted as it is when its bytes may stand there, else "b64.…".
// Never weak.
std::string entity_tag(std::string_view etag);
void append_entity_tag(std::string& out, std::string_view etag);
// As a string of JSON, where its quotes are escaped.
void append_entity_tag_json(std::string& out, std::string_view etag);
// Back again, with or without the quotes.
std::string from_entity_tag(std::string_view tag);
// The members of an If-Match or If-None-Match field; "*" is a member of its own.
std::vector<std::string> entity_tags(std::string_view field);

// How a request's conditions read, whoever sent them. Owns what Precondition points at.
struct Conditions {
  state::Precondition::Kind kind = state::Precondition::Kind::any;
  std::vector<std::string> etags;
  std::vector<std::string_view> views;
  state::Precondition precondition();
};

struct PutCommand {
  std::string key;
  std::string value;
  std::string content_type;  // empty: kBytesType
  bool force_bytes = false;  // keep JSON as opaque bytes
  Conditions when;
  std::optional<Milliseconds> ttl;
  state::Pairs tags;
  state::Pairs indexes;
  std::string created_by;
  std::string modified_by;
  bool want_record = false;
};

struct DeleteCommand {
  std::string key;
  Conditions when;
};

// Takes part in a transaction by its condition alone.
struct CheckCommand {
  std::string key;
  Conditions when;
};

using Command = std::variant<PutCommand, DeleteCommand, CheckCommand>;
const std::string& key_of(const Command& command);

struct PatchCommand {
  // What `body` is: a merge patch, an increment (both JSON), bytes behind the value's bytes, one more element of an
  // array.
  enum class Kind : std::uint8_t { merge, increment, append, append_element };
  Kind kind = Kind::merge;
  std::string key;
  std::string body;
  Conditions when;
  std::optional<Milliseconds> ttl;  // unset: the record goes on expiring when it did
  std::string modified_by;
  bool want_record = false;
};

// What became of a record.
struct Outcome {
  std::string etag;             // as an entity tag; empty for what is there no more
  std::optional<bool> created;  // of a put: whether there was none before
  std::optional<bool> existed;  // of a deletion: whether there was one
  state::Record record;         // when it was wanted: everything but a put's value
};

Outcome outcome_of(const state::SetRequest& request, state::Written written);

struct ListCommand {
  std::string prefix;
  std::string like;  // a LIKE pattern in the place of a prefix
  std::string cursor;
  std::uint32_t limit = 0;  // 0: the default
  bool want_values = false;
  state::Pairs tags;     // only records that have all of these
  state::Pairs indexes;  // and carry all of these entries, one of which is looked up
};

struct ErasedPrefix {
  std::uint64_t erased = 0;
  bool is_more = false;  // there may be more: the limit was reached
};

class V2 {
 public:
  V2(service::Service& service, const service::Runtime& runtime) : service_(service), runtime_(runtime) {}

  // Errc::not_found with what is loaded; Errc::unavailable while the store is being connected.
  Result<service::StoreRef> find_store(std::string_view name);

  Task<Result<Outcome>> put(service::StoreEntry& entry, service::CallContext context, PutCommand& command);
  Task<Result<std::optional<state::Record>>> get(service::StoreEntry& entry, service::CallContext context,
                                                 std::string_view key, bool want_value);
  Task<Result<state::Deleted>> erase(service::StoreEntry& entry, service::CallContext context, std::string_view key,
                                     Conditions& when);
  // The value as it became stands in Outcome::record. Errc::not_found: a merge patch of what is not there; the other
  // kinds begin with nothing.
  Task<Result<Outcome>> patch(service::StoreEntry& entry, service::CallContext context, PatchCommand& command);
  // A page may be shorter than its limit, and empty, and there is more all the same if it has a cursor: filters look at
  // so many records and no more.
  Task<Result<service::Listing>> list(service::StoreEntry& entry, service::CallContext context, ListCommand& command);
  // As of a listing; the values are the part that the command asks for. Moves from the command.
  Task<Result<state::QueryPage>> query(service::StoreEntry& entry, service::CallContext context, QueryCommand& command);
  // An empty prefix is Errc::invalid_argument unless `all` is said. With a limit, about so many at most.
  Task<Result<ErasedPrefix>> erase_prefix(service::StoreEntry& entry, service::CallContext context, std::string prefix,
                                          bool all, std::uint32_t limit);

  // One result for each, none depending on another. Errc::invalid_argument for all of them: more than kBatchMax, a key
  // that is none or stands there twice, a check.
  Task<Result<std::vector<Result<std::optional<state::Record>>>>> batch_get(service::StoreEntry& entry,
                                                                            service::CallContext context,
                                                                            const std::vector<std::string>& keys,
                                                                            bool want_values);
  Task<Result<std::vector<Result<Outcome>>>> batch_write(service::StoreEntry& entry, service::CallContext context,
                                                         std::vector<Command>& commands);
  // All or nothing; conditions are judged on the state before. One Outcome for each. The error of a condition names its
  // operation.
  Task<Result<std::vector<Outcome>>> transact(service::StoreEntry& entry, service::CallContext context,
                                              std::vector<Command>& commands);

  const Clock& clock() const { return service_.clock(); }
  const service::Runtime& runtime() const { return runtime_; }
  service::Service& service() { return service_; }

 private:
  struct Batch;
  Task<Result<service::Listing>> list_some(service::StoreEntry& entry, service::CallContext context,
                                           const ListCommand& command, const service::Listing& so_far);
  Result<state::SetRequest> prepare(const service::StoreEntry& entry, PutCommand& command) const;

  service::Service& service_;
  const service::Runtime& runtime_;
};

// Unspecified is session here, unlike v1, whose unspecified calls go where daprd's go.
void default_to_session(const service::StoreEntry& entry, service::CallContext& context);

// 1 to 1024 bytes of UTF-8 without "||".
Status check_v2_key(std::string_view key);

bool is_json_type(std::string_view content_type);
// As it was saved, or by the record's shape.
std::string content_type_of(const state::Record& record);

}  // namespace holdfast::api
