#include "service/scope.h"

#include <fmt/format.h>

#include "service/isolation.h"
#include "state/keys.h"

namespace holdfast::service {

namespace {

std::string token_of(const Grant& grant) {
  return grant.name.empty() ? std::string("the token") : fmt::format("the token \"{}\"", grant.name);
}

Status check_isolation(const StoreEntry& entry, const CallContext& context) {
  if (context.isolation && !is_isolation_key(*context.isolation))
    return fail(Errc::invalid_argument,
                fmt::format("the isolation key is not 1 to {} of the characters A-Z, a-z, 0-9, dot, underscore and "
                            "hyphen; it may be given once",
                            kIsolationKeyBytesMax));
  const Grant* grant = context.grant;
  if (grant != nullptr && !grant->isolation.empty()) {
    if (context.isolation != grant->isolation)
      return fail(Errc::denied, fmt::format("{} is bound to another isolation key", token_of(*grant)));
    if (entry.isolation == Isolation::off)
      return fail(Errc::denied, fmt::format("{} is bound to an isolation key, and state store {} has isolation off: "
                                            "what is there belongs to no key",
                                            token_of(*grant), entry.name));
  }
  if (context.isolation && entry.isolation == Isolation::off)
    return fail(Errc::invalid_argument,
                fmt::format("the request names an isolation key, and state store {} has isolation off; leave the key "
                            "out, or set isolation of its component to optional or required",
                            entry.name));
  if (!context.isolation && entry.isolation == Isolation::required)
    return fail(Errc::invalid_argument,
                fmt::format("state store {} keeps its records apart by an isolation key; name one with the header "
                            "Holdfast-Isolation (gRPC: metadata holdfast-isolation)",
                            entry.name));
  return {};
}

}  // namespace

Result<Scope> Scope::enter(const StoreEntry& entry, const CallContext& context, Rights needed) {
  if (const Grant* grant = context.grant) {
    if (!grant->reaches_store(entry.name))
      return fail(Errc::denied, fmt::format("{} does not reach state store {}", token_of(*grant), entry.name));
    if (!grant->rights.has(needed))
      return fail(Errc::denied,
                  fmt::format("{} does not allow this operation on state store {}", token_of(*grant), entry.name));
  }
  if (!is_open(entry, context))
    if (auto ok = check_isolation(entry, context); !ok) return fail(ok.error());
  return Scope(entry, context.grant, context.isolation.value_or(std::string_view()));
}

Status Scope::check_key(std::string_view key) const {
  if (is_on() && key.starts_with(state::kIsolationHead))
    return fail(Errc::invalid_argument,
                fmt::format("keys that begin with \"{}\" are those of isolated records in state "
                            "store {}; name the isolation key, and only the rest of the key",
                            state::kIsolationHead, entry_->name));
  if (grant_ != nullptr && !key.starts_with(grant_->prefix))
    return fail(Errc::denied,
                fmt::format("{} reaches only keys that begin with \"{}\"", token_of(*grant_), grant_->prefix));
  return {};
}

Result<std::string_view> Scope::reach(std::string_view asked) const {
  if (asked.empty() && grant_ != nullptr) return std::string_view(grant_->prefix);
  if (auto ok = check_key(asked); !ok) return fail(ok.error());
  return asked;
}

std::size_t Scope::own_bytes() const { return entry_->key_prefix.size() + id_prefix_bytes(isolation_); }

std::string Scope::stored_key(std::string_view key) const {
  std::string stored;
  stored.reserve(own_bytes() + key.size());
  stored += entry_->key_prefix;
  append_record_id(stored, isolation_, key);
  return stored;
}

Error Scope::in_callers_words(Error error) const {
  const std::string own = own_prefix();
  if (own.empty()) return error;
  for (std::size_t at = error.message.find(own); at != std::string::npos; at = error.message.find(own, at))
    error.message.erase(at, own.size());
  return error;
}

}  // namespace holdfast::service
