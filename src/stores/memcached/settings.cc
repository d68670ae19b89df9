#include "stores/memcached/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::stores::memcached {
namespace {

using net::Endpoint;
using state::Setting;
using state::SettingKind;

constexpr std::uint16_t kPort = 11211;
constexpr std::size_t kSocketPathMax = 107;  // what sockaddr_un holds, less its end
constexpr Milliseconds kDaprDefault{1000};
constexpr Milliseconds kDriverDefault{500};
constexpr Milliseconds kNoLimit = std::chrono::hours(24);

std::unexpected<Error> refuse_host(std::string_view text, std::string_view why) {
  return fail(Errc::invalid_argument, fmt::format("has the host \"{}\", {}", text, why));
}

Result<Endpoint> parse_host(std::string_view text) {
  Endpoint host;
  if (text.contains("://")) return refuse_host(text, "which is a URL; write host:port, or the path of a socket");
  if (text.contains('/')) {
    if (text.size() > kSocketPathMax) return refuse_host(text, "which is too long for the path of a socket");
    host.unix_path = text;
    return host;
  }
  const std::size_t colon = text.rfind(':');
  const bool is_bare_v6 = !text.starts_with('[') && colon != text.find(':');
  const bool has_port = colon != std::string_view::npos && !is_bare_v6 && !text.ends_with(']');
  std::string_view name = has_port ? text.substr(0, colon) : text;
  if (name.starts_with('[')) {
    if (!name.ends_with(']')) return refuse_host(text, "whose brackets do not match");
    name = name.substr(1, name.size() - 2);
  }
  if (name.empty()) return refuse_host(text, "which has no name");
  host.host = name;
  host.port = kPort;
  if (has_port && (!read_number(text.substr(colon + 1), host.port) || host.port == 0))
    return refuse_host(text, "whose port is not a number from 1 to 65535");
  return host;
}

// A number is milliseconds, as in Dapr; the manifest of its store says "a duration", which it refuses.
Milliseconds read_timeout(std::string_view text) {
  Milliseconds timeout{0};
  std::int64_t number = 0;
  if (read_number(trim(text), number)) {
    timeout = Milliseconds(std::clamp<std::int64_t>(number, -1, kNoLimit.count()));
  } else if (const auto duration = state::parse_go_duration(trim(text))) {
    timeout = *duration;
  }
  if (timeout.count() < 0) return kDaprDefault;
  return timeout.count() == 0 ? kDriverDefault : std::min(timeout, kNoLimit);
}

}  // namespace

constinit const std::array<Setting, 3> kFields{{
    {.name = "hosts",
     .help =
         "host:port, or the path of a socket; several with commas between, the same and in the same order everywhere",
     .required = true},
    {.name = "maxIdleConnections",
     .kind = SettingKind::integer,
     .fallback = "2",
     .help = "of Dapr's pool of connections; not used here, where requests share connections"},
    {.name = "timeout",
     .kind = SettingKind::duration,
     .fallback = "1s",
     .help =
         "the longest connect, and the longest wait for a reply: a duration, or a number of milliseconds; Dapr reads "
         "only the number"},
}};
const std::array<std::string_view, 2> kDaprFeatures{"ETAG", "TTL"};

Result<std::vector<Endpoint>> parse_hosts(std::string_view text) {
  std::vector<Endpoint> hosts;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view part = trim(text.substr(0, comma));
    // Left out it would change which host has which key.
    if (part.empty()) return fail(Errc::invalid_argument, "has an empty host; write host:port, commas between");
    auto host = parse_host(part);
    if (!host) return fail(std::move(host.error()));
    hosts.push_back(std::move(*host));
    if (comma == std::string_view::npos) return hosts;
    text.remove_prefix(comma + 1);
  }
}

Result<MemcachedSettings> MemcachedSettings::read(const state::Component& component) {
  const auto fields = state::Settings::read(component, kFields);
  if (!fields) return fail(fields.error());
  MemcachedSettings settings;
  settings.component = component.name;
  auto hosts = parse_hosts(fields->text("hosts"));
  if (!hosts) {
    std::string where;
    if (!component.file.empty())
      where = fmt::format(" ({}{})", component.file, component.line > 0 ? fmt::format(":{}", component.line) : "");
    return fail(Errc::invalid_argument, fmt::format("component \"{}\" ({}): field \"hosts\" {}{}", component.name,
                                                    component.type, hosts.error().message, where));
  }
  settings.hosts = std::move(*hosts);
  settings.timeout = read_timeout(fields->text("timeout"));
  return settings;
}

}  // namespace holdfast::stores::memcached
