#include "stores/sqlite/inspect.h"

#include <gmock/gmock.h>

#include <set>

#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using testing::HasSubstr;

std::set<std::string> names_beside(const std::string& file) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(file).parent_path()))
    names.insert(entry.path().filename());
  return names;
}

Status inspect_file(const std::string& connection) { return inspect(component_of({{"connectionString", connection}})); }

TEST(SqliteInspect, ASoundFileIsFoundSoundAndNothingIsLeftBesideIt) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  {
    OpenStore db(file);
    ASSERT_TRUE(db.set("k", "v"));
  }
  const std::string before = read_file(file);
  for (const std::string& connection : {file, "file:" + file, file + "?mode=ro"}) {
    const Status status = inspect_file(connection);
    EXPECT_TRUE(status) << connection << ": " << status.error().message;
    EXPECT_EQ(names_beside(file), std::set<std::string>{"state.db"}) << connection;
  }
  EXPECT_EQ(read_file(file), before);
}

TEST(SqliteInspect, AFileInUseIsFoundSoundAndItsLogIsLeftAlone) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  OpenStore db(file);
  ASSERT_TRUE(db.set("k", "v"));
  const std::string log = read_file(file + "-wal");
  ASSERT_FALSE(log.empty());
  EXPECT_TRUE(inspect_file(file));
  EXPECT_TRUE(inspect_file(file + "?mode=ro"));
  EXPECT_EQ(read_file(file + "-wal"), log);
  EXPECT_EQ(db.value("k"), "v");
}

TEST(SqliteInspect, TheLogOfACrashIsNeitherFoldedInNorRemoved) {
  const TempFolder folder;
  const TempFolder crashed;
  const std::string file = crashed.file("state.db");
  {
    OpenStore db(folder.file("state.db"));
    ASSERT_TRUE(db.set("k", "v"));
    for (const char* part : {"state.db", "state.db-wal"})
      std::filesystem::copy_file(folder.file(part), crashed.file(part));
  }
  const std::string before = read_file(file);
  const std::string log = read_file(file + "-wal");
  const Status status = inspect_file(file);
  EXPECT_TRUE(status) << status.error().message;
  EXPECT_EQ(read_file(file), before);
  EXPECT_EQ(read_file(file + "-wal"), log);
}

TEST(SqliteInspect, TablesOfDaprsWithoutOursAreFineAndStayAsTheyAre) {
  const TempFolder folder;
  const std::string file = folder.file("dapr.db");
  sql(file, kDaprTables);
  EXPECT_TRUE(inspect_file(file));
  EXPECT_EQ(sql(file, "SELECT count(*) FROM sqlite_master WHERE name LIKE '%holdfast%'"), "0");
}

TEST(SqliteInspect, ADatabaseThatIsNotThereIsNotMade) {
  const TempFolder folder;
  const Status status = inspect_file(folder.file("none.db"));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::not_found);
  EXPECT_THAT(status.error().message, HasSubstr("none.db yet"));
  EXPECT_EQ(inspect_file(folder.file("none.db?mode=ro")).error().code, Errc::unavailable);
  const Status no_folder = inspect_file(folder.file("no/folder/none.db"));
  ASSERT_FALSE(no_folder);
  EXPECT_EQ(no_folder.error().code, Errc::unavailable);
  EXPECT_TRUE(names_beside(folder.file("x")).empty());
}

TEST(SqliteRequireFile, SaysWhereTheFileWouldHaveToBe) {
  const TempFolder folder;
  const auto require = [](const std::string& connection) {
    return require_file(component_of({{"connectionString", connection}}));
  };
  EXPECT_TRUE(require(":memory:"));
  EXPECT_EQ(require(folder.file("no/folder/none.db")).error().code, Errc::unavailable);
  EXPECT_EQ(require(folder.file("none.db")).error().code, Errc::not_found);
  EXPECT_THAT(require("none-here.db").error().message,
              HasSubstr("there is no " + (std::filesystem::current_path() / "none-here.db").string() + " yet"));
  OpenStore db(folder.file("state.db"));
  EXPECT_TRUE(require(folder.file("state.db")));
  EXPECT_TRUE(require("file:" + folder.file("state.db") + "?mode=rw"));
}

TEST(SqliteInspect, ADamagedFileIsToldFromASoundOne) {
  const TempFolder folder;
  const std::string file = folder.file("state.db");
  {
    OpenStore db(file);
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(db.set("key" + std::to_string(i), std::string(100, 'v')));
  }
  std::string bytes = read_file(file);
  const std::size_t half = bytes.size() / 2 / 4096 * 4096;
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(half), 4096, '\x5a');
  std::ofstream(file, std::ios::binary) << bytes;
  const Status status = inspect_file(file);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::internal);
  EXPECT_THAT(status.error().message, HasSubstr("damaged"));
  EXPECT_EQ(read_file(file), bytes);
}

TEST(SqliteInspect, WhatIsNoDatabaseOrSomebodyElsesIsRefused) {
  const TempFolder folder;
  const std::string text = folder.file("text.db");
  std::ofstream(text) << std::string(2000, 'x');
  EXPECT_THAT(inspect_file(text).error().message, HasSubstr("not a SQLite database"));
  const std::string other = folder.file("other.db");
  sql(other, "CREATE TABLE state (id INTEGER PRIMARY KEY)");
  EXPECT_THAT(inspect_file(other).error().message, HasSubstr("belongs to something else"));
}

TEST(SqliteInspect, ADatabaseInMemoryHasNothingToLookAt) { EXPECT_TRUE(inspect_file(":memory:")); }

TEST(SqliteInspect, SettingsAreCheckedFirst) {
  EXPECT_EQ(inspect(component_of({})).error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace holdfast::stores::sqlite
