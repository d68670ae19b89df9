// A client of etcd for tests, over the JSON that every server speaks on its port of clients (its gRPC gateway): to
// write data as another program would, and to look at what was written. Each call is a connection of its own, which a
// gate may cut. Blocks; what cannot be done throws EtcdError.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/certificates.h"

namespace holdfast::test {

class EtcdError : public std::runtime_error {
 public:
  EtcdError(int code, const std::string& message) : std::runtime_error(message), code_(code) {}
  // As gRPC counts them; 0 where there was no answer.
  int code() const { return code_; }

 private:
  int code_;
};

struct EtcdRecord {
  std::string key, value;
  std::int64_t create_revision = 0, mod_revision = 0, version = 0, lease = 0;
};

// Of a transaction: the key was last changed by this revision; 0 means that it is not there.
struct EtcdExpectation {
  std::string key;
  std::int64_t mod_revision = 0;
};

// Of a transaction: a value is put, none is a deletion.
struct EtcdChange {
  std::string key;
  std::optional<std::string> value = {};
  std::int64_t lease = 0;
};

struct EtcdLease {
  std::int64_t seconds_left = 0;  // -1: it is gone
  std::int64_t granted_seconds = 0;
  std::vector<std::string> keys;
};

struct EtcdStatus {
  std::string version;  // "3.5.16"
  std::uint64_t member = 0;
  std::uint64_t leader = 0;  // 0: nobody knows one
  std::int64_t revision = 0;
};

struct EtcdLogin {
  std::string host = "127.0.0.1";  // an address
  std::uint16_t port = 0;
  const Certificates* certificates = nullptr;  // with them it speaks TLS; they outlive it
  bool shows_certificate = false;              // the client's
  std::string user = {}, password = {};
  std::chrono::milliseconds patience{20'000};  // of connecting, and of each piece of an answer
};

class EtcdClient {
 public:
  explicit EtcdClient(EtcdLogin login) : login_(std::move(login)) {}

  // Of the latest revision, or of that one.
  std::optional<EtcdRecord> get(std::string_view key, std::int64_t revision = 0);
  // In the order of the keys.
  std::vector<EtcdRecord> get_prefix(std::string_view prefix);
  // Writes answer with their revision.
  std::int64_t put(std::string_view key, std::string_view value, std::int64_t lease = 0);
  std::int64_t erase(std::string_view key);
  std::int64_t erase_prefix(std::string_view prefix);
  // Whether what is expected was so, and the changes are made.
  bool txn(const std::vector<EtcdExpectation>& expected, const std::vector<EtcdChange>& changes);
  std::int64_t revision() { return status().revision; }
  // What was before this revision can be read no more.
  void compact(std::int64_t revision);

  // The server may grant more seconds than it is asked for.
  std::int64_t grant(std::int64_t seconds);
  void revoke(std::int64_t lease);
  std::vector<std::int64_t> leases();
  EtcdLease lease(std::int64_t id);

  EtcdStatus status();
  // Whether it knows a leader and can read what was last written.
  bool is_healthy() noexcept;

  // What remains: call("/v3/auth/user/add", R"({"name":"app","password":"..."})"). The answer is JSON.
  std::string call(std::string_view path, std::string_view body);

 private:
  std::string exchange(std::string_view method, std::string_view path, std::string_view body);
  void log_in();

  EtcdLogin login_;
  std::string token_;  // of the user, once it is known
};

// The first key behind all that begin with the prefix, as ranges of etcd end; "\0", which means "all", for none.
std::string etcd_prefix_end(std::string_view prefix);

}  // namespace holdfast::test
