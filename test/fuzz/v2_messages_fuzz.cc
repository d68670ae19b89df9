// holdfast.v2.State on a store in memory: whatever the message, the call ends with an answer of its type, or with a
// status that is not ours to mend. The first byte chooses the method.
#include <google/protobuf/message.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "api/grpc/dispatch.h"
#include "holdfast/v2/state.pb.h"
#include "require.h"
#include "stores/memory/core.h"
#include "support/test_loop.h"

namespace api = holdfast::api;
namespace state = holdfast::state;
namespace service = holdfast::service;
namespace pb = ::holdfast::v2;
using holdfast::grpc::Code;

namespace {

class Server {
 public:
  Server() {
    auto entry = std::make_shared<service::StoreEntry>();
    entry->name = "mem";
    entry->isolation = service::Isolation::optional;
    entry->store = std::move(*loop_.run(core_->open(loop_)));
    store_ = entry->store.get();
    stores_.put(std::move(entry));
  }

  // Every input finds the same records.
  void begin() {
    (void)loop_.run(store_->erase_prefix({}, {.prefix = ""}));
    set("a", R"({"n":1,"list":[1,2]})", state::Shape::json);
    set("b", "41", state::Shape::json);
    set("c", "bytes", state::Shape::bytes);
  }

  api::GrpcStatus call(const char* method, std::string_view message, std::string& out) {
    holdfast::http::Request request;
    api::GrpcCall call{request, message, {}, out};
    return loop_.run(grpc_->unary().at(std::string("/holdfast.v2.State/") + method)(call));
  }

 private:
  void set(std::string_view key, std::string_view value, state::Shape shape) {
    state::SetRequest request;
    request.key = key;
    request.value = value;
    request.shape = shape;
    FUZZ_REQUIRE(loop_.run(store_->set({}, request)).has_value());
  }

  holdfast::test::TestLoop loop_;
  std::shared_ptr<holdfast::stores::memory::MemoryCore> core_ = std::make_shared<holdfast::stores::memory::MemoryCore>(
      holdfast::Clock::system(), holdfast::stores::memory::MemorySettings{});
  state::StateStore* store_ = nullptr;
  service::StoreTable stores_;
  service::KeyTurns turns_;
  service::Service service_{stores_, holdfast::Clock::system(), loop_, turns_};
  service::Runtime runtime_;
  std::unique_ptr<api::GrpcService> grpc_ = api::make_holdfast_v2(service_, runtime_);
};

struct Method {
  const char* name;
  const google::protobuf::Message& request;
  const google::protobuf::Message& answer;
};

template <class Request, class Answer>
Method method(const char* name) {
  return {name, Request::default_instance(), Answer::default_instance()};
}

// Every text that is sent back has to be UTF-8: the client's library refuses the whole answer otherwise.
void check_answer(const Method& method, const std::string& out) {
  const std::unique_ptr<google::protobuf::Message> answer(method.answer.New());
  FUZZ_REQUIRE(answer->ParseFromString(out));
}

void check_status(const api::GrpcStatus& status) {
  FUZZ_REQUIRE(status.code == Code::invalid_argument || status.code == Code::not_found ||
               status.code == Code::aborted || status.code == Code::failed_precondition ||
               status.code == Code::resource_exhausted || status.code == Code::unimplemented);
  FUZZ_REQUIRE(!status.message.empty() && !status.details.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  static Server server;
  static const std::array kMethods{
      method<pb::PutRequest, pb::PutResponse>("Put"),
      method<pb::GetRequest, pb::Record>("Get"),
      method<pb::DeleteRequest, pb::DeleteResponse>("Delete"),
      method<pb::PatchRequest, pb::PatchResponse>("Patch"),
      method<pb::ListRequest, pb::ListResponse>("List"),
      method<pb::DeletePrefixRequest, pb::DeletePrefixResponse>("DeletePrefix"),
      method<pb::BatchGetRequest, pb::BatchGetResponse>("BatchGet"),
      method<pb::BatchWriteRequest, pb::BatchWriteResponse>("BatchWrite"),
      method<pb::TransactRequest, pb::TransactResponse>("Transact"),
      method<pb::QueryRequest, pb::QueryResponse>("Query"),
  };
  if (size == 0) return 0;
  const Method& method = kMethods[data[0] % kMethods.size()];
  const std::string message(reinterpret_cast<const char*>(data) + 1, size - 1);
  server.begin();
  std::string out;
  const api::GrpcStatus status = server.call(method.name, message, out);
  const std::unique_ptr<google::protobuf::Message> request(method.request.New());
  if (status.code != Code::ok) {
    check_status(status);
  } else {
    FUZZ_REQUIRE(request->ParseFromString(message));
    check_answer(method, out);
  }
  if (!request->ParseFromString(message)) FUZZ_REQUIRE(status.code == Code::invalid_argument);
  return 0;
}
