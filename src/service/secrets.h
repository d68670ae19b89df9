// What the secrets API needs of the process: the loaded secret stores, seen through the scopes of the Configuration.
// Thread-safe; nothing blocks.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::service {

struct SecretFailure {
  enum class Kind : std::uint8_t {
    no_stores,  // none is loaded
    no_such_store,
    denied,        // a scope forbids the key
    store_failed,  // `text` is the store's
  };
  Kind kind = Kind::store_failed;
  std::string text = {};
};

using Secret = std::map<std::string, std::string, std::less<>>;  // name -> value
using Secrets = std::map<std::string, Secret, std::less<>>;      // by key
template <class T>
using SecretResult = std::expected<T, SecretFailure>;

class SecretAccess {
 public:
  virtual ~SecretAccess() = default;
  virtual SecretResult<Secret> get(std::string_view store, std::string_view key) const = 0;
  // Without the keys that a scope forbids.
  virtual SecretResult<Secrets> get_all(std::string_view store) const = 0;
};

}  // namespace holdfast::service
