// What the servers are asked for: the same operations over HTTP and gRPC.
#pragma once

#include <string>
#include <vector>

namespace holdfast::bench {

inline constexpr std::size_t kValueBytes = 100;

struct Operation {
  std::string name;
  std::string http;  // a whole request
  std::string grpc_path;
  std::string grpc_message;
};

std::string http_request(const std::string& method, const std::string& path, const std::string& body);

// get, save, bulk-get-100 and transaction-2 on keys that seed_request() has saved, the first of which is key-`first`.
std::vector<Operation> operations_on(const std::string& store, int first = 0);
// get and save again, by /v2 and holdfast.v2.State.
std::vector<Operation> v2_operations_on(const std::string& store);
// Saves key-0 and so on.
std::string seed_request(const std::string& store, int keys = 100);

// An operation on many keys, to be asked in turn, so that no two of those in flight have a key in common: in a database
// that locks rows, saves of one key wait for each other's commits.
struct SpreadOperation {
  std::string name;
  std::vector<std::string> http;
  std::string grpc_path;
  std::vector<std::string> grpc_messages;
};
inline constexpr int kSpread = 512;
inline constexpr int kSpreadStep = 2;  // the keys of a transaction
inline constexpr int kSpreadKeys = kSpread * kSpreadStep + 100;
std::vector<SpreadOperation> spread_operations_on(const std::string& store);
// JSON text of a value.
std::string value_text();

}  // namespace holdfast::bench
