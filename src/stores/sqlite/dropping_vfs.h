// A disk that forgets. A SQLite VFS over the real one: files are real, so locks and shared memory
// work among connections, but what was written since a file's last sync exists only in the page
// cache, so to speak. At a power cut every such sector of 512 bytes survives or not by the toss of
// a coin, in any order, and so do deletions of names that were not synced. Nothing is synced for
// real.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace holdfast::stores::sqlite {

// Registers a VFS while it lives. Thread-safe.
class DroppingDisk {
 public:
  explicit DroppingDisk(std::uint64_t seed);
  ~DroppingDisk();
  DroppingDisk(const DroppingDisk&) = delete;
  DroppingDisk& operator=(const DroppingDisk&) = delete;

  const std::string& vfs_name() const { return name_; }
  // The power goes instead of the n-th change (write, truncation, sync, deletion) from now; from
  // then on every change fails.
  void cut_after(int changes);
  bool is_off() const;
  // When every connection is closed: makes the files what the disk kept and turns the power on.
  void restart();

  // For the VFS.
  struct Change {
    std::int64_t offset = 0;
    std::string bytes;
    bool is_truncation = false;  // to `offset`
  };
  struct File {
    std::string durable = {};
    bool exists_durably = false;
    bool exists = true;
    std::vector<Change> pending = {};
    // What an earlier file of this name held, while its removal is not certain.
    std::optional<std::string> removed = {};
  };
  // False: the power is off.
  bool change(const std::string& path, Change change);
  bool sync(const std::string& path, bool sync_folder);
  bool remove(const std::string& path, bool sync_folder);
  bool create(const std::string& path);
  sqlite3_vfs* real() const { return real_; }

 private:
  bool tick();
  void sync_names();
  std::string after_cut(const File& file);

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  std::string name_;
  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  std::map<std::string, File> files_;
  int left_ = -1;  // changes until the cut; negative: none planned
  bool off_ = false;
};

}  // namespace holdfast::stores::sqlite
