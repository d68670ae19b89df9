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

// get, save, bulk-get-100 and transaction-2 on keys that seed_request() has saved.
std::vector<Operation> operations_on(const std::string& store);
// get and save again, by /v2 and holdfast.v2.State.
std::vector<Operation> v2_operations_on(const std::string& store);
std::string seed_request(const std::string& store);
// JSON text of a value.
std::string value_text();

}  // namespace holdfast::bench
