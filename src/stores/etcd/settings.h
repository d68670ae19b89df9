// What a state.etcd component file may say.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/endpoint.h"
#include "state/component.h"
#include "stores/etcd/layout.h"

namespace holdfast::stores::etcd {

inline constexpr std::size_t kFieldCount = 14;
extern const std::array<state::Setting, kFieldCount> kFields;
extern const std::array<std::string_view, 4> kDaprFeatures;

struct EtcdSettings {
  std::string component;
  Layout layout = Layout::v1;
  std::vector<net::Endpoint> endpoints;
  std::string key_prefix;
  std::string username;  // empty: nobody is signed in
  std::string password;
  bool uses_tls = false;
  bool verify = true;
  std::string ca_pem, certificate_pem, key_pem, server_name;
  std::uint32_t transaction_ops_max = 128;  // as the server's
  std::uint64_t request_bytes_max = 0;
  Milliseconds timeout{5000};  // of an operation
  Milliseconds connect_timeout{5000};

  // `component "orders" (state.etcd)`, for messages.
  std::string place() const;

  // Reads the files that certificates and keys name. Errc::invalid_argument says component, field, file and why.
  static Result<EtcdSettings> read(const state::Component& component, Layout layout);
};

}  // namespace holdfast::stores::etcd
