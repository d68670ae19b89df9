#include "bench/workload.h"

#include <fmt/format.h>

#include "wire/protobuf/fields.h"

namespace holdfast::bench {

namespace {

const std::string kValue(kValueBytes, 'v');

std::string grpc_item(const std::string& key) {
  std::string item;
  protobuf::append_bytes(item, 1, key);
  protobuf::append_bytes(item, 2, kValue);
  return item;
}

}  // namespace

std::string value_text() { return "\"" + kValue + "\""; }

std::string http_request(const std::string& method, const std::string& path, const std::string& body) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n", method, path);
  if (!body.empty()) request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  return request + "\r\n" + body;
}

std::vector<Operation> operations_on(const std::string& store, int first) {
  const std::string root = "/v1.0/state/" + store;
  const std::string service = "/dapr.proto.runtime.v1.Dapr/";
  const std::string key_0 = fmt::format("key-{}", first);
  std::vector<Operation> all;

  std::string get;
  protobuf::append_bytes(get, 1, store);
  protobuf::append_bytes(get, 2, key_0);
  all.push_back({"get", http_request("GET", root + "/" + key_0, ""), service + "GetState", get});

  std::string save;
  protobuf::append_bytes(save, 1, store);
  protobuf::append_message(save, 2, grpc_item(key_0));
  all.push_back({"save", http_request("POST", root, fmt::format(R"([{{"key":"{}","value":"{}"}}])", key_0, kValue)),
                 service + "SaveState", save});

  std::string keys;
  std::string bulk;
  protobuf::append_bytes(bulk, 1, store);
  for (int i = 0; i < 100; ++i) {
    keys += fmt::format("{}\"key-{}\"", i > 0 ? "," : "", first + i);
    protobuf::append_bytes(bulk, 2, fmt::format("key-{}", first + i));
  }
  all.push_back({"bulk-get-100", http_request("POST", root + "/bulk", fmt::format(R"({{"keys":[{}]}})", keys)),
                 service + "GetBulkState", bulk});

  std::string transaction;
  protobuf::append_bytes(transaction, 1, store);
  std::string operations;
  for (const std::string& key : {fmt::format("key-{}", first + 1), fmt::format("key-{}", first + 2)}) {
    std::string operation;
    protobuf::append_bytes(operation, 1, "upsert");
    protobuf::append_message(operation, 2, grpc_item(key));
    protobuf::append_message(transaction, 2, operation);
    operations += fmt::format(R"({}{{"operation":"upsert","request":{{"key":"{}","value":"{}"}}}})",
                              operations.empty() ? "" : ",", key, kValue);
  }
  all.push_back({"transaction-2",
                 http_request("POST", root + "/transaction", fmt::format(R"({{"operations":[{}]}})", operations)),
                 service + "ExecuteStateTransaction", transaction});
  return all;
}

std::vector<Operation> v2_operations_on(const std::string& store) {
  const std::string path = "/v2/state/" + store + "/key-0";
  const std::string service = "/holdfast.v2.State/";
  std::string key;
  protobuf::append_bytes(key, 1, store);
  protobuf::append_bytes(key, 2, "key-0");
  std::string put = key;
  protobuf::append_bytes(put, 3, kValue);
  return {{"get", http_request("GET", path, ""), service + "Get", key},
          {"save", http_request("PUT", path, value_text()), service + "Put", put}};
}

std::vector<SpreadOperation> spread_operations_on(const std::string& store) {
  std::vector<SpreadOperation> spread;
  for (int i = 0; i < kSpread; ++i) {
    const std::vector<Operation> operations = operations_on(store, i * kSpreadStep);
    spread.resize(operations.size());
    for (std::size_t at = 0; at < operations.size(); ++at) {
      spread[at].name = operations[at].name;
      spread[at].http.push_back(operations[at].http);
      spread[at].grpc_path = operations[at].grpc_path;
      spread[at].grpc_messages.push_back(operations[at].grpc_message);
    }
  }
  return spread;
}

std::string seed_request(const std::string& store, int keys) {
  std::string items;
  for (int i = 0; i < keys; ++i)
    items += fmt::format(R"({}{{"key":"key-{}","value":"{}"}})", i > 0 ? "," : "", i, kValue);
  return http_request("POST", "/v1.0/state/" + store, "[" + items + "]");
}

}  // namespace holdfast::bench
