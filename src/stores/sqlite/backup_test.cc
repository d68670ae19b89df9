#include "stores/sqlite/backup.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using testing::HasSubstr;

std::size_t files_in(const std::string& file) {
  const auto folder = std::filesystem::directory_iterator(std::filesystem::path(file).parent_path());
  return static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
}

TEST(SqliteBackup, ACopyOpensAsAStoreWithEverythingInIt) {
  const TempFolder folder;
  const TempFolder elsewhere;
  const std::string copy = elsewhere.file("copy.db");
  {
    OpenStore db(folder.file("state.db"));
    ASSERT_TRUE(db.set("k", "v"));
    ASSERT_TRUE(db.set("t", "v", {}, Milliseconds(60'500)));
    const Status status = backup(component_of({{"connectionString", folder.file("state.db")}}), copy);
    ASSERT_TRUE(status) << status.error().message;
  }
  EXPECT_EQ(files_in(copy), 1u);
  OpenStore restored(copy);
  EXPECT_EQ(restored.value("k"), "v");
  EXPECT_EQ((*restored.get("t"))->expires_at->ms(), restored.clock.wall().ms() + 60'500);
  EXPECT_TRUE((*restored.get("k", true))->fields);
}

TEST(SqliteBackup, AFileThatIsThereIsNotTouched) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  {
    OpenStore db(file);
  }
  const std::string copy = folder.file("copy.db");
  std::ofstream(copy) << "precious";
  const Status status = backup(component_of({{"connectionString", file}}), copy);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::precondition_failed);
  EXPECT_THAT(status.error().message, HasSubstr(copy));
  EXPECT_EQ(read_file(copy), "precious");
}

TEST(SqliteBackup, WhatCannotBeCopiedIsAClearError) {
  const TempFolder folder;
  const std::string copy = folder.file("copy.db");
  EXPECT_EQ(backup(component_of({{"connectionString", ":memory:"}}), copy).error().code, Errc::unsupported);
  const Status missing = backup(component_of({{"connectionString", folder.file("none.db")}}), copy);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
  const std::string file = folder.file("state.db");
  {
    OpenStore db(file);
  }
  EXPECT_FALSE(backup(component_of({{"connectionString", file}}), folder.file("no/such/folder/copy.db")));
  EXPECT_EQ(files_in(copy), 1u);
}

TEST(SqliteBackup, ACopyTakenWhileASidecarWritesIsOneInstant) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  // Two keys that always change together; the filler makes the copy take long enough to be
  // disturbed.
  const std::string filler(2'000'000, 'f');
  ASSERT_TRUE(db.set("filler", filler));
  std::atomic<bool> enough = false;
  std::atomic<int> rounds = 0;
  std::thread writer([&] {
    test::TestLoop loop;
    auto store = loop.run(db.core->open(loop));
    ASSERT_TRUE(store);
    for (int i = 0; !enough; ++i) {
      const std::string value = std::to_string(i);
      state::SetRequest a;
      a.key = "a", a.value = value;
      state::SetRequest b;
      b.key = "b", b.value = value;
      const std::vector<state::Operation> both{a, b};
      EXPECT_TRUE(loop.run((*store)->transact({}, both)));
      ++rounds;
    }
  });
  while (rounds < 3) std::this_thread::yield();
  for (int i = 0; i < 5; ++i) {
    const std::string copy = folder.file("copy" + std::to_string(i));
    const Status status = backup(component_of({{"connectionString", file}}), copy);
    EXPECT_TRUE(status) << status.error().message;
    EXPECT_EQ(sql(copy, "SELECT count(DISTINCT value) FROM state WHERE key IN ('a', 'b'); PRAGMA quick_check"),
              "1\nok");
  }
  enough = true;
  writer.join();
}

}  // namespace
}  // namespace holdfast::stores::sqlite
