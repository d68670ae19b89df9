#include "wire/etcd/messages.h"

#include <gtest/gtest.h>

#include "wire/protobuf/fields.h"

namespace holdfast::etcd {
namespace {

using namespace std::string_view_literals;

// As protoc's own encoder writes it.
TEST(EtcdMessages, ATxnIsWrittenFieldByField) {
  Txn inner;
  inner.success.emplace_back(DeleteRange{.key = "d"});
  Txn txn;
  txn.compares.push_back({"k", Compare::Of::modified, Compare::Is::equal, 300});
  txn.success.emplace_back(Put{"k", "v", 7});
  txn.success.emplace_back(&inner);
  txn.failure.emplace_back(Range{.key = "k"});
  std::string bytes;
  append(bytes, txn);
  EXPECT_EQ(bytes,
            "\x0a\x08\x10\x02\x1a\x01k\x30\xac\x02"
            "\x12\x0a\x12\x08\x0a\x01k\x12\x01v\x18\x07"
            "\x12\x09\x22\x07\x12\x05\x1a\x03\x0a\x01"
            "d"
            "\x1a\x05\x0a\x03\x0a\x01k"sv);
}

TEST(EtcdMessages, ARangeIsWrittenFieldByField) {
  std::string bytes;
  append(bytes, Range{.key = "a", .end = "b", .limit = 3, .revision = 4, .serializable = true, .keys_only = true});
  EXPECT_EQ(bytes,
            "\x0a\x01"
            "a\x12\x01"
            "b\x18\x03\x20\x04\x38\x01\x40\x01"sv);
}

std::string kv(std::string_view key, std::string_view value, std::uint64_t revision) {
  std::string out;
  protobuf::append_bytes(out, 1, key);
  protobuf::append_uint(out, 2, revision);
  protobuf::append_uint(out, 3, revision);
  protobuf::append_uint(out, 4, 1);
  protobuf::append_bytes(out, 5, value);
  protobuf::append_uint(out, 6, 9);
  return out;
}

std::string header(std::uint64_t revision) {
  std::string out;
  protobuf::append_uint(out, 1, 77);
  protobuf::append_uint(out, 3, revision);
  return out;
}

std::string range_reply() {
  std::string out;
  protobuf::append_message(out, 1, header(12));
  protobuf::append_message(out, 2, kv("k", "v", 10));
  protobuf::append_uint(out, 3, 1);
  return out;
}

std::string txn_reply() {
  std::string operation, inner, outer;
  protobuf::append_message(operation, 1, range_reply());
  protobuf::append_message(inner, 1, header(12));
  protobuf::append_uint(inner, 2, 1);
  protobuf::append_message(inner, 3, operation);
  std::string of_inner;
  protobuf::append_message(of_inner, 4, inner);
  protobuf::append_message(outer, 1, header(12));
  protobuf::append_message(outer, 3, of_inner);
  return outer;
}

TEST(EtcdMessages, ARangeIsRead) {
  const std::string bytes = range_reply();
  const auto reply = read_range(bytes);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.cluster, 77u);
  EXPECT_EQ(reply->header.revision, 12);
  EXPECT_TRUE(reply->more);
  ASSERT_EQ(reply->kvs.size(), 1u);
  EXPECT_EQ(reply->kvs[0].key, "k");
  EXPECT_EQ(reply->kvs[0].value, "v");
  EXPECT_EQ(reply->kvs[0].created, 10);
  EXPECT_EQ(reply->kvs[0].modified, 10);
  EXPECT_EQ(reply->kvs[0].lease, 9);
}

TEST(EtcdMessages, AnInnerTxnIsRead) {
  const std::string bytes = txn_reply();
  const auto reply = read_txn(bytes);
  ASSERT_TRUE(reply);
  EXPECT_FALSE(reply->succeeded);
  ASSERT_EQ(reply->replies.size(), 1u);
  ASSERT_EQ(reply->replies[0].inner.size(), 1u);
  EXPECT_TRUE(reply->replies[0].inner[0].succeeded);
  ASSERT_EQ(reply->replies[0].inner[0].replies.size(), 1u);
  EXPECT_EQ(reply->replies[0].inner[0].replies[0].kvs[0].key, "k");
}

TEST(EtcdMessages, EveryTruncationIsAnErrorOrAShorterReply) {
  const std::string bytes = txn_reply();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string part = bytes.substr(0, size);
    const auto reply = read_txn(part);
    if (reply) EXPECT_LE(reply->replies.size(), 1u) << size;
  }
}

TEST(EtcdMessages, TxnsWithinTxnsWithoutEndAreRefused) {
  std::string bytes;
  for (int depth = 0; depth < 50; ++depth) {
    std::string operation, txn;
    protobuf::append_message(operation, 4, bytes);
    protobuf::append_message(txn, 3, operation);
    bytes = txn;
  }
  EXPECT_FALSE(read_txn(bytes));
}

TEST(EtcdMessages, AWatchsEventsAreRead) {
  std::string event, bytes;
  protobuf::append_uint(event, 1, 1);
  protobuf::append_message(event, 2, kv("k", "", 11));
  protobuf::append_message(event, 3, kv("k", "old", 10));
  protobuf::append_message(bytes, 1, header(11));
  protobuf::append_message(bytes, 11, event);
  const auto reply = read_watch(bytes);
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->events.size(), 1u);
  EXPECT_TRUE(reply->events[0].is_delete);
  ASSERT_TRUE(reply->events[0].previous);
  EXPECT_EQ(reply->events[0].previous->value, "old");
}

TEST(EtcdMessages, ALeaseWithoutAnIdIsNone) {
  EXPECT_FALSE(read_lease_grant(""));
  const auto lease = read_lease_grant("\x10\x07\x18\x05"sv);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->lease, 7);
  EXPECT_EQ(lease->seconds, 5);
}

}  // namespace
}  // namespace holdfast::etcd
