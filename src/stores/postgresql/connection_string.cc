#include "stores/postgresql/connection_string.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/number.h"
#include "state/component.h"
#include "state/pairs.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Pairs;
using Word = Pairs::value_type;  // a name and its value

// The parameters of libpq, up to version 17.
constexpr auto kOfLibpq = std::to_array<std::string_view>({
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "service",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
});

// Of pgx alone, and of no use here: how it prepares statements, and how often it looks at connections at rest.
constexpr auto kOfPgx = std::to_array<std::string_view>({
    "default_query_exec_mode",
    "description_cache_capacity",
    "pool_health_check_period",
    "pool_max_conn_lifetime_jitter",
    "pool_min_conns",
    "pool_min_idle_conns",
    "statement_cache_capacity",
});

static_assert(std::ranges::is_sorted(kOfLibpq) && std::ranges::is_sorted(kOfPgx));

std::unexpected<Error> refuse(std::string why) { return fail(Errc::invalid_argument, std::move(why)); }

// The end of a scheme that libpq takes, or 0.
std::size_t scheme_bytes(std::string_view text) {
  for (const std::string_view scheme : {"postgres://", "postgresql://"})
    if (text.starts_with(scheme)) return scheme.size();
  return 0;
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// "host=db user = 'a b' password='it\'s'" by libpq's rules.
class WordReader {
 public:
  explicit WordReader(std::string_view text) : left_(text) {}

  Result<Pairs> read() {
    Pairs words;
    for (skip_blanks(); !left_.empty(); skip_blanks()) {
      Word word;
      if (auto ok = read_name(word.first); !ok) return fail(std::move(ok.error()));
      if (auto ok = read_value(word); !ok) return fail(std::move(ok.error()));
      words.push_back(std::move(word));
    }
    return words;
  }

 private:
  void skip_blanks() {
    while (!left_.empty() && is_blank(left_.front())) left_.remove_prefix(1);
  }

  Status read_name(std::string& name) {
    const auto* const end = std::ranges::find_if(left_, [](char c) { return c == '=' || is_blank(c); });
    name.assign(left_.begin(), end);
    left_.remove_prefix(name.size());
    skip_blanks();
    // What stands there may be a password with a blank in it: it is not shown.
    if (!left_.starts_with('='))
      return refuse(
          "the connection string has a word without =; write key=value, and values with blanks in single quotes");
    left_.remove_prefix(1);
    if (name.empty()) return refuse("the connection string has a value without a name in front of its =");
    skip_blanks();
    return {};
  }

  Status read_value(Word& word) {
    const bool quoted = left_.starts_with('\'');
    if (quoted) left_.remove_prefix(1);
    for (; !left_.empty(); left_.remove_prefix(1)) {
      const char c = left_.front();
      if (quoted ? c == '\'' : is_blank(c)) break;
      if (c == '\\') {
        left_.remove_prefix(1);
        if (left_.empty()) break;
      }
      word.second += left_.front();
    }
    if (!quoted) return {};
    if (left_.empty())
      return refuse(fmt::format("the value of {} in the connection string has no closing quote", word.first));
    left_.remove_prefix(1);
    return {};
  }

  std::string_view left_;
};

Result<Pairs> read_query(std::string_view query) {
  Pairs words;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos)
      return refuse("the query of the connection URL has a parameter without =; write name=value, with & between");
    auto name = percent_decode(part.substr(0, equals), Plus::literal);
    auto value = percent_decode(part.substr(equals + 1), Plus::literal);
    if (!name || !value)
      return refuse("the query of the connection URL has a % that no two hexadecimal digits follow; write %25 for a %");
    words.push_back({std::move(*name), std::move(*value)});
  }
  return words;
}

// "-c name=value" of libpq's options, where blanks part the words and a backslash makes one a blank again.
void append_option(std::string& options, const Word& word) {
  if (!options.empty()) options += ' ';
  options += "-c ";
  for (const char c : word.first + "=" + word.second) {
    if (is_blank(c) || c == '\\') options += '\\';
    options += c;
  }
}

// "user:password@host:5432,other/database" of a URL; what is percent-encoded stays so. As libpq, which takes the first
// @ in front of the first / for the end of the credentials.
void read_place(std::string_view authority, ConnectionString& out) {
  const std::size_t slash = authority.find('/');
  if (slash != std::string_view::npos) out.database = authority.substr(slash + 1);
  authority = authority.substr(0, slash);
  if (const std::size_t at = authority.find('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  out.host = authority;
}

void note_place(const Word& word, ConnectionString& out) {
  if (word.first == "host" || (word.first == "hostaddr" && out.host.empty())) out.host = word.second;
  if (word.first == "port") out.port = word.second;
  if (word.first == "dbname") out.database = word.second;
}

Status read_duration(const Word& word, std::optional<Milliseconds>& out) {
  const auto duration = state::parse_go_duration(word.second);
  if (!duration || duration->count() < 0)
    return refuse(fmt::format("{} in the connection string must be a duration such as 30m", word.first));
  out = *duration;
  return {};
}

// Takes the words that are not for libpq out of the others.
Result<Pairs> separate(Pairs words, ConnectionString& out) {
  Pairs kept;
  std::string options;
  std::string session;  // parameters of the session
  for (Word& word : words) {
    Status ok;
    if (word.first == "database") word.first = "dbname";
    note_place(word, out);
    if (word.first == "pool_max_conns") {
      std::uint32_t most = 0;
      if (!read_number(word.second, most) || most == 0)
        return refuse("pool_max_conns in the connection string must be a number from 1");
      out.connections_max = most;
    } else if (word.first == "pool_max_conn_idle_time") {
      ok = read_duration(word, out.idle_max);
    } else if (word.first == "pool_max_conn_lifetime") {
      ok = read_duration(word, out.age_max);
    } else if (word.first == "options") {
      options = std::move(word.second);
    } else if (std::ranges::binary_search(kOfLibpq, word.first)) {
      kept.push_back(std::move(word));
    } else if (!std::ranges::binary_search(kOfPgx, word.first)) {
      append_option(session, word);
    }
    if (!ok) return fail(std::move(ok.error()));
  }
  if (!options.empty() && !session.empty()) options += ' ';
  options += session;
  if (!options.empty()) kept.push_back({"options", std::move(options)});
  return kept;
}

}  // namespace

void append_word(std::string& out, std::string_view key, std::string_view value) {
  if (!out.empty()) out += ' ';
  out.append(key).append("='");
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  out += '\'';
}

Result<ConnectionString> parse_connection_string(std::string_view text) {
  text = trim(text);
  if (text.empty()) return refuse("missing connection string");
  if (text.contains('\0')) return refuse("the connection string holds a zero byte");
  const std::size_t scheme = scheme_bytes(text);
  if (scheme == 0 && text.contains("://") && text.find("://") < text.find('='))
    return refuse("the connection URL must begin with postgres:// or postgresql://");
  // A ? stands in no password of a URL: there it is %3F.
  const std::size_t mark = scheme == 0 ? std::string_view::npos : text.find('?', scheme);
  auto words = scheme == 0                      ? WordReader(text).read()
               : mark == std::string_view::npos ? Result<Pairs>()
                                                : read_query(text.substr(mark + 1));
  if (!words) return fail(std::move(words.error()));
  ConnectionString out;
  if (scheme > 0) read_place(trim(text.substr(0, mark)).substr(scheme), out);
  const auto kept = separate(std::move(*words), out);
  if (!kept) return fail(kept.error());
  if (scheme > 0) out.text = trim(text.substr(0, mark));
  if (scheme == 0)
    for (const auto& [name, value] : *kept) append_word(out.text, name, value);
  else if (!kept->empty())
    out.text += "?" + state::encode_pairs(*kept);
  return out;
}

}  // namespace holdfast::stores::postgresql
