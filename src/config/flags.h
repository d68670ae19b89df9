// The command line: daprd's flags, so that a Dapr launcher can start Holdfast in daprd's place, and ours.
// One table says what each is called, takes and means; CLI11 is named only in flags.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::config {

enum class FlagKind : std::uint8_t {
  text,
  boolean,  // --x, --x=true; never takes the next argument
  integer,
  port,
  size,      // a Kubernetes quantity: 4Mi
  duration,  // of Go: 1m30s
  list,      // comma-separated, repeatable
};

struct FlagRow {
  std::string_view name;
  FlagKind kind = FlagKind::text;
  std::string_view fallback = "";
  std::string_view help = "";
  bool effective = true;  // false: accepted for daprd's launchers, does nothing
};
std::span<const FlagRow> flag_table();
// What help calls a value of that kind: PORT, DURATION.
std::string_view argument_name(FlagKind kind);

struct Flags {
  // As given or by default.
  std::string app_id;
  std::uint16_t dapr_http_port = 3500;
  std::uint16_t dapr_grpc_port = 50001;
  std::vector<std::string> dapr_listen_addresses;  // empty: all interfaces
  std::string unix_domain_socket;                  // a directory
  std::vector<std::string> resources_paths;        // --resources-path, else --components-path
  std::vector<std::string> configs;
  std::string mode = "standalone";
  std::uint64_t max_body_bytes = 4 << 20;  // 0: no limit
  std::uint64_t read_buffer_bytes = 4 << 10;
  std::string log_level = "info";
  bool log_as_json = false;
  std::string log_file;
  std::optional<bool> enable_api_logging;  // unset: as the Configuration resource says
  std::uint16_t metrics_port = 9090;
  std::string metrics_listen_address = "0.0.0.0";
  bool enable_metrics = true;
  std::chrono::seconds graceful_shutdown{5};  // 0: as long as it takes
  Milliseconds block_shutdown{0};
  std::vector<std::string> allowed_origins;  // empty: no CORS
  std::uint16_t app_port = 0;                // 0: the application listens on none
  std::string app_protocol = "http";
  std::string app_channel_address = "127.0.0.1";
  std::int64_t app_max_concurrency = -1;
  struct AppHealth {
    bool enabled = false;
    std::string path = "/healthz";
    std::int64_t interval_seconds = 5;
    std::int64_t timeout_ms = 500;
    std::int64_t threshold = 3;
  };
  AppHealth app_health;
  std::uint16_t dapr_public_port = 0;      // 0: none
  std::string dapr_public_listen_address;  // empty: all interfaces
  Milliseconds reconcile_interval{60'000};
  bool version = false;
  bool build_info = false;
  bool wait = false;
  bool help = false;

  // Ours.
  std::uint32_t loops = 0;  // 0: one per core
  std::uint64_t max_inflight_bytes = 64 << 20;
  std::uint32_t max_connections = 10'000;
  Milliseconds header_timeout{10'000};
  Milliseconds idle_timeout{0};  // 0: never
  std::string api_token_file;
  std::string tls_cert_file;  // empty: no TLS
  std::string tls_key_file;
  std::string tls_client_ca_file;             // empty: no certificate is asked for
  std::optional<bool> enable_dashboard;       // unset: as the way of starting has it
  std::optional<bool> keep_on_failed_reload;  // unset: as the way of starting has it

  std::vector<std::string> given;           // flags on the command line, in its order, each once
  std::vector<std::string> without_effect;  // those of them that do nothing here
  std::vector<std::string> arguments;       // what is no flag, and all that follows "--"

  bool is_given(std::string_view name) const;
};

// `arguments` without the program's name. A single dash before a long name counts as two. Errors are pflag's
// texts: "unknown flag: --x", "flag needs an argument: --x", "invalid argument ...". daprd exits with 2 for them.
Result<Flags> parse_flags(std::span<const std::string> arguments);

// What daprd checks when it starts (exit code 1): app id, mode, log level, ports that clash.
Status check_flags(const Flags& flags);

// The text of --help.
std::string flags_help();

}  // namespace holdfast::config
