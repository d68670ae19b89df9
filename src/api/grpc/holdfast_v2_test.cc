#include <gtest/gtest.h>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "holdfast/v2/state.pb.h"
#include "support/map_store.h"
#include "support/test_loop.h"

namespace holdfast::api {
namespace {

namespace pb = ::holdfast::v2;
using grpc::Code;

class HoldfastV2Service : public testing::Test {
 protected:
  HoldfastV2Service() {
    auto entry = std::make_shared<service::StoreEntry>();
    entry->name = "orders";
    entry->isolation = service::Isolation::optional;
    entry->store = std::make_unique<test::MapStore>();
    stores_.put(std::move(entry));
  }

  // The answer goes to `response` where there is one.
  GrpcStatus call(const std::string& method, const std::string& message, google::protobuf::MessageLite* response) {
    std::string out;
    http::Request request;
    GrpcCall call{request, message, {}, out};
    call.context.isolation = isolation_;
    std::optional<GrpcStatus> status;
    // Nothing suspends: the answer is there when start() returns.
    start(grpc_->unary().at("/holdfast.v2.State/" + method)(call),
          [&status](GrpcStatus answer) { status = std::move(answer); });
    if (response != nullptr) EXPECT_TRUE(response->ParseFromString(out));
    return status.value_or(GrpcStatus{Code::unknown, "the call did not finish", {}});
  }
  pb::Record written_and_read() {
    pb::PutRequest put;
    put.set_store("orders");
    put.set_key("17");
    put.set_want_record(true);
    pb::PutResponse written;
    EXPECT_EQ(call("Put", put.SerializeAsString(), &written).code, Code::ok);
    pb::GetRequest get;
    get.set_store("orders");
    get.set_key("17");
    pb::Record read;
    EXPECT_EQ(call("Get", get.SerializeAsString(), &read).code, Code::ok);
    EXPECT_EQ(read.SerializeAsString(), written.record().SerializeAsString());
    return read;
  }

  std::optional<std::string_view> isolation_;
  service::StoreTable stores_;
  test::TestLoop loop_;
  service::KeyTurns turns_;
  service::Service service_{stores_, Clock::system(), loop_, turns_};
  service::Runtime runtime_;
  std::unique_ptr<GrpcService> grpc_ = make_holdfast_v2(service_, runtime_);
};

TEST_F(HoldfastV2Service, ARecordNamesItsIsolationKey) {
  isolation_ = "tenant";
  const pb::Record record = written_and_read();
  EXPECT_EQ(record.store(), "orders");
  EXPECT_EQ(record.key(), "17");
  EXPECT_EQ(record.id(), "isolation::tenant::state::17");
  EXPECT_TRUE(record.isolation_mode());
  EXPECT_EQ(record.isolation_key(), "tenant");
}

TEST_F(HoldfastV2Service, ARecordOfNoIsolationKeySaysSo) {
  const pb::Record record = written_and_read();
  EXPECT_EQ(record.id(), "17");
  EXPECT_FALSE(record.isolation_mode());
  EXPECT_EQ(record.isolation_key(), "");
}

TEST_F(HoldfastV2Service, AMessageThatIsNoneIsTheClientsMistake) {
  for (const auto& [method, unary] : grpc_->unary()) {
    const std::string name = method.substr(method.rfind('/') + 1);
    for (const char* message : {"\x0a\xff", "\x0a\x01\xff", "\xff\xff\xff"}) {
      const GrpcStatus status = call(name, message, nullptr);
      EXPECT_EQ(status.code, Code::invalid_argument) << name;
      EXPECT_EQ(status.details.size(), 1u) << name;
    }
  }
}

TEST(FieldText, BytesThatBelongToNoCharacterAreReplaced) {
  EXPECT_EQ(field_text("plain \u00fc\u20ac\U0001f600"), "plain \u00fc\u20ac\U0001f600");
  EXPECT_EQ(field_text("a\xff"
                       "b"),
            "a\ufffdb");
  EXPECT_EQ(field_text("\xe2\x82"), "\ufffd\ufffd");
  EXPECT_EQ(field_text("\xed\xa0\x80|"), "\ufffd\ufffd\ufffd|");
}

}  // namespace
}  // namespace holdfast::api
