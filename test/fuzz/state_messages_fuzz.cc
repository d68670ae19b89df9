// What is read by hand reads as libprotobuf reads it: GetStateRequest and SaveStateRequest. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "api/grpc/dapr_state.h"
#include "base/encoding.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"
#include "require.h"
#include "wire/protobuf/fields.h"

namespace api = holdfast::api;
namespace pb = ::dapr::proto::runtime::v1;
using Map = std::map<std::string, std::string>;

namespace {

Map map_of(const holdfast::state::Pairs& pairs) { return {pairs.begin(), pairs.end()}; }
Map map_of(const google::protobuf::Map<std::string, std::string>& map) { return {map.begin(), map.end()}; }

std::string concurrency_of(int number) { return number == 1 ? "first-write" : number == 2 ? "last-write" : ""; }
std::string consistency_of(int number) { return number == 1 ? "eventual" : number == 2 ? "strong" : ""; }

void check_reader(std::string_view message) {
  holdfast::protobuf::Reader reader(message);
  std::size_t fields = 0;
  while (reader.next()) {
    FUZZ_REQUIRE(++fields <= message.size());
    FUZZ_REQUIRE(reader.field() != 0);
    if (!reader.is_bytes() || reader.bytes().empty()) continue;
    FUZZ_REQUIRE(reader.bytes().data() >= message.data());
    FUZZ_REQUIRE(reader.bytes().data() + reader.bytes().size() <= message.data() + message.size());
  }
}

void check_get(std::string_view message) {
  api::GetStateFields ours;
  const bool is_ours = api::decode_get_state(message, ours);
  pb::GetStateRequest theirs;
  if (!theirs.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
  if (!is_ours) return;  // groups, which proto3 lacks and libprotobuf skips
  FUZZ_REQUIRE(ours.store == theirs.store_name());
  FUZZ_REQUIRE(ours.key == theirs.key());
  FUZZ_REQUIRE(consistency_of(static_cast<int>(ours.consistency)) == consistency_of(theirs.consistency()));
  FUZZ_REQUIRE(map_of(ours.metadata) == map_of(theirs.metadata()));
}

void check_item(const api::V1Item& ours, const ::dapr::proto::common::v1::StateItem& theirs) {
  FUZZ_REQUIRE(ours.key == theirs.key());
  FUZZ_REQUIRE(ours.value == theirs.value());
  FUZZ_REQUIRE(ours.etag == theirs.etag().value());
  FUZZ_REQUIRE(ours.concurrency == concurrency_of(theirs.options().concurrency()));
  FUZZ_REQUIRE(ours.consistency == consistency_of(theirs.options().consistency()));
  FUZZ_REQUIRE(map_of(ours.metadata) == map_of(theirs.metadata()));
}

void check_save(std::string_view message) {
  api::SaveStateFields ours;
  const bool is_ours = api::decode_save_state(message, ours);
  pb::SaveStateRequest theirs;
  if (!theirs.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
  if (!is_ours) return;
  FUZZ_REQUIRE(ours.store == theirs.store_name());
  FUZZ_REQUIRE(ours.items.size() == static_cast<std::size_t>(theirs.states_size()));
  for (std::size_t i = 0; i < ours.items.size(); ++i) check_item(ours.items[i], theirs.states(static_cast<int>(i)));
}

// What libprotobuf wrote, ours must read.
void check_written(std::string_view message) {
  pb::SaveStateRequest request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
  request.DiscardUnknownFields();
  std::string written;
  if (!request.SerializeToString(&written)) return;
  api::SaveStateFields ours;
  FUZZ_REQUIRE(api::decode_save_state(written, ours));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  google::protobuf::SetLogHandler(nullptr);
  if (size == 0) return 0;
  const std::string message(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_reader(message);
  if (data[0] % 2 == 0) {
    check_get(message);
  } else {
    check_save(message);
    check_written(message);
  }
  return 0;
}
