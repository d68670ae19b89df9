#include "api/secrets.h"

#include <utility>

namespace holdfast::api {
namespace {

using service::SecretFailure;
using Kind = SecretFailure::Kind;

// `key` is null where all secrets of the store were asked for.
ApiError error_of(const SecretFailure& failure, std::string_view store, const std::string_view* key) {
  switch (failure.kind) {
    case Kind::no_stores:
      return secret_stores_not_configured();
    case Kind::no_such_store:
      return secret_store_not_found(store);
    case Kind::denied:
      return secret_denied(store, key != nullptr ? *key : std::string_view());
    case Kind::store_failed:
      break;
  }
  return key != nullptr ? secret_failed(store, *key, failure.text) : bulk_secret_failed(store, failure.text);
}

}  // namespace

ApiResult<service::Secret> get_secret(const service::Runtime& runtime, std::string_view store, std::string_view key) {
  if (runtime.secrets == nullptr) return std::unexpected(secret_stores_not_configured());
  auto secret = runtime.secrets->get(store, key);
  if (!secret) return std::unexpected(error_of(secret.error(), store, &key));
  return std::move(*secret);
}

ApiResult<service::Secrets> get_bulk_secret(const service::Runtime& runtime, std::string_view store) {
  if (runtime.secrets == nullptr) return std::unexpected(secret_stores_not_configured());
  auto secrets = runtime.secrets->get_all(store);
  if (!secrets) return std::unexpected(error_of(secrets.error(), store, nullptr));
  return std::move(*secrets);
}

}  // namespace holdfast::api
