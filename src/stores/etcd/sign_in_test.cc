// Who may come in, and what the servers take: certificates, users, limits, and what is said where it is not enough.
#include <gtest/gtest.h>

#include "net/on_loop.h"
#include "stores/etcd/store_testing.h"
#include "support/workers.h"

namespace holdfast::stores::etcd {
namespace {

using test::EtcdTls;
using test::save;
using test::Stores;

class EtcdSignIn : public testing::Test {
 protected:
  void SetUp() override { HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5); }
};

// Why no store could be opened.
Error refusal(Fields fields) {
  state::Component component = component_of(std::move(fields));
  component.init_timeout = Milliseconds(5000);
  const auto core = kEtcdV2Type.prepare(component, {.clock = Clock::system(), .loops = 1});
  if (!core) return core.error();
  test::LoopThread thread;
  const auto opened = net::on_loop<Result<std::unique_ptr<state::StateStore>>>(
      thread.loop(), std::chrono::seconds(30), [&] { return (*core)->open(thread.loop()); });
  if (!opened) throw std::runtime_error("opening did not end");
  if (*opened) throw std::runtime_error("it was opened");
  return opened->error();
}

TEST_F(EtcdSignIn, ACertificateIsShownWhereTheServerAsksForOne) {
  test::EtcdServer server({.tls = EtcdTls::mutual});
  const auto& files = server.certificates();
  const Fields known{{"endpoints", server.address()}, {"tlsEnable", "true"}, {"ca", files.authority}};
  Fields with = known;
  with.emplace_back("cert", files.client);
  with.emplace_back("key", files.client_key);
  Stores stores(core_of(kEtcdV2Type, with));
  ASSERT_TRUE(stores.set(save("k", "v")));
  EXPECT_EQ(refusal(known).code, Errc::unavailable) << "without one nobody comes in";
  Fields wrong = with;
  wrong[2].second = files.other;
  const Error error = refusal(wrong);
  EXPECT_EQ(error.code, Errc::unavailable);
  EXPECT_NE(error.message.find("certificate"), std::string::npos) << error.message;
  EXPECT_NE(refusal({{"endpoints", server.address()}}).message.find("component \"etcd\""), std::string::npos);
}

TEST_F(EtcdSignIn, AUserSignsInAndMayDoWhatItMay) {
  test::EtcdServer server({.auth = true});
  const Fields user{{"endpoints", server.address()},
                    {"keyPrefixPath", "/app"},
                    {"username", test::EtcdCluster::kUser},
                    {"password", test::EtcdCluster::kPassword}};
  Stores stores(core_of(kEtcdV2Type, user));
  state::SetRequest timed = save("k", "v");
  timed.ttl = Milliseconds(100'000);
  ASSERT_TRUE(stores.set(timed));
  // A token lives in the server's memory.
  server.restart();
  test::require_eventually("to be signed in again", [&] { return stores.set(timed).has_value(); });

  Fields wrong = user;
  wrong[3].second = "wrong";
  const Error error = refusal(wrong);
  EXPECT_EQ(error.code, Errc::denied) << error.message;
  EXPECT_EQ(error.message.find("wrong\""), std::string::npos);
  EXPECT_NE(error.message.find("password"), std::string::npos) << error.message;

  const Error nobody = refusal({{"endpoints", server.address()}, {"keyPrefixPath", "/app"}});
  EXPECT_NE(nobody.message.find("username"), std::string::npos) << nobody.message;

  Fields elsewhere = user;
  elsewhere[1].second = "/elsewhere";
  EXPECT_EQ(refusal(elsewhere).code, Errc::denied);
}

TEST_F(EtcdSignIn, WhatTheServersTakeIsFoundOut) {
  test::EtcdServer server({.arguments = {"--max-txn-ops", "16"}});
  Stores stores(core_of(kEtcdV2Type, {{"endpoints", server.address()}}));
  EXPECT_EQ(stores.ask([](state::StateStore& store) { return ready(store.capabilities().transaction_ops_max); }), 16u);
  std::vector<std::string> names;
  for (int i = 0; i < 17; ++i) names.push_back("k" + std::to_string(i));
  std::vector<state::Operation> operations;
  for (int i = 0; i < 16; ++i)
    operations.emplace_back(save(names[static_cast<std::size_t>(i)], "v", state::Precondition::absent()));
  const auto most = stores.ask([&](state::StateStore& store) { return store.transact({}, operations); });
  ASSERT_TRUE(most) << most.error().message;
  operations.emplace_back(save(names[16], "v"));
  const auto more = stores.ask([&](state::StateStore& store) { return store.transact({}, operations); });
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::invalid_argument);
  EXPECT_FALSE(stores.get("k16")->has_value());
}

TEST_F(EtcdSignIn, AFullDatabaseIsSaidToBeFull) {
  test::EtcdServer server({.arguments = {"--quota-backend-bytes", "2097152"}});
  Stores stores(core_of(kEtcdV2Type, {{"endpoints", server.address()}}));
  ASSERT_TRUE(stores.set(save("small", "v")));
  const std::string value(300'000, 'x');
  std::optional<Error> error;
  for (int i = 0; i < 100 && !error; ++i)
    if (const auto written = stores.set(save("k" + std::to_string(i), value)); !written) error = written.error();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, Errc::unavailable) << error->message;
  EXPECT_NE(error->message.find("quota"), std::string::npos) << error->message;
  EXPECT_EQ((**stores.get("small")).value, "v");
}

}  // namespace
}  // namespace holdfast::stores::etcd
