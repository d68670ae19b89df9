// A hostile etcd: whatever its messages hold is understood or refused, and what is understood refers to the bytes.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "require.h"
#include "stores/etcd/layout.h"
#include "stores/etcd/writing.h"
#include "wire/etcd/messages.h"

namespace etcd = holdfast::etcd;
namespace store = holdfast::stores::etcd;

namespace {

bool is_within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void look(const std::vector<etcd::KeyValue>& kvs, std::string_view bytes) {
  for (const etcd::KeyValue& kv : kvs) {
    FUZZ_REQUIRE(is_within(kv.key, bytes) && is_within(kv.value, bytes));
    for (const store::Layout layout : {store::Layout::v1, store::Layout::v2}) {
      const auto stored = store::read_stored({&kv, &kv, &kv}, layout);
      if (!stored) continue;
      FUZZ_REQUIRE(is_within(stored->value, bytes));
      store::record_of(*stored, true, true);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto reply = etcd::read_range(bytes)) look(reply->kvs, bytes);
  if (const auto reply = etcd::read_txn(bytes)) {
    for (const etcd::OperationReply& one : reply->replies) look(store::kvs_of(one), bytes);
    // As the answer to a transaction that asked something else.
    const auto present = holdfast::state::Precondition::present();
    holdfast::state::SetRequest set;
    set.key = "k";
    set.value = "v";
    set.when = present;
    const holdfast::state::Operation operations[] = {set, holdfast::state::DeleteRequest{.key = "l", .when = present}};
    for (const store::Layout layout : {store::Layout::v1, store::Layout::v2}) {
      store::WriterContext context;
      context.layout = layout;
      store::Writing writing(operations, context);
      std::string request;
      etcd::append(request, writing.round());
      writing.outcomes(reply->replies, reply->header.revision);
      if (writing.note(reply->replies)) writing.objection();
      etcd::append(request, writing.round());
    }
  }
  if (const auto reply = etcd::read_watch(bytes))
    for (const etcd::WatchEvent& event : reply->events) look({event.kv}, bytes);
  (void)etcd::read_lease_grant(bytes);
  (void)etcd::read_lease_time_to_live(bytes);
  (void)etcd::read_status(bytes);
  (void)etcd::read_token(bytes);
  if (const auto message = store::read_message(bytes)) FUZZ_REQUIRE(is_within(message->value, bytes));
  return 0;
}
