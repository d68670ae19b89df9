#include "state/gathering.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast::state {
namespace {

struct Write {
  struct {
    std::string_view key;
    bool is_write = true;
  } sharing;
  std::size_t bytes = 1;
  bool is_done = false;
};
using Writes = Gathering<Write>;
using Batch = Writes::Batch;

std::shared_ptr<Write> write(std::string_view key, std::size_t bytes = 1, bool is_write = true) {
  return std::make_shared<Write>(Write{{key, is_write}, bytes, false});
}

std::string keys_of(const Batch& batch) {
  std::string keys;
  for (const auto& each : batch) keys += std::string(each->sharing.key) + " ";
  return keys;
}

TEST(Gathering, WritesGoInTheOrderOfTheirKeys) {
  Writes gathering;
  for (const char* const key : {"c", "a", "b"}) gathering.add(write(key));
  EXPECT_EQ(keys_of(gathering.take()), "a b c ");
  EXPECT_TRUE(gathering.empty());
}

TEST(Gathering, OfSeveralWritesToAKeyEachGoesInATurnOfItsOwnInTheirOrder) {
  Writes gathering;
  std::vector<std::shared_ptr<Write>> writes;
  for (const char* const key : {"b", "a", "b", "a", "b"}) gathering.add(writes.emplace_back(write(key)));
  EXPECT_EQ(gathering.take(), (Batch{writes[1], writes[0]}));
  EXPECT_EQ(gathering.take(), (Batch{writes[3], writes[2]}));
  EXPECT_EQ(gathering.take(), (Batch{writes[4]}));
  EXPECT_TRUE(gathering.empty());
}

TEST(Gathering, ReadingsOfAKeyGoTogether) {
  Writes gathering;
  for (const char* const key : {"b", "a", "b"}) gathering.add(write(key, 1, false));
  EXPECT_EQ(keys_of(gathering.take()), "a b b ");
}

TEST(Gathering, IsBoundedInNumberAndInBytes) {
  Writes gathering;
  for (std::size_t i = 0; i < Writes::kBatchMax + 1; ++i) gathering.add(write("k", 1, false));
  EXPECT_EQ(gathering.take().size(), Writes::kBatchMax);
  EXPECT_EQ(gathering.take().size(), 1U);
  gathering.add(write("a", Writes::kBytesMax + 1));
  gathering.add(write("b", Writes::kBytesMax));
  gathering.add(write("c", 1));
  EXPECT_EQ(keys_of(gathering.take()), "a ") << "too large for any company, and goes";
  EXPECT_EQ(keys_of(gathering.take()), "b ");
  EXPECT_EQ(keys_of(gathering.take()), "c ");
}

TEST(Gathering, IsBoundedByWhatAServerTakes) {
  Writes gathering;
  for (const char* const key : {"a", "b", "c"}) gathering.add(write(key));
  EXPECT_EQ(keys_of(gathering.take(2)), "a b ");
  EXPECT_EQ(keys_of(gathering.take(2)), "c ");
}

TEST(Gathering, LeavesOutWhatIsDone) {
  Writes gathering;
  const auto late = write("a");
  gathering.add(late);
  gathering.add(write("b"));
  late->is_done = true;
  EXPECT_EQ(keys_of(gathering.take()), "b ");
  gathering.add(late);
  EXPECT_TRUE(gathering.take().empty());
  EXPECT_TRUE(gathering.empty());
}

}  // namespace
}  // namespace holdfast::state
