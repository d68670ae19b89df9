// What a state.memcached component file may say.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/endpoint.h"
#include "state/component.h"

namespace holdfast::stores::memcached {

extern const std::array<state::Setting, 3> kFields;
// Those of Dapr's store, which has none, and the two that ours has.
extern const std::array<std::string_view, 2> kDaprFeatures;

struct MemcachedSettings {
  std::string component;
  std::vector<net::Endpoint> hosts;  // in the order that decides which of them has a key
  Milliseconds timeout{1000};        // of a connect, and of a reply

  // Errc::invalid_argument says component, field, file and why.
  static Result<MemcachedSettings> read(const state::Component& component);
};

// `hosts`: host:port, host, [v6]:port or the path of a socket, which is what has a / in it; several with commas
// between. Errors say what is wrong with which part.
Result<std::vector<net::Endpoint>> parse_hosts(std::string_view text);

}  // namespace holdfast::stores::memcached
