// Who calls, as the fronts find it, and what v1 and v2 answer to what the caller may not do.
#include "api/caller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/v1.h"
#include "api/v2.h"
#include "stores/memory/store.h"
#include "stores/memory/type.h"
#include "support/counting_store.h"
#include "support/test_loop.h"

namespace holdfast::api {
namespace {

using service::CallContext;
using service::Grant;
using service::Isolation;
using service::Right;
using testing::HasSubstr;

// ---- the context of a call ----

class CallContextOf : public testing::Test {
 protected:
  CallContextOf() { runtime_.app_id = "app"; }
  service::Runtime runtime_;
  http::Request request_;
};

TEST_F(CallContextOf, WithoutATokenTheApplicationCallsAndReachesEverything) {
  const CallContext context = call_context(request_, runtime_);
  EXPECT_EQ(context.principal, "app");
  EXPECT_EQ(context.grant, nullptr);
  EXPECT_EQ(context.isolation, std::nullopt);
  EXPECT_TRUE(may_administer(request_));
}

TEST_F(CallContextOf, ANamedTokenIsThePrincipal) {
  auto grant = std::make_shared<Grant>();
  set_grant(request_, grant);
  EXPECT_EQ(call_context(request_, runtime_).principal, "app") << "a token without a name";
  grant->name = "ci";
  EXPECT_EQ(call_context(request_, runtime_).principal, "ci");
  EXPECT_EQ(call_context(request_, runtime_).grant, grant.get());
  request_.clear();
  EXPECT_EQ(grant.use_count(), 1) << "the next request on the connection is somebody else's";
  EXPECT_EQ(grant_of(request_), nullptr);
}

TEST_F(CallContextOf, TheIsolationKeyIsTheRequestsElseTheTokens) {
  auto grant = std::make_shared<Grant>();
  grant->isolation = "K";
  set_grant(request_, grant);
  EXPECT_EQ(call_context(request_, runtime_).isolation, "K");
  request_.headers.add("Holdfast-Isolation", "L");
  EXPECT_EQ(call_context(request_, runtime_).isolation, "L") << "the service says that it may not";
}

TEST_F(CallContextOf, AKeyThatIsEmptyOrGivenTwiceIsNoKey) {
  request_.headers.add("Holdfast-Isolation", "");
  ASSERT_TRUE(call_context(request_, runtime_).isolation) << "it is not as if there was none";
  EXPECT_FALSE(service::is_isolation_key(*call_context(request_, runtime_).isolation));
  request_.headers.clear();
  for (int i = 0; i < 2; ++i) request_.headers.add("Holdfast-Isolation", "K");
  EXPECT_FALSE(service::is_isolation_key(*call_context(request_, runtime_).isolation));
}

// ---- v1 and v2 ----

class Refusing : public testing::TestWithParam<V1::Protocol> {
 protected:
  Refusing() : core_(std::make_shared<stores::memory::MemoryCore>(Clock::system(), stores::memory::MemorySettings{})) {
    runtime_.app_id = "app";
    auto counting = std::make_unique<test::CountingStore>(std::move(*loop_.run(core_->open(loop_))));
    store_ = counting.get();
    entry_->name = "s";
    entry_->key_prefix = "app||";
    entry_->v1_query = true;
    entry_->store = std::move(counting);
    table_.put(entry_);
  }
  ~Refusing() override { EXPECT_TRUE(loop_.run(entry_->store->close({}))); }

  // Every call of v1 on the key: what it fails with.
  std::vector<std::pair<const char*, std::optional<ApiError>>> v1_calls(const CallContext& context, std::string key) {
    std::vector<std::pair<const char*, std::optional<ApiError>>> out;
    const auto note = [&out](const char* name, const auto& result) {
      out.emplace_back(name, result ? std::nullopt : std::optional(result.error()));
    };
    V1 v1(service_, runtime_, GetParam());
    const auto item = [&key] {
      V1Item one;
      one.key = key;
      one.value = "1";
      return one;
    };
    const std::string_view keys[] = {"mine/ok", key};
    std::vector<V1Item> items = {item(), item()};
    V1Item single = item();
    note("get", loop_.run(v1.get(*entry_, context, key, "")));
    note("bulk_get", loop_.run(v1.bulk_get(*entry_, context, keys)));
    note("save", loop_.run(v1.save(*entry_, context, items)));
    note("erase", loop_.run(v1.erase(*entry_, context, single)));
    note("erase_bulk", loop_.run(v1.erase_bulk(*entry_, context, items)));
    for (const bool is_delete : {false, true}) {
      std::vector<V1Operation> operations = {{is_delete, item()}};
      note("transact", loop_.run(v1.transact(*entry_, context, operations)));
    }
    return out;
  }
  std::optional<ApiError> v1_query(const CallContext& context) {
    V1 v1(service_, runtime_, GetParam());
    const auto page = loop_.run(v1.query(*entry_, context, "{}", ""));
    return page ? std::nullopt : std::optional(page.error());
  }

  test::TestLoop loop_;
  std::shared_ptr<stores::memory::MemoryCore> core_;
  service::Runtime runtime_;
  service::StoreTable table_;
  service::KeyTurns turns_;
  service::Service service_{table_, Clock::system(), loop_, turns_};
  std::shared_ptr<service::StoreEntry> entry_ = std::make_shared<service::StoreEntry>();
  test::CountingStore* store_ = nullptr;
};

TEST_P(Refusing, WhatATokenForbidsIs403InV1WithoutACall) {
  Grant grant;
  grant.prefix = "mine/";
  CallContext context;
  context.grant = &grant;
  auto calls = v1_calls(context, "theirs");
  grant.prefix.clear();
  grant.rights = Right::watch;
  for (auto& call : v1_calls(context, "mine/ok")) calls.push_back(call);
  calls.emplace_back("query", v1_query(context));
  ASSERT_EQ(calls.size(), 15u);
  for (const auto& [name, error] : calls) {
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->http, 403) << name;
    EXPECT_EQ(error->grpc, grpc::Code::permission_denied) << name;
    EXPECT_EQ(error->code, "ERR_PERMISSION_DENIED") << name;
    EXPECT_THAT(json_body(*error), HasSubstr(R"({"errorCode":"ERR_PERMISSION_DENIED","message":"the token )")) << name;
  }
  EXPECT_EQ(store_->calls(), 0u);
}

TEST_P(Refusing, WhatIsolationDoesNotAllowIs400InV1WithoutACall) {
  CallContext context;
  entry_->isolation = Isolation::required;
  auto calls = v1_calls(context, "k");
  calls.emplace_back("query", v1_query(context));
  context.isolation = "K";
  for (auto& call : v1_calls(context, "isolation::L::state::k")) calls.push_back(call);
  context.isolation = "a/b";
  for (auto& call : v1_calls(context, "k")) calls.push_back(call);
  entry_->isolation = Isolation::off;
  context.isolation = "K";
  for (auto& call : v1_calls(context, "k")) calls.push_back(call);
  calls.emplace_back("query", v1_query(context));
  ASSERT_EQ(calls.size(), 30u);
  for (const auto& [name, error] : calls) {
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->http, 400) << name;
    EXPECT_EQ(error->grpc, grpc::Code::invalid_argument) << name;
    EXPECT_EQ(error->code, "ERR_MALFORMED_REQUEST") << name;
  }
  EXPECT_EQ(store_->calls(), 0u);
}

TEST_P(Refusing, AnIllegalKeyIsDaprsErrorFirst) {
  Grant grant;
  grant.prefix = "mine/";
  CallContext context;
  context.grant = &grant;
  V1 v1(service_, runtime_, GetParam());
  const auto got = loop_.run(v1.get(*entry_, context, "a||b", ""));
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("can't contain '||'"));
}

INSTANTIATE_TEST_SUITE_P(V1, Refusing, testing::Values(V1::Protocol::http, V1::Protocol::grpc),
                         [](const auto& info) { return info.param == V1::Protocol::http ? "Http" : "Grpc"; });

}  // namespace
}  // namespace holdfast::api
