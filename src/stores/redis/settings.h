// What a state.redis component file may say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/endpoint.h"
#include "state/component.h"
#include "stores/redis/query_text.h"

namespace holdfast::stores::redis {

inline constexpr std::size_t kFieldCount = 53;
extern const std::array<state::Setting, kFieldCount> kFields;
// As Dapr declares them where the server has no RedisJSON; QUERY_API comes last where it has.
extern const std::array<std::string_view, 4> kDaprFeatures;
extern const std::array<std::string_view, 5> kDaprFeaturesWithJson;

// Where a server listens.
using Address = net::Endpoint;

enum class Topology : std::uint8_t { node, cluster, sentinel };

struct Credentials {
  std::string username;
  std::string password;  // empty: no AUTH at all, as in Dapr
};

struct TlsSettings {
  bool enabled = false;
  bool verify = true;
  std::string ca_pem;  // empty: the system's
  std::string certificate_pem, key_pem;
  std::string server_name;  // empty: the host connected to
};

struct RedisSettings {
  std::string component;
  std::string file;  // of the component, for messages
  Topology topology = Topology::node;
  std::vector<Address> addresses;  // the node; some nodes of the cluster; the sentinels
  std::string sentinel_master;
  Credentials login;
  Credentials sentinel_login;
  std::uint32_t database = 0;
  TlsSettings tls;

  // Connects and reads are tried again so often, never a write whose reply was lost.
  std::uint32_t retries_max = 3;
  Milliseconds retry_wait_min{2000};
  Milliseconds retry_wait_max{512};
  Milliseconds connect_timeout{5000};
  Milliseconds read_timeout{3000};
  Milliseconds write_timeout{3000};
  Milliseconds idle_close{0};  // 0: never

  std::optional<Milliseconds> default_ttl;  // of a set that names none
  // How many replicas a strong write waits for; unset: the most that were seen.
  std::optional<std::uint32_t> replicas;
  Milliseconds staleness_max{5000};  // of a reading at bounded-staleness
  bool wait_aof = false;  // a strong write also waits for the append-only files (WAITAOF, server 7.2)
  bool dapr_lenient = false;
  std::vector<SearchIndex> indexes;

  // Reads the files that certificates and keys name. Errc::invalid_argument says component, field, file and why;
  // Errc::unsupported for ways to sign in that are not built.
  static Result<RedisSettings> read(const state::Component& component);
};

// `redisHost`: host, host:port, [v6]:port, a bare IPv6 address, /path or unix:///path; several with commas between.
// `port` is of those that name none; `port_is_given`: another one in an address is an error, as in Dapr. Errors are
// Errc::invalid_argument and say what is wrong with which part.
Result<std::vector<Address>> parse_addresses(std::string_view text, std::uint16_t port, bool port_is_given);

}  // namespace holdfast::stores::redis
