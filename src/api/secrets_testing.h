// Secret stores for the tests of the secrets API: one store, "vault", or a failure.
#pragma once

#include <optional>
#include <utility>

#include "service/secrets.h"

namespace holdfast::api {

class FakeSecrets final : public service::SecretAccess {
 public:
  explicit FakeSecrets(service::Secrets secrets) : secrets_(std::move(secrets)) {}

  void fail(service::SecretFailure failure) { failure_ = std::move(failure); }

  service::SecretResult<service::Secret> get(std::string_view store, std::string_view key) const override {
    if (auto refused = refusal(store)) return std::unexpected(std::move(*refused));
    const auto found = secrets_.find(key);
    if (found != secrets_.end()) return found->second;
    return std::unexpected(service::SecretFailure{service::SecretFailure::Kind::store_failed, "no such secret"});
  }
  service::SecretResult<service::Secrets> get_all(std::string_view store) const override {
    if (auto refused = refusal(store)) return std::unexpected(std::move(*refused));
    return secrets_;
  }

 private:
  std::optional<service::SecretFailure> refusal(std::string_view store) const {
    if (!failure_ && store != "vault") return service::SecretFailure{service::SecretFailure::Kind::no_such_store};
    return failure_;
  }

  service::Secrets secrets_;
  std::optional<service::SecretFailure> failure_;
};

}  // namespace holdfast::api
