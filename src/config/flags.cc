#include "config/flags.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "base/encoding.h"
#include "base/log.h"
#include "base/number.h"
#include "state/component.h"

namespace holdfast::config {
namespace {

using enum FlagKind;

constexpr bool kNoEffect = false;
constexpr std::array kTable = std::to_array<FlagRow>({
    {"app-id", text, "", "id of the application; part of its keys; without dots"},
    {"dapr-http-port", port, "3500", "port of the HTTP API"},
    {"dapr-grpc-port", port, "50001", "port of the gRPC API"},
    {"dapr-listen-addresses", list, "", "addresses to listen on; all interfaces when empty"},
    {"unix-domain-socket", text, "", "directory for sockets dapr-APPID-http.socket and -grpc.socket, instead of ports"},
    {"resources-path", list, "", "directories of component files"},
    {"components-path", list, "", "older name of --resources-path, used when that is not given"},
    {"config", list, "", "files with Configuration resources, each over what came before"},
    {"mode", text, "standalone", "standalone is the only mode there is"},
    {"max-body-size", size, "4Mi", "largest request body; 0: no limit"},
    {"dapr-http-max-request-size", integer, "-1", "older form of --max-body-size, in MiB"},
    {"read-buffer-size", size, "4Ki", "largest HTTP header"},
    {"dapr-http-read-buffer-size", integer, "-1", "older form of --read-buffer-size, in KiB"},
    {"log-level", text, "info", "debug, info, warn, error or fatal"},
    {"log-as-json", boolean, "false", "log lines are JSON"},
    {"log-file", text, "", "file to log to, instead of standard output"},
    {"enable-api-logging", boolean, "", "log every API call; wins over the Configuration"},
    {"metrics-port", port, "9090", "port of the Prometheus metrics"},
    {"metrics-listen-address", text, "0.0.0.0", "address of the Prometheus metrics"},
    {"enable-metrics", boolean, "true", "serve metrics"},
    {"dapr-graceful-shutdown-seconds", integer, "5", "longest wait for requests in flight at the end; 0: no bound"},
    {"dapr-block-shutdown-duration", duration, "", "keep serving this long after the signal to stop"},
    {"allowed-origins", list, "", "origins of web pages that may call the API (CORS); * for all"},
    {"app-port", port, "0", "port of the application, which is waited for; 0: none"},
    {"app-protocol", text, "http", "http, https, grpc, grpcs or h2c; shown in the metadata"},
    {"app-max-concurrency", integer, "-1", "shown in the metadata"},
    {"app-channel-address", text, "127.0.0.1", "address of the application"},
    {"enable-app-health-check", boolean, "false", "show the four flags below in the metadata"},
    {"app-health-check-path", text, "/healthz", "shown in the metadata"},
    {"app-health-probe-interval", integer, "5", "seconds; shown in the metadata"},
    {"app-health-probe-timeout", integer, "500", "milliseconds; shown in the metadata"},
    {"app-health-threshold", integer, "3", "shown in the metadata"},
    {"dapr-public-port", port, "0", "port with health and metadata only, without a token; 0: none"},
    {"dapr-public-listen-address", text, "", "address of --dapr-public-port; all interfaces when empty"},
    {"hot-reload-reconcile-interval", duration, "60s",
     "how often component files are looked at although nothing was heard"},
    {"version", boolean, "false", "print the version and exit"},
    {"build-info", boolean, "false", "print the build and exit"},
    {"wait", boolean, "false", "wait until a running sidecar is healthy, and exit"},

    {"loops", integer, "0", "event loops, one thread each; 0: one per core that may be used"},
    {"max-inflight-bytes", size, "64Mi", "memory for requests in flight; beyond it they are refused"},
    {"max-connections", integer, "10000", "connections beyond this are refused"},
    {"header-timeout", duration, "10s", "longest time for a request's header to arrive"},
    {"idle-timeout", duration, "0s", "close a connection that was idle this long; 0s: never"},
    {"api-token-file", text, "", "file with API tokens, plain or sha256:..., one a line; read again when it changes"},
    {"tls-cert-file", text, "", "PEM certificate chain: both ports speak TLS; read again when it changes"},
    {"tls-key-file", text, "", "PEM private key of --tls-cert-file"},
    {"tls-client-ca-file", text, "", "PEM authorities: clients have to show a certificate of one of them"},
    {"enable-dashboard", boolean, "",
     "serve the dashboard at /dashboard, to this machine or with an API token; "
     "the default with serve and run, where they listen on loopback"},
    {"keep-on-failed-reload", boolean, "",
     "keep a component as it was when its changed file is wrong, instead of ending; "
     "the default with serve and run"},

    {"dapr-internal-grpc-port", text, "", "", kNoEffect},
    {"dapr-internal-grpc-listen-address", text, "", "", kNoEffect},
    {"enable-profiling", boolean, "false", "", kNoEffect},
    {"profile-port", text, "7777", "", kNoEffect},
    {"profile-listen-address", text, "", "", kNoEffect},
    {"app-ssl", boolean, "false", "", kNoEffect},
    {"app-binding-options-timeout", text, "", "", kNoEffect},
    {"enable-mtls", boolean, "false", "", kNoEffect},
    {"sentry-address", text, "", "", kNoEffect},
    {"sentry-request-jwt-audiences", list, "", "", kNoEffect},
    {"control-plane-address", text, "", "", kNoEffect},
    {"control-plane-namespace", text, "", "", kNoEffect},
    {"control-plane-trust-domain", text, "", "", kNoEffect},
    {"placement-host-address", text, "", "", kNoEffect},
    {"scheduler-host-address", list, "", "", kNoEffect},
    {"scheduler-job-streams", text, "", "", kNoEffect},
    {"actors-service", text, "", "", kNoEffect},
    {"reminders-service", text, "", "", kNoEffect},
    {"actors-disseminate-timeout", text, "", "", kNoEffect},
    {"disable-builtin-k8s-secret-store", boolean, "false", "", kNoEffect},
    {"disable-init-endpoints", list, "", "", kNoEffect},
});

const FlagRow* find_row(std::string_view name) {
  for (const FlagRow& row : kTable)
    if (row.name == name) return &row;
  return nullptr;
}

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

struct Normalised {
  std::vector<std::string> flags;      // --name, value, --name, value ...: the form CLI11 cannot misread
  std::vector<std::string> given;      // in order, each once
  std::vector<std::string> arguments;  // the rest
  bool help = false;
};

// pflag's reading of argv, with daprd's single-dash long options.
class Normaliser {
 public:
  explicit Normaliser(std::span<const std::string> arguments) : arguments_(arguments) {}

  Result<Normalised> run() {
    for (; at_ < arguments_.size(); ++at_) {
      std::string_view argument = arguments_[at_];
      if (argument == "--") {
        out_.arguments.insert(out_.arguments.end(), arguments_.begin() + static_cast<std::ptrdiff_t>(at_) + 1,
                              arguments_.end());
        break;
      }
      if (argument.size() < 2 || argument[0] != '-') {
        out_.arguments.emplace_back(argument);
        continue;
      }
      argument.remove_prefix(argument[1] == '-' ? 2 : 1);
      if (auto taken = take(argument); !taken) return fail(std::move(taken.error()));
    }
    return std::move(out_);
  }

 private:
  Status take(std::string_view argument) {
    const std::size_t equals = argument.find('=');
    const std::string name(argument.substr(0, equals));
    if (name == "help" || name == "h") {
      out_.help = true;
      return {};
    }
    const FlagRow* row = find_row(name);
    if (row == nullptr) return refuse("unknown flag: --" + name);
    std::string value = "true";
    if (equals != std::string_view::npos) {
      value = std::string(argument.substr(equals + 1));
    } else if (row->kind != boolean) {
      if (at_ + 1 == arguments_.size()) return refuse("flag needs an argument: --" + name);
      value = arguments_[++at_];
    }
    out_.flags.push_back("--" + name);
    out_.flags.push_back(std::move(value));
    if (std::find(out_.given.begin(), out_.given.end(), name) == out_.given.end()) out_.given.push_back(name);
    return {};
  }

  std::span<const std::string> arguments_;
  std::size_t at_ = 0;
  Normalised out_;
};

// Every flag's values as text, by name. Filled in by CLI11.
using Values = std::map<std::string_view, std::vector<std::string>>;

void describe(CLI::App& app, Values& values) {
  app.set_help_flag();  // --help is ours to answer
  app.footer("  -h, --help                            print this text and exit");
  app.get_formatter()->column_width(40);
  for (const FlagRow& row : kTable) {
    CLI::Option* option = app.add_option_function<std::vector<std::string>>(
        "--" + std::string(row.name),
        [&list = values[row.name]](const std::vector<std::string>& given) { list = given; }, std::string(row.help));
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    option->default_str(std::string(row.fallback));
    option->type_name(std::string(argument_name(row.kind)));
    option->group(row.effective ? "Flags" : "Flags of daprd that are accepted and do nothing");
  }
}

Result<bool> to_boolean(std::string_view value) {
  for (const std::string_view word : {"1", "t", "T", "TRUE", "true", "True"})
    if (value == word) return true;
  for (const std::string_view word : {"0", "f", "F", "FALSE", "false", "False"})
    if (value == word) return false;
  return fail(Errc::invalid_argument, "must be true or false");
}

Result<std::int64_t> to_integer(std::string_view value, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  if (!read_number(value, number) || number < least || number > most)
    return fail(Errc::invalid_argument, fmt::format("must be an integer from {} to {}", least, most));
  return number;
}

// Reads what CLI11 found into Flags. The first value that cannot be read ends it; error() is pflag's text then.
class Reader {
 public:
  explicit Reader(const Values& values) : values_(values) {}

  // The given value, the last of several; nothing when the flag is not given.
  template <class T>
  void read(std::string_view name, T& out) {
    const auto found = values_.find(name);
    if (!status_ || found == values_.end() || found->second.empty()) return;
    if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      for (const std::string& value : found->second)
        for (const std::string_view part : split(value, ',')) out.emplace_back(part);
    } else {
      const std::string& value = found->second.back();
      if (auto read = assign(value, out); !read)
        status_ =
            refuse(fmt::format("invalid argument \"{}\" for \"--{}\" flag: {}", value, name, read.error().message));
    }
  }

  const Status& status() const { return status_; }

 private:
  static Status assign(const std::string& value, std::string& out) {
    out = value;
    return {};
  }
  static Status assign(const std::string& value, bool& out) { return keep(to_boolean(value), out); }
  static Status assign(const std::string& value, std::optional<bool>& out) { return keep(to_boolean(value), out); }
  static Status assign(const std::string& value, std::uint16_t& out) { return keep(to_integer(value, 0, 65535), out); }
  static Status assign(const std::string& value, std::uint32_t& out) {
    return keep(to_integer(value, 0, std::numeric_limits<std::int32_t>::max()), out);
  }
  static Status assign(const std::string& value, std::int64_t& out) {
    constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
    return keep(to_integer(value, -kMost, kMost), out);
  }
  static Status assign(const std::string& value, std::uint64_t& out) { return keep(state::parse_quantity(value), out); }
  static Status assign(const std::string& value, Milliseconds& out) {
    auto duration = state::parse_go_duration(value);
    if (duration && duration->count() < 0) return fail(Errc::invalid_argument, "must not be negative");
    return keep(std::move(duration), out);
  }

  template <class From, class To>
  static Status keep(Result<From> from, To& to) {
    if (!from) return fail(std::move(from.error()));
    to = static_cast<To>(*from);
    return {};
  }

  const Values& values_;
  Status status_;
};

void read_daprs(Reader& reader, Flags& flags) {
  reader.read("app-id", flags.app_id);
  reader.read("dapr-http-port", flags.dapr_http_port);
  reader.read("dapr-grpc-port", flags.dapr_grpc_port);
  reader.read("dapr-listen-addresses", flags.dapr_listen_addresses);
  reader.read("unix-domain-socket", flags.unix_domain_socket);
  reader.read("resources-path", flags.resources_paths);
  if (flags.resources_paths.empty()) reader.read("components-path", flags.resources_paths);
  reader.read("config", flags.configs);
  reader.read("mode", flags.mode);
  reader.read("log-level", flags.log_level);
  reader.read("log-as-json", flags.log_as_json);
  reader.read("log-file", flags.log_file);
  reader.read("enable-api-logging", flags.enable_api_logging);
  reader.read("metrics-port", flags.metrics_port);
  reader.read("metrics-listen-address", flags.metrics_listen_address);
  reader.read("enable-metrics", flags.enable_metrics);
  reader.read("dapr-block-shutdown-duration", flags.block_shutdown);
  reader.read("allowed-origins", flags.allowed_origins);
  reader.read("app-port", flags.app_port);
  reader.read("app-protocol", flags.app_protocol);
  reader.read("app-max-concurrency", flags.app_max_concurrency);
  reader.read("app-channel-address", flags.app_channel_address);
  reader.read("enable-app-health-check", flags.app_health.enabled);
  reader.read("app-health-check-path", flags.app_health.path);
  reader.read("app-health-probe-interval", flags.app_health.interval_seconds);
  reader.read("app-health-probe-timeout", flags.app_health.timeout_ms);
  reader.read("app-health-threshold", flags.app_health.threshold);
  reader.read("dapr-public-port", flags.dapr_public_port);
  reader.read("dapr-public-listen-address", flags.dapr_public_listen_address);
  reader.read("hot-reload-reconcile-interval", flags.reconcile_interval);
  reader.read("version", flags.version);
  reader.read("build-info", flags.build_info);
  reader.read("wait", flags.wait);
  std::int64_t graceful_seconds = flags.graceful_shutdown.count();
  reader.read("dapr-graceful-shutdown-seconds", graceful_seconds);
  if (graceful_seconds >= 0) flags.graceful_shutdown = std::chrono::seconds(graceful_seconds);
}

// The new names beat the old ones, whose -1 is the default.
void read_sizes(Reader& reader, Flags& flags) {
  std::int64_t body_mib = -1;
  std::int64_t buffer_kib = -1;
  reader.read("dapr-http-max-request-size", body_mib);
  reader.read("dapr-http-read-buffer-size", buffer_kib);
  if (body_mib >= 0) flags.max_body_bytes = static_cast<std::uint64_t>(body_mib) << 20U;
  if (buffer_kib >= 0) flags.read_buffer_bytes = static_cast<std::uint64_t>(buffer_kib) << 10U;
  reader.read("max-body-size", flags.max_body_bytes);
  reader.read("read-buffer-size", flags.read_buffer_bytes);
}

void read_ours(Reader& reader, Flags& flags) {
  reader.read("loops", flags.loops);
  reader.read("max-inflight-bytes", flags.max_inflight_bytes);
  reader.read("max-connections", flags.max_connections);
  reader.read("header-timeout", flags.header_timeout);
  reader.read("idle-timeout", flags.idle_timeout);
  reader.read("api-token-file", flags.api_token_file);
  reader.read("tls-cert-file", flags.tls_cert_file);
  reader.read("tls-key-file", flags.tls_key_file);
  reader.read("tls-client-ca-file", flags.tls_client_ca_file);
  reader.read("enable-dashboard", flags.enable_dashboard);
  reader.read("keep-on-failed-reload", flags.keep_on_failed_reload);
}

constexpr const char* kDescription =
    "Holdfast keeps the state of an application: a sidecar with Dapr's state API over the database you choose.";

}  // namespace

std::span<const FlagRow> flag_table() { return kTable; }

std::string_view argument_name(FlagKind kind) {
  static constexpr std::array<std::string_view, 7> kNames{"TEXT", "[BOOL]", "N", "PORT", "SIZE", "DURATION", "A,B,..."};
  return kNames.at(static_cast<std::size_t>(kind));
}

bool Flags::is_given(std::string_view name) const { return std::find(given.begin(), given.end(), name) != given.end(); }

Result<Flags> parse_flags(std::span<const std::string> arguments) {
  auto normalised = Normaliser(arguments).run();
  if (!normalised) return fail(std::move(normalised.error()));
  Values values;
  CLI::App app;
  describe(app, values);
  try {
    // CLI11 takes the arguments from the back.
    std::vector<std::string> reversed(normalised->flags.rbegin(), normalised->flags.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  Flags flags;
  Reader reader(values);
  read_daprs(reader, flags);
  read_sizes(reader, flags);
  read_ours(reader, flags);
  if (!reader.status()) return fail(reader.status().error());
  flags.help = normalised->help;
  flags.given = std::move(normalised->given);
  flags.arguments = std::move(normalised->arguments);
  for (const std::string& name : flags.given)
    if (!find_row(name)->effective) flags.without_effect.push_back(name);
  return flags;
}

Status check_flags(const Flags& flags) {
  if (flags.app_id.empty()) return refuse("parameter app-id cannot be empty");
  if (flags.app_id.find('.') != std::string::npos) return refuse("parameter app-id cannot contain dots");
  if (flags.mode == "kubernetes") return refuse("mode kubernetes is not supported; use standalone");
  if (flags.mode != "standalone") return refuse("invalid mode: " + flags.mode);
  if (flags.tls_cert_file.empty() != flags.tls_key_file.empty())
    return refuse("--tls-cert-file and --tls-key-file belong together; give both");
  if (flags.tls_cert_file.empty() && !flags.tls_client_ca_file.empty())
    return refuse("--tls-client-ca-file needs --tls-cert-file and --tls-key-file");
  log::Level level{};
  if (!log::parse_level(flags.log_level, level)) return refuse("invalid value for --log-level: " + flags.log_level);
  if (flags.app_port != 0 && flags.app_port == flags.dapr_http_port)
    return refuse(fmt::format("the 'dapr-http-port' argument value {} conflicts with 'app-port'", flags.app_port));
  if (flags.app_port != 0 && flags.app_port == flags.dapr_grpc_port)
    return refuse(fmt::format("the 'dapr-grpc-port' argument value {} conflicts with 'app-port'", flags.app_port));
  return {};
}

std::string flags_help() {
  Values values;
  CLI::App app{kDescription, "holdfast"};
  describe(app, values);
  return app.help();
}

}  // namespace holdfast::config
