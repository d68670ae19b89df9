#include "stores/postgresql/gathering.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::stores::postgresql {
namespace {

const int kKind = 0;

std::shared_ptr<Exchange> exchange(std::string_view key, std::size_t bytes = 1, bool is_write = true) {
  auto made = std::make_shared<Exchange>();
  made->sharing = {.kind = &kKind, .key = key, .is_write = is_write};
  made->bytes = bytes;
  return made;
}

std::string keys_of(const Batch& batch) {
  std::string keys;
  for (const auto& each : batch) keys += std::string(each->sharing.key) + " ";
  return keys;
}

TEST(Gathering, WritesGoInTheOrderOfTheirKeys) {
  Gathering gathering(&kKind);
  for (const char* const key : {"c", "a", "b"}) gathering.add(exchange(key));
  EXPECT_EQ(keys_of(gathering.take()), "a b c ");
  EXPECT_TRUE(gathering.empty());
}

TEST(Gathering, OfSeveralWritesToAKeyEachGoesInATurnOfItsOwnInTheirOrder) {
  Gathering gathering(&kKind);
  std::vector<std::shared_ptr<Exchange>> writes;
  for (const char* const key : {"b", "a", "b", "a", "b"}) gathering.add(writes.emplace_back(exchange(key)));
  EXPECT_EQ(gathering.take(), (Batch{writes[1], writes[0]}));
  EXPECT_EQ(gathering.take(), (Batch{writes[3], writes[2]}));
  EXPECT_EQ(gathering.take(), (Batch{writes[4]}));
  EXPECT_TRUE(gathering.empty());
}

TEST(Gathering, ReadingsOfAKeyGoTogether) {
  Gathering gathering(&kKind);
  for (const char* const key : {"b", "a", "b"}) gathering.add(exchange(key, 1, false));
  EXPECT_EQ(keys_of(gathering.take()), "a b b ");
}

TEST(Gathering, IsBoundedInNumberAndInBytes) {
  Gathering gathering(&kKind);
  for (std::size_t i = 0; i < Gathering::kBatchMax + 1; ++i) gathering.add(exchange("k", 1, false));
  EXPECT_EQ(gathering.take().size(), Gathering::kBatchMax);
  EXPECT_EQ(gathering.take().size(), 1U);
  gathering.add(exchange("a", Gathering::kBytesMax + 1));
  gathering.add(exchange("b", Gathering::kBytesMax));
  gathering.add(exchange("c", 1));
  EXPECT_EQ(keys_of(gathering.take()), "a ") << "too large for any company, and goes";
  EXPECT_EQ(keys_of(gathering.take()), "b ");
  EXPECT_EQ(keys_of(gathering.take()), "c ");
}

TEST(Gathering, LeavesOutWhatIsDone) {
  Gathering gathering(&kKind);
  const auto late = exchange("a");
  gathering.add(late);
  gathering.add(exchange("b"));
  late->finish();
  EXPECT_EQ(keys_of(gathering.take()), "b ");
  gathering.add(late);
  EXPECT_TRUE(gathering.take().empty());
  EXPECT_TRUE(gathering.empty());
}

}  // namespace
}  // namespace holdfast::stores::postgresql
