#include "secrets/table.h"

#include <fmt/format.h>

#include <mutex>
#include <utility>

namespace holdfast::secrets {

using service::SecretFailure;
using Kind = SecretFailure::Kind;

namespace {

std::unexpected<SecretFailure> fails(Kind kind, std::string text = {}) {
  return std::unexpected(SecretFailure{kind, std::move(text)});
}

std::string supported_types() {
  std::string names;
  for (const SecretStoreType* type : types()) names.append(names.empty() ? "" : ", ").append(type->type);
  return names;
}

}  // namespace

Status SecretTable::open(const state::Component& component) {
  const SecretStoreType* type = find_type(component.type, component.version);
  if (type == nullptr)
    return fail(config::creation_failure(
        component, Error(Errc::not_found, fmt::format("couldn't find secret store {}/{}; this version has {}",
                                                      component.type, component.version, supported_types()))));
  auto opened = type->open(component, variables_);
  if (!opened) return fail(config::init_failure(component, opened.error()));
  std::shared_ptr<const SecretStore> store = std::move(*opened);
  const std::unique_lock lock(mutex_);
  stores_.insert_or_assign(component.name, std::move(store));
  return {};
}

void SecretTable::remove(std::string_view name) {
  const std::unique_lock lock(mutex_);
  if (const auto found = stores_.find(name); found != stores_.end()) stores_.erase(found);
}

void SecretTable::set_scopes(std::vector<config::SecretScope> scopes) {
  const std::unique_lock lock(mutex_);
  scopes_ = std::move(scopes);
}

bool SecretTable::configured() const {
  const std::shared_lock lock(mutex_);
  return !stores_.empty();
}

bool SecretTable::has_store(std::string_view name) const { return find(name) != nullptr; }

std::vector<std::string> SecretTable::capabilities(std::string_view name) const {
  const auto store = find(name);
  return store ? store->capabilities() : std::vector<std::string>();
}

Result<std::string> SecretTable::fetch(const config::SecretReference& reference) {
  const auto store = find(reference.store);
  if (!store) return fail(Errc::not_found, fmt::format("secret store {} is not loaded", reference.store));
  auto secret = store->get(reference.name);
  if (!secret) return fail(std::move(secret.error()));
  const auto value = secret->find(reference.key);
  if (value == secret->end())
    return fail(Errc::not_found, fmt::format("secret {} has no key {}", reference.name, reference.key));
  return std::move(value->second);
}

service::SecretResult<Secret> SecretTable::get(std::string_view store_name, std::string_view key) const {
  const auto store = find(store_name);
  if (!store) return fails(configured() ? Kind::no_such_store : Kind::no_stores);
  if (!allows(store_name, key)) return fails(Kind::denied);
  auto secret = store->get(key);
  if (!secret) return fails(Kind::store_failed, std::move(secret.error().message));
  return std::move(*secret);
}

service::SecretResult<Secrets> SecretTable::get_all(std::string_view store_name) const {
  const auto store = find(store_name);
  if (!store) return fails(configured() ? Kind::no_such_store : Kind::no_stores);
  auto secrets = store->all();
  if (!secrets) return fails(Kind::store_failed, std::move(secrets.error().message));
  std::erase_if(*secrets, [&](const auto& secret) { return !allows(store_name, secret.first); });
  return std::move(*secrets);
}

std::shared_ptr<const SecretStore> SecretTable::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = stores_.find(name);
  return found == stores_.end() ? nullptr : found->second;
}

bool SecretTable::allows(std::string_view store, std::string_view key) const {
  const std::shared_lock lock(mutex_);
  return config::secret_allowed(scopes_, store, key);
}

}  // namespace holdfast::secrets
