#include "support/etcd_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <memory>

#include "base/encoding.h"
#include "wire/json/raw.h"

namespace holdfast::test {
namespace {

// Codes of gRPC.
constexpr int kUnauthenticated = 16, kInvalidArgument = 3;

class Socket {
 public:
  explicit Socket(const EtcdLogin& login) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = login.patience.count() / 1000, .tv_usec = login.patience.count() % 1000 * 1000};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(login.port);
    if (::inet_pton(AF_INET, login.host.c_str(), &address.sin_addr) == 1 &&
        ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
      return;
    ::close(fd_);
    throw EtcdError(0, "nobody listens on " + login.host + ":" + std::to_string(login.port));
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const { SSL_free(session); }
};

// A connection, with TLS where there are certificates.
class Stream {
 public:
  explicit Stream(const EtcdLogin& login) : socket_(login) {
    if (login.certificates == nullptr) return;
    context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_load_verify_locations(context_.get(), login.certificates->authority_file.c_str(), nullptr);
    if (login.shows_certificate) {
      SSL_CTX_use_certificate_file(context_.get(), login.certificates->client_file.c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_.get(), login.certificates->client_key_file.c_str(), SSL_FILETYPE_PEM);
    }
    session_.reset(SSL_new(context_.get()));
    SSL_set_fd(session_.get(), socket_.fd());
    if (SSL_connect(session_.get()) != 1) throw EtcdError(0, "there is no TLS on port " + std::to_string(login.port));
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = session_ ? SSL_write(session_.get(), bytes.data(), static_cast<int>(bytes.size()))
                                    : ::send(socket_.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw EtcdError(0, "the connection was lost while sending");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  std::string read_to_end() {
    std::string text;
    std::array<char, 16384> piece;
    while (true) {
      const ssize_t got = session_ ? SSL_read(session_.get(), piece.data(), static_cast<int>(piece.size()))
                                   : ::recv(socket_.fd(), piece.data(), piece.size(), 0);
      if (got <= 0) return text;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  Socket socket_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSession> session_;
};

json::RawValue parsed(std::string_view text) {
  auto value = json::RawValue::read(text);
  if (!value) throw EtcdError(0, "no JSON: " + std::string(text));
  return *value;
}

// Members that are zero or empty are left out by the gateway, or null.
std::optional<json::RawValue> member(const json::RawValue& object, std::string_view name) {
  for (const json::RawMember& found : object.members())
    if (found.name == name) return found.value;
  return std::nullopt;
}

// 64-bit numbers are strings, others are not.
template <class Number = std::int64_t>
Number number(const json::RawValue& object, std::string_view name) {
  const auto found = member(object, name);
  if (!found) return 0;
  const std::string text = found->is(json::RawValue::Kind::string) ? found->string() : std::string(found->text());
  Number value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string text(const json::RawValue& object, std::string_view name) {
  const auto found = member(object, name);
  return found ? found->string() : "";
}

std::string bytes(const json::RawValue& object, std::string_view name) {
  return base64_decode(text(object, name)).value_or("");
}

std::vector<json::RawValue> elements(const json::RawValue& object, std::string_view name) {
  const auto found = member(object, name);
  return found ? found->elements() : std::vector<json::RawValue>();
}

std::string quoted(std::string_view bytes) { return "\"" + base64_encode(bytes) + "\""; }
std::string quoted(std::int64_t number) { return "\"" + std::to_string(number) + "\""; }

std::string key_only(std::string_view key) { return "{\"key\":" + quoted(key) + "}"; }
std::string prefix_range(std::string_view prefix) {
  const std::string_view first = prefix.empty() ? std::string_view("\0", 1) : prefix;
  return "{\"key\":" + quoted(first) + ",\"range_end\":" + quoted(etcd_prefix_end(prefix)) + "}";
}
std::string put_body(std::string_view key, std::string_view value, std::int64_t lease) {
  return "{\"key\":" + quoted(key) + ",\"value\":" + quoted(value) + ",\"lease\":" + quoted(lease) + "}";
}

std::int64_t revision_of(const std::string& answer) {
  const auto header = member(parsed(answer), "header");
  return header ? number(*header, "revision") : 0;
}

std::vector<EtcdRecord> records(const std::string& answer) {
  std::vector<EtcdRecord> found;
  for (const json::RawValue& kv : elements(parsed(answer), "kvs"))
    found.push_back({.key = bytes(kv, "key"),
                     .value = bytes(kv, "value"),
                     .create_revision = number(kv, "create_revision"),
                     .mod_revision = number(kv, "mod_revision"),
                     .version = number(kv, "version"),
                     .lease = number(kv, "lease")});
  return found;
}

}  // namespace

std::string etcd_prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (end.empty()) return std::string(1, '\0');
  end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

// HTTP/1.0, whose answers end with their connection and come in one piece.
std::string EtcdClient::exchange(std::string_view method, std::string_view path, std::string_view body) {
  Stream stream(login_);
  std::string request(method);
  request.append(" ").append(path).append(" HTTP/1.0\r\nHost: 127.0.0.1\r\n");
  if (!token_.empty()) request.append("Authorization: ").append(token_).append("\r\n");
  request.append("Content-Type: application/json\r\nContent-Length: ");
  request.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  stream.send(request);
  const std::string answer = stream.read_to_end();
  const std::size_t head = answer.find("\r\n\r\n");
  if (head == std::string::npos) throw EtcdError(0, "the connection was lost while waiting for an answer");
  const std::string content = answer.substr(head + 4);
  if (answer.substr(0, answer.find('\r')).find(" 200 ") != std::string::npos) return content;
  const auto value = json::RawValue::read(content);
  if (!value) throw EtcdError(0, answer.substr(0, head) + ": " + content);
  throw EtcdError(static_cast<int>(number(*value, "code")), text(*value, "error") + text(*value, "message"));
}

void EtcdClient::log_in() {
  token_.clear();
  std::string body = "{";
  body.append("\"name\":\"").append(login_.user).append("\",\"password\":\"").append(login_.password).append("\"}");
  const std::string answer = exchange("POST", "/v3/auth/authenticate", body);
  token_ = text(parsed(answer), "token");
}

std::string EtcdClient::call(std::string_view path, std::string_view body) {
  if (!login_.user.empty() && token_.empty()) log_in();
  try {
    return exchange("POST", path, body);
  } catch (const EtcdError& error) {  // tokens are known to one server, for a time
    const bool refused = error.code() == kUnauthenticated || error.code() == kInvalidArgument;
    if (token_.empty() || !refused) throw;
  }
  log_in();
  return exchange("POST", path, body);
}

std::optional<EtcdRecord> EtcdClient::get(std::string_view key, std::int64_t revision) {
  auto found = records(call("/v3/kv/range", "{\"key\":" + quoted(key) + ",\"revision\":" + quoted(revision) + "}"));
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<EtcdRecord> EtcdClient::get_prefix(std::string_view prefix) {
  return records(call("/v3/kv/range", prefix_range(prefix)));
}

std::int64_t EtcdClient::put(std::string_view key, std::string_view value, std::int64_t lease) {
  return revision_of(call("/v3/kv/put", put_body(key, value, lease)));
}

std::int64_t EtcdClient::erase(std::string_view key) { return revision_of(call("/v3/kv/deleterange", key_only(key))); }

std::int64_t EtcdClient::erase_prefix(std::string_view prefix) {
  return revision_of(call("/v3/kv/deleterange", prefix_range(prefix)));
}

bool EtcdClient::txn(const std::vector<EtcdExpectation>& expected, const std::vector<EtcdChange>& changes) {
  std::string compare, success;
  for (const EtcdExpectation& one : expected) {
    if (!compare.empty()) compare += ',';
    compare += "{\"result\":\"EQUAL\",\"target\":\"MOD\",\"key\":" + quoted(one.key) +
               ",\"mod_revision\":" + quoted(one.mod_revision) + "}";
  }
  for (const EtcdChange& one : changes) {
    if (!success.empty()) success += ',';
    success += one.value ? "{\"request_put\":" + put_body(one.key, *one.value, one.lease) + "}"
                         : "{\"request_delete_range\":" + key_only(one.key) + "}";
  }
  const std::string answer = call("/v3/kv/txn", "{\"compare\":[" + compare + "],\"success\":[" + success + "]}");
  const auto succeeded = member(parsed(answer), "succeeded");
  return succeeded && succeeded->text() == "true";
}

void EtcdClient::compact(std::int64_t revision) {
  call("/v3/kv/compaction", "{\"revision\":" + quoted(revision) + ",\"physical\":true}");
}

std::int64_t EtcdClient::grant(std::int64_t seconds) {
  const std::string answer = call("/v3/lease/grant", "{\"TTL\":" + quoted(seconds) + "}");
  return number(parsed(answer), "ID");
}

void EtcdClient::revoke(std::int64_t lease) { call("/v3/lease/revoke", "{\"ID\":" + quoted(lease) + "}"); }

std::vector<std::int64_t> EtcdClient::leases() {
  std::vector<std::int64_t> found;
  const std::string answer = call("/v3/lease/leases", "{}");
  for (const json::RawValue& one : elements(parsed(answer), "leases")) found.push_back(number(one, "ID"));
  return found;
}

EtcdLease EtcdClient::lease(std::int64_t id) {
  const std::string answer = call("/v3/lease/timetolive", "{\"ID\":" + quoted(id) + ",\"keys\":true}");
  const json::RawValue value = parsed(answer);
  EtcdLease found{.seconds_left = number(value, "TTL"), .granted_seconds = number(value, "grantedTTL"), .keys = {}};
  for (const json::RawValue& key : elements(value, "keys"))
    found.keys.push_back(base64_decode(key.string()).value_or(""));
  return found;
}

EtcdStatus EtcdClient::status() {
  const std::string answer = call("/v3/maintenance/status", "{}");
  const json::RawValue value = parsed(answer);
  EtcdStatus status{.version = text(value, "version"), .leader = number<std::uint64_t>(value, "leader")};
  if (const auto header = member(value, "header")) {
    status.member = number<std::uint64_t>(*header, "member_id");
    status.revision = number(*header, "revision");
  }
  return status;
}

bool EtcdClient::is_healthy() noexcept {
  try {
    const std::string answer = exchange("GET", "/health", "");
    return text(parsed(answer), "health") == "true";
  } catch (const std::exception&) {
    return false;
  }
}

}  // namespace holdfast::test
