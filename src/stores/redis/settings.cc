#include "stores/redis/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <system_error>

#include "base/encoding.h"
#include "base/number.h"
#include "state/field_groups.h"
#include "state/pem_field.h"

namespace holdfast::stores::redis {
namespace {

using state::Setting;
using state::SettingKind;

constexpr std::string_view kNoTokens =
    "asks to sign in with a token, which this version does not do; remove the field and sign in with redisUsername and "
    "redisPassword";

constexpr auto kAddressFields = std::to_array<Setting>({
    {.name = "redisHost",
     .help = "host:port, or unix:///path of a socket; several, with commas between, of a cluster or of sentinels",
     .required = true},
    {.name = "redisPort", .kind = SettingKind::integer, .fallback = "6379", .help = "port of hosts that name none"},
    {.name = "redisUsername", .help = "user of an access control list"},
    {.name = "redisPassword", .help = "password of the user, or of the server", .secret = true},
    {.name = "redisDB",
     .kind = SettingKind::integer,
     .fallback = "0",
     .help = "number of the database; not of a cluster"},
    {.name = "redisType", .fallback = "node", .help = "one node, or a cluster", .choices = "node cluster"},
    {.name = "failover", .kind = SettingKind::boolean, .fallback = "false", .help = "redisHost names sentinels"},
    {.name = "sentinelMasterName", .help = "the primary's name to the sentinels"},
    {.name = "sentinelUsername", .help = "user at the sentinels"},
    {.name = "sentinelPassword", .help = "password at the sentinels", .secret = true},
    {.name = "maxStaleness",
     .kind = SettingKind::duration,
     .fallback = "5s",
     .help = "how far behind a reading at bounded-staleness may be; Dapr has no such field"},
    {.name = "replicas",
     .kind = SettingKind::integer,
     .help = "replicas that a strong write waits for; by default the most that were seen; Dapr has no such field"},
    {.name = "waitAOF",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "a strong write also waits until it is in the append-only files (WAITAOF, server 7.2 or later); Dapr has "
             "no such field"},
});

constexpr auto kConnectionFields = std::to_array<Setting>({
    {.name = "redisMaxRetries",
     .kind = SettingKind::integer,
     .fallback = "3",
     .help = "tries again of connects and reads; -1: none",
     .alias = "maxRetries"},
    {.name = "redisMinRetryInterval",
     .kind = SettingKind::duration,
     .fallback = "2s",
     .help = "the shortest wait before a try, at most redisMaxRetryInterval"},
    {.name = "maxRetryBackoff",
     .help = "older name of redisMinRetryInterval, used when that is not given: a duration, or a number of "
             "nanoseconds; Dapr reads only the number"},
    {.name = "redisMaxRetryInterval",
     .kind = SettingKind::duration,
     .fallback = "512ms",
     .help = "the longest wait before a try"},
    {.name = "dialTimeout",
     .kind = SettingKind::duration,
     .fallback = "5s",
     .help = "the longest connect; of this and the next two, -1s: no limit"},
    {.name = "readTimeout", .kind = SettingKind::duration, .fallback = "3s", .help = "the longest wait for a reply"},
    {.name = "writeTimeout",
     .kind = SettingKind::duration,
     .fallback = "3s",
     .help = "the longest wait for the socket"},
    {.name = "poolSize",
     .kind = SettingKind::integer,
     .help = "of Dapr's pool of connections; not used here, where requests share connections"},
    {.name = "minIdleConns", .kind = SettingKind::integer, .fallback = "0", .help = "as poolSize"},
    {.name = "maxConnAge", .kind = SettingKind::duration, .fallback = "0", .help = "as poolSize"},
    {.name = "poolTimeout", .kind = SettingKind::duration, .help = "as poolSize"},
    {.name = "idleTimeout",
     .kind = SettingKind::duration,
     .help = "idle time after which a connection is closed; by default never"},
    {.name = "idleCheckFrequency", .kind = SettingKind::duration, .fallback = "1m", .help = "as poolSize"},
    {.name = "enableTLS", .kind = SettingKind::boolean, .fallback = "false", .help = "use TLS"},
    {.name = "insecureSkipTLSVerify",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "accept any certificate: for tests"},
    {.name = "caCert",
     .help = "certificates to trust instead of the system's, PEM text or the path of a file; Dapr has no such field"},
    {.name = "serverName", .help = "name the server's certificate has to have; Dapr has no such field"},
    {.name = "clientCert", .help = "certificate of ours, PEM text or the path of a file"},
    {.name = "clientKey", .help = "its key, PEM text or the path of a file", .secret = true},
});

constexpr auto kDataFields = std::to_array<Setting>({
    {.name = "ttlInSeconds",
     .kind = SettingKind::integer,
     .help = "time to live of records that are saved without one"},
    {.name = "queryIndexes", .help = "JSON: [{\"name\":...,\"indexes\":[{\"key\":...,\"type\":...}]}]"},
});

constexpr auto kTokenFields = std::to_array<Setting>({
    {.name = "useEntraID",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "a token of Microsoft Entra ID is the password",
     .refusal = kNoTokens},
    {.name = "useOIDC",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "an OAuth 2 token is the password",
     .refusal = kNoTokens},
    {.name = "oidcTokenEndpoint", .help = "URL where that token is had"},
    {.name = "oidcClientID", .help = "client id"},
    {.name = "oidcClientAssertionCert", .help = "PEM certificate of the client"},
    {.name = "oidcClientAssertionKey", .help = "its key", .secret = true},
    {.name = "oidcResource", .help = "resource asked for"},
    {.name = "oidcAudience", .help = "audience asked for"},
    {.name = "oidcScopes", .fallback = "openid", .help = "scopes asked for"},
    {.name = "oidcKid", .help = "id of the client's key"},
    {.name = "oidcCACert", .help = "PEM certificates that the token endpoint is trusted by"},
});

// What stands for "no limit": long enough for any call, short enough to add to a point in time.
constexpr Milliseconds kNoLimit = std::chrono::hours(24);

// Reads one component; the first thing wrong with it ends the reading.
class Reader {
 public:
  Reader(const state::Component& component, const state::Settings& fields) : component_(component), fields_(fields) {}

  Result<RedisSettings> read() {
    for (const auto step : {&Reader::sign_in, &Reader::servers, &Reader::retries, &Reader::timeouts, &Reader::tls,
                            &Reader::replication, &Reader::data})
      if (Status status = (this->*step)(); !status) return fail(std::move(status.error()));
    return std::move(out_);
  }

 private:
  std::unexpected<Error> refuse(std::string_view field, std::string_view why, Errc code = Errc::invalid_argument) {
    std::string where;
    if (!component_.file.empty())
      where = fmt::format(" ({}{})", component_.file, component_.line > 0 ? fmt::format(":{}", component_.line) : "");
    return fail(code, fmt::format("component \"{}\" ({}): field \"{}\" {}{}", component_.name, component_.type, field,
                                  why, where));
  }

  Status sign_in() {
    for (const char* field : {"useEntraID", "useOIDC"})
      if (fields_.boolean(field)) return refuse(field, kNoTokens, Errc::unsupported);
    out_.component = component_.name;
    out_.file = component_.file;
    out_.login = {fields_.text("redisUsername"), fields_.text("redisPassword")};
    out_.sentinel_login = {fields_.text("sentinelUsername"), fields_.text("sentinelPassword")};
    return {};
  }

  Status servers() {
    const std::int64_t port = fields_.integer("redisPort");
    if (port < 1 || port > 65535) return refuse("redisPort", "must be between 1 and 65535");
    auto addresses =
        parse_addresses(fields_.text("redisHost"), static_cast<std::uint16_t>(port), fields_.has("redisPort"));
    if (!addresses) return refuse("redisHost", addresses.error().message);
    out_.addresses = std::move(*addresses);
    const std::int64_t database = fields_.integer("redisDB");
    if (database < 0 || database > std::numeric_limits<std::int32_t>::max())
      return refuse("redisDB", "must be the number of a database, from 0");
    out_.database = static_cast<std::uint32_t>(database);
    return topology();
  }

  Status topology() {
    const bool is_cluster = iequals(fields_.text("redisType"), "cluster");
    out_.sentinel_master = fields_.text("sentinelMasterName");
    if (fields_.boolean("failover")) {
      // With both, Dapr reads from replicas of the sentinels' primary too; it is no cluster.
      out_.topology = Topology::sentinel;
      if (out_.sentinel_master.empty()) return refuse("sentinelMasterName", "is needed where failover is true");
    } else if (is_cluster) {
      out_.topology = Topology::cluster;
      out_.database = 0;  // a cluster has one; Dapr ignores the field too
    } else if (out_.addresses.size() > 1) {
      return refuse("redisHost", "names several servers; set redisType to cluster, or failover to true for sentinels");
    }
    return {};
  }

  Status retries() {
    const std::int64_t count = fields_.integer("redisMaxRetries");
    if (count < -1 || count > 1000) return refuse("redisMaxRetries", "must be between -1 and 1000");
    out_.retries_max = static_cast<std::uint32_t>(std::max<std::int64_t>(count, 0));
    out_.retry_wait_min = fields_.duration("redisMinRetryInterval");
    if (!fields_.has("redisMinRetryInterval") && !fields_.text("maxRetryBackoff").empty()) {
      const auto backoff = parse_backoff(fields_.text("maxRetryBackoff"));
      if (!backoff) return refuse("maxRetryBackoff", "must be a duration such as 2000ms, or a number of nanoseconds");
      out_.retry_wait_min = *backoff;
    }
    out_.retry_wait_max = fields_.duration("redisMaxRetryInterval");
    if (out_.retry_wait_max <= Milliseconds(0)) out_.retry_wait_max = Milliseconds(512);
    // As in Dapr's driver, whose waits never exceed the longest: Dapr's own default for the shortest does.
    out_.retry_wait_min = std::clamp(out_.retry_wait_min, Milliseconds(0), out_.retry_wait_max);
    return {};
  }

  // Dapr reads a number of nanoseconds; our courses write "2000ms".
  static std::optional<Milliseconds> parse_backoff(std::string_view text) {
    text = trim(text);
    std::int64_t nanoseconds = 0;
    if (read_number(text, nanoseconds)) return std::chrono::ceil<Milliseconds>(std::chrono::nanoseconds(nanoseconds));
    const auto duration = state::parse_go_duration(text);
    return duration ? std::optional(*duration) : std::nullopt;
  }

  Milliseconds timeout(std::string_view field, Milliseconds fallback) {
    const Milliseconds given = fields_.duration(field);
    if (given.count() == 0) return fallback;
    return given.count() < 0 ? kNoLimit : std::min(given, kNoLimit);
  }

  Status timeouts() {
    out_.connect_timeout = timeout("dialTimeout", out_.connect_timeout);
    out_.read_timeout = timeout("readTimeout", out_.read_timeout);
    out_.write_timeout = timeout("writeTimeout", out_.write_timeout);
    out_.idle_close = std::clamp(fields_.duration("idleTimeout"), Milliseconds(0), kNoLimit);
    return {};
  }

  Status tls() {
    out_.tls.enabled = fields_.boolean("enableTLS");
    out_.tls.verify = !fields_.boolean("insecureSkipTLSVerify");
    out_.tls.server_name = fields_.text("serverName");
    if (!out_.tls.enabled) return {};
    for (const auto& [field, pem] : {std::pair<const char*, std::string*>{"caCert", &out_.tls.ca_pem},
                                     {"clientCert", &out_.tls.certificate_pem},
                                     {"clientKey", &out_.tls.key_pem}})
      if (Status status = read_pem(field, *pem); !status) return status;
    if (out_.tls.certificate_pem.empty() != out_.tls.key_pem.empty())
      return refuse(out_.tls.key_pem.empty() ? "clientCert" : "clientKey",
                    "needs the other one beside it: clientCert and clientKey belong together");
    return {};
  }

  Status read_pem(const char* field, std::string& out) {
    auto text = state::pem_of(fields_.text(field));
    if (!text) return refuse(field, text.error().message);
    out = std::move(*text);
    return {};
  }

  Status replication() {
    out_.staleness_max = timeout("maxStaleness", out_.staleness_max);
    out_.wait_aof = fields_.boolean("waitAOF");
    if (fields_.text("replicas").empty()) return {};
    const std::int64_t replicas = fields_.integer("replicas");
    if (replicas < 0 || replicas > 1000) return refuse("replicas", "must be between 0 and 1000");
    out_.replicas = static_cast<std::uint32_t>(replicas);
    return {};
  }

  Status data() {
    if (const std::int64_t ttl = fields_.integer("ttlInSeconds"); ttl > std::numeric_limits<std::int32_t>::max())
      return refuse("ttlInSeconds", "must be at most 2147483647");
    else if (ttl > 0)
      out_.default_ttl = std::chrono::seconds(ttl);
    auto indexes = parse_search_indexes(fields_.text("queryIndexes"));
    if (!indexes) return refuse("queryIndexes", indexes.error().message);
    out_.indexes = std::move(*indexes);
    // A field of every component: the table of this store does not have it.
    for (const auto& [name, value] : component_.properties)
      if (iequals(name, "daprLenient")) out_.dapr_lenient = state::truthy(value);
    return {};
  }

  const state::Component& component_;
  const state::Settings& fields_;
  RedisSettings out_;
};

std::unexpected<Error> refuse_address(std::string_view text, std::string_view why) {
  return fail(Errc::invalid_argument, fmt::format("has the address \"{}\", {}", text, why));
}

Result<Address> parse_address(std::string_view text, std::uint16_t port, bool port_is_given) {
  constexpr std::string_view kUnix = "unix://";
  Address address;
  if (text.starts_with('/') || text.starts_with(kUnix)) {
    address.unix_path = text.starts_with(kUnix) ? text.substr(kUnix.size()) : text;
    // What sockaddr_un holds, less its end.
    if (!address.unix_path.starts_with('/') || address.unix_path.size() > 107)
      return refuse_address(text, "which is not the absolute path of a socket, of at most 107 bytes");
    return address;
  }
  if (text.contains("://")) return refuse_address(text, "which is a URL; write host:port, and enableTLS for TLS");
  std::string_view port_text;
  const std::size_t colon = text.find(':');
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || (end + 1 < text.size() && text[end + 1] != ':'))
      return refuse_address(text, "whose brackets do not match");
    address.host = text.substr(1, end - 1);
    if (end + 1 < text.size()) port_text = text.substr(end + 2);
    if (end + 2 == text.size()) return refuse_address(text, "whose port is missing");
  } else if (colon != std::string_view::npos && colon == text.rfind(':')) {
    address.host = text.substr(0, colon);
    port_text = text.substr(colon + 1);
    if (port_text.empty()) return refuse_address(text, "whose port is missing");
  } else {
    address.host = text;  // a name, or an IPv6 address without brackets
  }
  if (address.host.empty()) return refuse_address(text, "which has no host");
  address.port = port;
  if (port_text.empty()) return address;
  if (!read_number(port_text, address.port) || address.port == 0)
    return refuse_address(text, "whose port is not a number from 1 to 65535");
  if (port_is_given && address.port != port)
    return refuse_address(text, "whose port is not redisPort; keep one of them");
  return address;
}

}  // namespace

constinit const std::array<Setting, kFieldCount> kFields =
    state::join(kAddressFields, kConnectionFields, kDataFields, kTokenFields, state::kAzureFields);
const std::array<std::string_view, 4> kDaprFeatures{"ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"};
const std::array<std::string_view, 5> kDaprFeaturesWithJson{"ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE", "QUERY_API"};

Result<std::vector<Address>> parse_addresses(std::string_view text, std::uint16_t port, bool port_is_given) {
  std::vector<Address> addresses;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = trim(text.substr(0, comma));
    if (part.empty()) return fail(Errc::invalid_argument, "has an empty address; write host:port, commas between");
    auto address = parse_address(part, port, port_is_given);
    if (!address) return fail(std::move(address.error()));
    addresses.push_back(std::move(*address));
    if (comma == std::string_view::npos) return addresses;
    text.remove_prefix(comma + 1);
  }
}

Result<RedisSettings> RedisSettings::read(const state::Component& component) {
  auto fields = state::Settings::read(component, kFields);
  if (!fields) return fail(std::move(fields.error()));
  return Reader(component, *fields).read();
}

}  // namespace holdfast::stores::redis
