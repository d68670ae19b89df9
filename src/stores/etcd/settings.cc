#include "stores/etcd/settings.h"

#include <fmt/format.h>

#include <array>

#include "base/encoding.h"
#include "base/number.h"
#include "state/pem_field.h"

namespace holdfast::stores::etcd {

using state::SettingKind;

constinit const std::array<state::Setting, kFieldCount> kFields{{
    {.name = "endpoints", .help = "host:port; several with commas between", .required = true},
    {.name = "keyPrefixPath", .help = "put before every key, with a / after it"},
    {.name = "tlsEnable",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "use TLS; with cert and key we show a certificate of ours, without ca the system's are trusted"},
    {.name = "ca", .help = "PEM certificates to trust, or the path of a file of them"},
    {.name = "cert", .help = "PEM certificate of ours, or the path of its file"},
    {.name = "key", .help = "its key, or the path of its file", .secret = true},
    {.name = "serverName", .help = "whose certificate the server's has to be; the host's unless given"},
    {.name = "insecureSkipTLSVerify",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "take any certificate of a server"},
    {.name = "username", .help = "who signs in, where the servers have users"},
    {.name = "password", .help = "that user's", .secret = true},
    {.name = "maxTxnOps",
     .kind = SettingKind::integer,
     .fallback = "128",
     .help = "operations of one transaction, as the server's --max-txn-ops; less is found out"},
    {.name = "maxRequestBytes",
     .kind = SettingKind::bytes,
     .fallback = "1536Ki",
     .help = "of one request, as the server's --max-request-bytes"},
    {.name = "timeout",
     .kind = SettingKind::duration,
     .fallback = "5s",
     .help = "the longest that an operation may take"},
    {.name = "dialTimeout",
     .kind = SettingKind::duration,
     .fallback = "5s",
     .help = "the longest that connecting may take"},
}};
const std::array<std::string_view, 4> kDaprFeatures{"ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"};

namespace {

constexpr std::int64_t kOpsLeast = 8, kOpsMost = 100'000;
constexpr std::uint64_t kRequestLeast = 64 << 10, kRequestMost = std::uint64_t{1} << 30;

class Reader {
 public:
  Reader(const state::Component& component, const state::Settings& fields) : component_(component), fields_(fields) {}

  Result<EtcdSettings> read(Layout layout) {
    out_.component = component_.name;
    out_.layout = layout;
    for (const auto step : {&Reader::endpoints, &Reader::tls, &Reader::sign_in, &Reader::limits})
      if (Status status = (this->*step)(); !status) return fail(std::move(status.error()));
    return std::move(out_);
  }

 private:
  std::unexpected<Error> refuse(std::string_view field, std::string_view why) const {
    return fail(Errc::invalid_argument,
                fmt::format("component \"{}\" ({}): field \"{}\" {}", component_.name, component_.file, field, why));
  }

  Status endpoints() {
    out_.key_prefix = fields_.text("keyPrefixPath");
    out_.uses_tls = fields_.boolean("tlsEnable");
    std::string_view rest = fields_.text("endpoints");
    while (true) {
      const std::size_t comma = rest.find(',');
      if (Status status = endpoint(trim(rest.substr(0, comma))); !status) return status;
      if (comma == std::string_view::npos) return {};
      rest.remove_prefix(comma + 1);
    }
  }

  // "host:port", "[v6]:port", with "http://" or "https://" in front, as etcd's own tools take it.
  Status endpoint(std::string_view text) {
    const std::string_view whole = text;
    const bool is_https = text.starts_with("https://");
    if (is_https || text.starts_with("http://")) text.remove_prefix(text.find("//") + 2);
    if (text.ends_with('/')) text.remove_suffix(1);
    if (is_https && !out_.uses_tls)
      return refuse("endpoints", fmt::format("has \"{}\", which needs tlsEnable: true", whole));
    net::Endpoint endpoint;
    endpoint.port = 2379;
    const std::size_t colon = text.rfind(':');
    const bool has_port = colon != std::string_view::npos && (text.find(':') == colon || text[colon - 1] == ']');
    if (has_port && (!read_number(text.substr(colon + 1), endpoint.port) || endpoint.port == 0))
      return refuse("endpoints", fmt::format("has \"{}\", whose port is no number from 1 to 65535", whole));
    if (has_port) text = text.substr(0, colon);
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    if (text.empty() || text.contains('/'))
      return refuse("endpoints", fmt::format("has \"{}\", which is not host:port", whole));
    endpoint.host = text;
    out_.endpoints.push_back(std::move(endpoint));
    return {};
  }

  Status tls() {
    out_.verify = !fields_.boolean("insecureSkipTLSVerify");
    out_.server_name = fields_.text("serverName");
    if (!out_.uses_tls) return {};
    for (const auto& [field, pem] : {std::pair<const char*, std::string*>{"ca", &out_.ca_pem},
                                     {"cert", &out_.certificate_pem},
                                     {"key", &out_.key_pem}}) {
      auto text = state::pem_of(fields_.text(field));
      if (!text) return refuse(field, text.error().message);
      *pem = std::move(*text);
    }
    if (out_.certificate_pem.empty() != out_.key_pem.empty())
      return refuse(out_.key_pem.empty() ? "cert" : "key",
                    "needs the other one beside it: cert and key belong together");
    return {};
  }

  Status sign_in() {
    out_.username = fields_.text("username");
    out_.password = fields_.text("password");
    if (out_.username.empty() && !out_.password.empty()) return refuse("password", "needs username beside it");
    return {};
  }

  Status limits() {
    const std::int64_t ops = fields_.integer("maxTxnOps");
    if (ops < kOpsLeast || ops > kOpsMost)
      return refuse("maxTxnOps", fmt::format("must be between {} and {}", kOpsLeast, kOpsMost));
    out_.transaction_ops_max = static_cast<std::uint32_t>(ops);
    out_.request_bytes_max = fields_.bytes("maxRequestBytes");
    if (out_.request_bytes_max < kRequestLeast || out_.request_bytes_max > kRequestMost)
      return refuse("maxRequestBytes", "must be between 64Ki and 1Gi");
    for (const auto& [field, time] :
         {std::pair<const char*, Milliseconds*>{"timeout", &out_.timeout}, {"dialTimeout", &out_.connect_timeout}})
      if (const Milliseconds given = fields_.duration(field); given.count() > 0) *time = given;
    return {};
  }

  const state::Component& component_;
  const state::Settings& fields_;
  EtcdSettings out_;
};

}  // namespace

std::string EtcdSettings::place() const { return fmt::format("component \"{}\" (state.etcd)", component); }

Result<EtcdSettings> EtcdSettings::read(const state::Component& component, Layout layout) {
  auto fields = state::Settings::read(component, kFields);
  if (!fields) return fail(std::move(fields.error()));
  return Reader(component, *fields).read(layout);
}

}  // namespace holdfast::stores::etcd
