#include "migration/export_file.h"

#include <fstream>

#include "migration/testing.h"

namespace holdfast::migration {
namespace {

using stores::sqlite::read_file;
using stores::sqlite::TempFolder;
using testing::HasSubstr;

class ExportFileTest : public MigrationTest {
 protected:
  Result<Journal> export_all(Journal journal = {}) {
    FileSink sink(file, {.program = "test", .from = "a (state.in-memory)", .prefix = "", .exported = "now"});
    return move(from_source(), sink, nullptr, std::move(journal));
  }
  Result<Journal> import_all(Journal journal = {}) {
    auto source = FileSource::open(file, page);
    if (!source) return fail(source.error());
    other_source = source->get();
    auto done = migrate(std::move(journal));
    other_source = nullptr;
    return done;
  }
  void write(const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

  TempFolder folder;
  std::string file = folder.file("records.jsonl");
};

TEST_F(ExportFileTest, AnExportIsImportedAsItWas) {
  const state::Pairs tags{{"a", "b"}, {"a", "\xff"}};
  fill(20);
  from.set(put_tagged(put("app||t||1||x", std::string_view("\0\xff\n\r", 4), Milliseconds(50'000)), tags));
  state::SetRequest json = put_by("json", "{\"a\": \n[1.0]}", "alice");
  json.shape = state::Shape::json;
  from.set(json);
  ASSERT_TRUE(export_all());
  EXPECT_FALSE(std::filesystem::exists(file + ".part"));
  const auto done = import_all();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(is_success(summary_of(*done))) << text_of(summary_of(*done));
  EXPECT_EQ(to.all(), from.all());
  EXPECT_EQ(to.get("app||t||1||x")->expires_at, from.get("app||t||1||x")->expires_at);
  EXPECT_EQ(to.get("app||t||1||x")->fields->tags, tags);
  EXPECT_EQ(to.get("json")->fields->created_by, "alice");
  // The hash of what is in the store is the one of the file.
  std::filesystem::rename(file, file + ".first");
  const std::string first = read_file(file + ".first");
  StoreSource back(to.store(), clock, "", page);
  FileSink sink(file, {.program = "test"});
  ASSERT_TRUE(move(back, sink, nullptr));
  const auto content_of = [](const std::string& text) {
    const std::size_t at = text.rfind("\"content\":");
    return text.substr(at, text.find(',', at) - at);
  };
  EXPECT_EQ(content_of(read_file(file)), content_of(first));
}

TEST_F(ExportFileTest, AnEmptyStoreIsAWholeFile) {
  ASSERT_TRUE(export_all());
  const auto done = import_all();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(to.all().empty());
}

TEST_F(ExportFileTest, AFileThatIsThereIsLeftAsItIs) {
  write("mine");
  const auto done = export_all();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::precondition_failed);
  EXPECT_EQ(read_file(file), "mine");
}

TEST_F(ExportFileTest, AFileCutOffAnywhereIsRefusedBeforeAnythingIsWritten) {
  fill(3);
  ASSERT_TRUE(export_all());
  const std::string whole = read_file(file);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(whole.substr(0, length));
    const auto done = import_all();
    ASSERT_FALSE(done) << length;
    EXPECT_EQ(done.error().code, Errc::invalid_argument) << length;
    EXPECT_TRUE(to.all().empty()) << length;
  }
}

TEST_F(ExportFileTest, AChangedByteIsFound) {
  fill(3);
  ASSERT_TRUE(export_all());
  std::string text = read_file(file);
  const std::size_t at = text.find("valueBase64\":\"") + 14;
  text[at] = text[at] == 'A' ? 'B' : 'A';
  write(text);
  const auto done = import_all();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr(":5: the file was changed"));
}

TEST_F(ExportFileTest, ABrokenLineIsNamedByItsNumber) {
  fill(3);
  ASSERT_TRUE(export_all());
  std::string text = read_file(file);
  const std::size_t line = text.find("{\"key\":\"key101\"");
  text[line] = '[';
  write(text);
  const auto done = import_all();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr(file + ":3: it is not JSON"));
}

TEST_F(ExportFileTest, OtherFilesAreRefused) {
  EXPECT_EQ(import_all().error().code, Errc::not_found);
  for (const char* text : {"", "\n", "{}\n", "[]\n", "key=value\n"}) {
    write(text);
    EXPECT_EQ(import_all().error().code, Errc::invalid_argument) << text;
  }
  file = folder.file("");
  EXPECT_THAT(import_all().error().message, HasSubstr("no regular file"));
}

TEST_F(ExportFileTest, AnImportStoppedAnywhereGoesOnAtItsLine) {
  fill(20);
  ASSERT_TRUE(export_all());
  for (std::uint64_t stop_at = 3; stop_at < 20; stop_at += 3) {
    for (const auto& [key, value] : to.all()) to.erase(key);
    on_batch = [this, stop_at](const Journal& at) { stop.requested = at.copy.tally[Count::read] >= stop_at; };
    ASSERT_TRUE(import_all());
    stop.requested = false;
    on_batch = nullptr;
    const auto done = import_all(last_kept);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(done->copy.tally[Count::written], 20u);
    EXPECT_EQ(to.all(), from.all());
  }
}

TEST_F(ExportFileTest, AnExportStoppedAnywhereGoesOnAtItsByte) {
  fill(20);
  ASSERT_TRUE(export_all());
  const std::string whole = read_file(file);
  for (std::uint64_t stop_at = 3; stop_at < 20; stop_at += 3) {
    std::filesystem::remove(file);
    on_batch = [this, stop_at](const Journal& at) { stop.requested = at.copy.tally[Count::read] >= stop_at; };
    ASSERT_TRUE(export_all());
    EXPECT_FALSE(std::filesystem::exists(file)) << "it has its name only once it is whole";
    // What was written behind the last checkpoint, and was not on the disk yet.
    std::ofstream(file + ".part", std::ios::binary | std::ios::app) << "{\"key\":\"half a li";
    stop.requested = false;
    on_batch = nullptr;
    ASSERT_TRUE(export_all(last_kept));
    EXPECT_EQ(read_file(file), whole);
  }
}

TEST_F(ExportFileTest, AnExportWhoseFileHasGoneDoesNotGoOn) {
  fill(20);
  on_batch = [this](const Journal& at) { stop.requested = at.copy.tally[Count::read] >= 6; };
  ASSERT_TRUE(export_all());
  stop.requested = false;
  on_batch = nullptr;
  std::filesystem::resize_file(file + ".part", 10);
  EXPECT_EQ(export_all(last_kept).error().code, Errc::precondition_failed);
  std::filesystem::remove(file + ".part");
  EXPECT_EQ(export_all(last_kept).error().code, Errc::not_found);
}

TEST_F(ExportFileTest, ALongLineIsReadInPieces) {
  const std::string large(5u << 20, 'x');
  from.set("large", large);
  fill(2);
  ASSERT_TRUE(export_all());
  ASSERT_TRUE(import_all());
  EXPECT_EQ(to.get("large")->value, large);
}

TEST_F(ExportFileTest, APrefixChoosesLinesAndMayBecomeAnother) {
  from.set("a||1", "x");
  from.set("b||1", "y");
  ASSERT_TRUE(export_all());
  options.prefix = "a||";
  options.to_prefix = "c||";
  const auto done = import_all();
  ASSERT_TRUE(done);
  EXPECT_TRUE(is_success(summary_of(*done)));
  EXPECT_EQ(to.all(), (std::map<std::string, std::string>{{"c||1", "x"}}));
}

}  // namespace
}  // namespace holdfast::migration
