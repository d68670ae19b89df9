// The JSON of a secrets file as secrets. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "secrets/store.h"

namespace holdfast::secrets {

// Bounds on what is made of a file of at most 1 MiB: names repeat their parents', so they can be far longer than it.
inline constexpr std::size_t kSecretDepthMax = 64;
inline constexpr std::size_t kSecretNameBytesMax = 16 << 20;  // of all names together

struct Flattening {
  std::string_view separator = ":";
  // False: every leaf is a secret of one value, called after its path: {"a":{"b":["x"]}} has "a:b:0". True: every
  // member is a secret, and the paths below it are the names of its values: "a" has "b:0".
  bool multi_valued = false;
};

// Strings are taken as they are, numbers and booleans as JSON writes them, null as nothing ("").
// Errc::invalid_argument says why and never quotes a value: not JSON, no object, a path that two leaves have, a bound.
Result<Secrets> flatten(std::string_view text, const Flattening& how);

}  // namespace holdfast::secrets
