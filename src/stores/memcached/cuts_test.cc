// The connection is lost at every byte of every kind of call, each way, and the server is asked what it holds then
// (support/cuts.h).
#include "support/cuts.h"

#include <gtest/gtest.h>

#include "stores/memcached/testing.h"
#include "support/memcached_server.h"
#include "wire/memcached/reply.h"

namespace holdfast::stores::memcached {
namespace {

using holdfast::memcached::Reply;
using state::Precondition;
using test::CutCall;
using test::kAbsent;
using test::kFirst;
using test::kSecond;
using test::Stores;

// What the three keys hold, and how many writes the server has counted since they were prepared.
constexpr std::string_view kBefore = "old@0 old@0 -";
constexpr std::string_view kSet = "new@1 old@0 -";
constexpr std::string_view kErased = "- old@0 -";

class MemcachedCutter final : public test::Cutter {
 public:
  MemcachedCutter(test::TcpGate& gate, Stores& stores, test::MemcachedServer& server)
      : Cutter(gate, stores, kBefore), stores_(stores), server_(server) {}

  std::vector<CutCall> calls() {
    return {
        {"get", test::get_one, kBefore},
        {"bulk get", test::get_several, kBefore},
        {"set", [](Stores& stores) { return test::set_first(stores); }, kSet},
        {"set by etag", [this](Stores& stores) { return test::set_first(stores, first(1)); }, kSet},
        {"set by one of several etags", [this](Stores& stores) { return test::set_first(stores, first(2)); }, kSet},
        {"first write", test::set_absent, "old@0 old@0 new@1"},
        {"delete", [](Stores& stores) { return test::erase_first(stores); }, kErased},
        {"delete by etag", [this](Stores& stores) { return test::erase_first(stores, first(1)); }, kErased},
        {"delete by one of several etags", [this](Stores& stores) { return test::erase_first(stores, first(2)); },
         kErased},
    };
  }

 private:
  // So many etags, of which the first is the record's.
  Precondition first(std::size_t etags) {
    etags_ = {first_etag_, "1-1"};
    views_.assign(etags_.begin(), etags_.end());
    return Precondition::one_of(std::span(views_).first(etags));
  }

  Reply ask(std::string_view line) {
    answer_ = server_.ask(line);
    std::string_view bytes = answer_;
    return Reply::read(bytes).value();
  }
  std::uint64_t write(std::string_view key) {
    const std::string value(test::kOld);
    return *ask("ms " + std::string(key) + " " + std::to_string(value.size()) + " c\r\n" + value + "\r\n").cas;
  }

  void prepare(const CutCall&) override {
    ask("md " + std::string(kAbsent) + "\r\n");
    const std::uint64_t cas = write(kFirst);
    counted_ = write(kSecond);
    if (process_.empty()) {
      const auto record = stores_.get(kFirst);
      process_ = (**record).etag.substr((**record).etag.find('-'));
    }
    first_etag_ = std::to_string(cas) + process_;
  }
  std::string look() override { return look_at(kFirst) + " " + look_at(kSecond) + " " + look_at(kAbsent); }
  std::string look_at(std::string_view key) {
    const Reply reply = ask("mg " + std::string(key) + " v c\r\n");
    if (reply.kind == Reply::Kind::miss) return "-";
    const std::uint64_t writes = *reply.cas > counted_ ? *reply.cas - counted_ : 0;
    return std::string(reply.value) + "@" + std::to_string(writes);
  }
  // One thread of the server answers one connection after the other: what it had received has been done.
  void settle() override {
    for (int i = 0; i < 3; ++i) ask("mg nothing v\r\n");
  }

  Stores& stores_;
  test::MemcachedServer& server_;
  std::string answer_;  // which the last reply points into
  std::uint64_t counted_ = 0;
  std::string process_, first_etag_;
  std::vector<std::string> etags_;
  std::vector<std::string_view> views_;
};

TEST(MemcachedCuts, NoCallIsAppliedTwiceOrToldWrongly) {
  HOLDFAST_NEEDS_MEMCACHED();
  test::MemcachedServer server({.arguments = {"-t", "1"}});
  test::TcpGate gate(server.port());
  Stores stores(core_of({{"hosts", "127.0.0.1:" + std::to_string(gate.port())}}));
  MemcachedCutter cutter(gate, stores, server);
  cutter.cut_everywhere(cutter.calls(), 1);
  gate.spare();
}

}  // namespace
}  // namespace holdfast::stores::memcached
