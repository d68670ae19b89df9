// Our own API between decoding and encoding: what /v2 over HTTP and holdfast.v2.State over gRPC share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "service/runtime.h"
#include "service/service.h"

namespace holdfast::api {

inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::uint32_t kListLimitDefault = 100;
inline constexpr std::uint32_t kListLimitMax = 1000;

// A store's etag as an entity tag (RFC 9110 8.8.3): quoted as it is when its bytes may stand there, else "b64.…".
// Never weak.
std::string entity_tag(std::string_view etag);
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
  std::string content_type;
  bool force_bytes = false;  // keep JSON as opaque bytes
  Conditions when;
  std::optional<Milliseconds> ttl;
  state::Pairs tags;
  state::Pairs indexes;
  std::string created_by;
  std::string modified_by;
  bool want_record = false;
};

struct PutOutcome {
  std::string etag;  // as an entity tag
  std::optional<bool> created;
  state::Record record;  // with PutCommand::want_record: everything but the value
};

class V2 {
 public:
  V2(service::Service& service, const service::Runtime& runtime) : service_(service), runtime_(runtime) {}

  // Errc::not_found with what is loaded; Errc::unavailable while the store is being connected.
  Result<service::StoreRef> find_store(std::string_view name);

  Task<Result<PutOutcome>> put(service::StoreEntry& entry, state::CallContext context, PutCommand& command);
  Task<Result<std::optional<state::Record>>> get(service::StoreEntry& entry, state::CallContext context,
                                                 std::string key, bool want_value);
  Task<Result<state::Deleted>> erase(service::StoreEntry& entry, state::CallContext context, std::string key,
                                     Conditions& when);
  Task<Result<service::Listing>> list(service::StoreEntry& entry, state::CallContext context,
                                      state::ListRequest request);

  const Clock& clock() const { return service_.clock(); }
  const service::Runtime& runtime() const { return runtime_; }
  service::Service& service() { return service_; }

 private:
  service::Service& service_;
  const service::Runtime& runtime_;
};

// 1 to 1024 bytes of UTF-8 without "||".
Status check_v2_key(std::string_view key);

bool is_json_type(std::string_view content_type);
// What a record's value is, when nobody said.
std::string content_type_of(const state::Record& record);

}  // namespace holdfast::api
