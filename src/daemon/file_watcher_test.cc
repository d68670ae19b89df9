// Real files in a folder of the test's own: inotify has no stand-in.
#include "daemon/file_watcher.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

namespace holdfast::daemon {
namespace {

namespace fs = std::filesystem;

class FileWatcherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "holdfast-watch-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto watcher = FileWatcher::watch({name}, [this] { changed(); });
    ASSERT_TRUE(watcher) << watcher.error().message;
    watcher_ = std::move(*watcher);
  }
  void TearDown() override {
    watcher_.reset();
    fs::remove_all(folder_);
  }
  void changed() {
    const std::lock_guard lock(mutex_);
    ++calls_;
    called_.notify_all();
  }
  // Whether the watcher has called for the `count`th time, within a minute.
  bool called(int count) {
    std::unique_lock lock(mutex_);
    return called_.wait_for(lock, std::chrono::minutes(1), [&] { return calls_ >= count; });
  }

  fs::path folder_;
  std::unique_ptr<FileWatcher> watcher_;
  std::mutex mutex_;
  std::condition_variable called_;
  int calls_ = 0;
};

TEST_F(FileWatcherTest, TellsOfWritingRenamingAndRemoving) {
  std::ofstream(folder_ / "a.yaml") << "one";
  EXPECT_TRUE(called(1));
  fs::rename(folder_ / "a.yaml", folder_ / "b.yaml");
  EXPECT_TRUE(called(2));
  fs::remove(folder_ / "b.yaml");
  EXPECT_TRUE(called(3));
}

// Kubernetes exchanges a mounted directory by a link.
TEST_F(FileWatcherTest, TellsOfALinkThatIsExchanged) {
  fs::create_directory(folder_ / "v1");
  EXPECT_TRUE(called(1));
  fs::create_symlink("v1", folder_ / "next");
  EXPECT_TRUE(called(2));
  fs::rename(folder_ / "next", folder_ / "data");
  EXPECT_TRUE(called(3));
}

TEST_F(FileWatcherTest, AFileThatIsStillBeingWrittenIsWaitedFor) {
  std::ofstream file(folder_ / "slow.yaml");
  // Each part comes well within the quiet time of the one before.
  for (int i = 0; i < 20; ++i) {
    file << "part\n" << std::flush;
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(calls_, 0);
  }
  file.close();
  EXPECT_TRUE(called(1));
}

TEST(FileWatcher, ADirectoryThatIsNotThereIsAnError) {
  const auto watcher = FileWatcher::watch({"/nowhere/at/all"}, [] {});
  ASSERT_FALSE(watcher);
  EXPECT_EQ(watcher.error().code, Errc::unavailable);
  EXPECT_NE(watcher.error().message.find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::daemon
