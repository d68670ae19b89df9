// What of a store one call reaches: made of the component, the request and its token. Every key of every API is mapped
// here, and what a token forbids is refused here, before a store is called.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "service/grant.h"
#include "service/store_table.h"
#include "state/store.h"

namespace holdfast::service {

class Session;

// A call as the APIs know it: what stores are told, and what only the service looks at. Nothing makes one of a
// state::CallContext, which would have lost who is calling.
struct CallContext : state::CallContext {
  CallContext() = default;

  const Grant* grant = nullptr;  // what the token allows; null: everything. Lives as long as the call
  // The caller's; null: it has none, and cannot be given one. Lives as long as the call.
  Session* session = nullptr;
  // The isolation key whose records are meant, as the request or its token names it; nothing: those without one.
  std::optional<std::string_view> isolation = std::nullopt;
};

// A small value; points at the entry and at what the context points at.
class Scope {
 public:
  // Errc::denied when the token forbids the store, the operation or the isolation key; Errc::invalid_argument when the
  // isolation key is malformed, missing where the component requires one, or named where it has isolation off.
  static Result<Scope> enter(const StoreEntry& entry, const CallContext& context, Rights needed);
  // Whether nothing can be refused: no token that limits, no isolation. Most calls are such.
  static bool is_open(const StoreEntry& entry, const CallContext& context) {
    return context.grant == nullptr && !context.isolation && entry.isolation == Isolation::off;
  }

  // Errc::invalid_argument: the key, where isolation is on, looks like an isolated record's. Errc::denied: it lies
  // outside of the token's prefix.
  Status check_key(std::string_view key) const;
  // The prefix whose keys a listing for `asked` is of. An empty one is all that the caller reaches, so that a token
  // with a prefix need not repeat it; another one has to lie within the token's. Errors as of check_key().
  Result<std::string_view> reach(std::string_view asked) const;

  std::string stored_key(std::string_view key) const;
  // What stored_key() puts before a key, and how much it is.
  std::string own_prefix() const { return stored_key({}); }
  std::size_t own_bytes() const;
  // Whether records of isolation keys are beside those of this scope, to be passed over.
  bool hides_isolated() const { return is_on() && isolation_.empty(); }
  // Whether it is less than all that an application without a token sees of a store with isolation off.
  bool is_narrow() const { return is_on() || (grant_ != nullptr && !grant_->prefix.empty()); }
  std::string_view isolation() const { return isolation_; }  // empty: none
  // Stores name the stored key in their messages; callers know it without what mapping put in front.
  Error in_callers_words(Error error) const;

 private:
  Scope(const StoreEntry& entry, const Grant* grant, std::string_view isolation)
      : entry_(&entry), grant_(grant), isolation_(isolation) {}
  bool is_on() const { return entry_->isolation != Isolation::off; }

  const StoreEntry* entry_;
  const Grant* grant_;
  std::string_view isolation_;
};

}  // namespace holdfast::service
