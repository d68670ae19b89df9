// The connection is lost at every byte of every kind of call, each way, and the server is asked what it holds then
// (support/cuts.h).
#include "support/cuts.h"

#include <gtest/gtest.h>

#include <string>

#include "stores/etcd/store_testing.h"

namespace holdfast::stores::etcd {
namespace {

using test::CutCall;
using test::kAbsent;
using test::kFirst;
using test::kSecond;
using test::Stores;

// What the three keys hold, and how often they were written since they were prepared.
constexpr std::string_view kBefore = "old@0 old@0 -";
constexpr std::string_view kSet = "new@1 old@0 -";
constexpr std::string_view kErased = "- old@0 -";
constexpr std::string_view kAll = "new@1 - new@0";

std::vector<CutCall> calls() {
  return {
      {"get", test::get_one, kBefore},
      {"bulk get", test::get_several, kBefore},
      {"list", test::list_all, kBefore},
      {"set", [](Stores& stores) { return test::set_first(stores); }, kSet},
      {"first write", test::set_absent, "old@0 old@0 new@0"},
      {"delete", [](Stores& stores) { return test::erase_first(stores); }, kErased},
      {"transaction", [](Stores& stores) { return test::change_all(stores); }, kAll},
      {"set if there", [](Stores& stores) { return test::set_first(stores, state::Precondition::present()); }, kSet},
      {"transaction if there", [](Stores& stores) { return test::change_all(stores, state::Precondition::present()); },
       kAll},
  };
}

class EtcdCutter final : public test::Cutter {
 public:
  EtcdCutter(test::TcpGate& gate, Stores& stores, test::EtcdServer& server)
      : Cutter(gate, stores, kBefore), client_(server.client()) {}

 private:
  static std::string key_of(std::string_view key) { return "/" + std::string(key); }
  void prepare(const CutCall&) override {
    for (const std::string_view key : {kFirst, kSecond, kAbsent}) client_.erase(key_of(key));
    for (const std::string_view key : {kFirst, kSecond}) client_.put(key_of(key), std::string(test::kOld));
  }
  std::string look() override { return look_at(kFirst) + " " + look_at(kSecond) + " " + look_at(kAbsent); }
  std::string look_at(std::string_view key) {
    const auto record = client_.get(key_of(key));
    return record ? record->value + "@" + std::to_string(record->version - 1) : "-";
  }
  // What the server had received has been done: whatever is asked now is ordered behind it.
  void settle() override {
    for (int i = 0; i < 2; ++i) client_.put("/settled", "1");
  }

  test::EtcdClient& client_;
};

TEST(EtcdCuts, NoCallIsAppliedTwiceOrToldWrongly) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdServer server;
  test::TcpGate gate(server.port());
  Stores stores(core_of(kEtcdV1Type, {{"endpoints", "127.0.0.1:" + std::to_string(gate.port())}}));
  EtcdCutter(gate, stores, server).cut_everywhere(calls(), 29);
  gate.spare();
}

}  // namespace
}  // namespace holdfast::stores::etcd
