#include "stores/sqlite/dropping_vfs.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace holdfast::stores::sqlite {
namespace {

constexpr std::size_t kSector = 512;
constexpr int kTracked = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;

// SQLite allocates this, with the real file behind it.
struct Handle {
  sqlite3_file base;
  DroppingDisk* disk;
  std::string* path;  // null: a temporary file, which no power cut concerns
  bool is_journal;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

Handle* of(sqlite3_file* file) { return reinterpret_cast<Handle*>(file); }
DroppingDisk* disk_of(sqlite3_vfs* vfs) { return static_cast<DroppingDisk*>(vfs->pAppData); }

int file_close(sqlite3_file* file) {
  Handle* handle = of(file);
  const int code = handle->real()->pMethods->xClose(handle->real());
  delete handle->path;
  return code;
}

int file_read(sqlite3_file* file, void* out, int count, sqlite3_int64 offset) {
  return of(file)->real()->pMethods->xRead(of(file)->real(), out, count, offset);
}

int file_write(sqlite3_file* file, const void* bytes, int count, sqlite3_int64 offset) {
  Handle* handle = of(file);
  if (handle->path != nullptr) {
    DroppingDisk::Change change{offset, std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(count))};
    if (!handle->disk->change(*handle->path, std::move(change))) return SQLITE_IOERR_WRITE;
  }
  return handle->real()->pMethods->xWrite(handle->real(), bytes, count, offset);
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
  Handle* handle = of(file);
  if (handle->path != nullptr && !handle->disk->change(*handle->path, {size, {}, true})) return SQLITE_IOERR_TRUNCATE;
  return handle->real()->pMethods->xTruncate(handle->real(), size);
}

int file_sync(sqlite3_file* file, int) {
  Handle* handle = of(file);
  if (handle->path == nullptr) return SQLITE_OK;
  return handle->disk->sync(*handle->path, handle->is_journal) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return of(file)->real()->pMethods->xFileSize(of(file)->real(), size);
}
int file_lock(sqlite3_file* file, int level) { return of(file)->real()->pMethods->xLock(of(file)->real(), level); }
int file_unlock(sqlite3_file* file, int level) { return of(file)->real()->pMethods->xUnlock(of(file)->real(), level); }
int file_check_lock(sqlite3_file* file, int* out) {
  return of(file)->real()->pMethods->xCheckReservedLock(of(file)->real(), out);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  // Hints that the real file would act upon on its own.
  if (operation == SQLITE_FCNTL_SIZE_HINT || operation == SQLITE_FCNTL_CHUNK_SIZE) return SQLITE_NOTFOUND;
  return of(file)->real()->pMethods->xFileControl(of(file)->real(), operation, argument);
}
int file_sector_size(sqlite3_file* file) { return of(file)->real()->pMethods->xSectorSize(of(file)->real()); }
int file_characteristics(sqlite3_file* file) {
  return of(file)->real()->pMethods->xDeviceCharacteristics(of(file)->real());
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return of(file)->real()->pMethods->xShmMap(of(file)->real(), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return of(file)->real()->pMethods->xShmLock(of(file)->real(), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { of(file)->real()->pMethods->xShmBarrier(of(file)->real()); }
int shm_unmap(sqlite3_file* file, int remove) {
  return of(file)->real()->pMethods->xShmUnmap(of(file)->real(), remove);
}

const sqlite3_io_methods kMethods{2,
                                  file_close,
                                  file_read,
                                  file_write,
                                  file_truncate,
                                  file_sync,
                                  file_size,
                                  file_lock,
                                  file_unlock,
                                  file_check_lock,
                                  file_control,
                                  file_sector_size,
                                  file_characteristics,
                                  shm_map,
                                  shm_lock,
                                  shm_barrier,
                                  shm_unmap,
                                  nullptr,
                                  nullptr};

int vfs_open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  DroppingDisk* disk = disk_of(vfs);
  Handle* handle = of(file);
  handle->base.pMethods = nullptr;
  handle->disk = disk;
  handle->path = nullptr;
  handle->is_journal = (flags & SQLITE_OPEN_MAIN_DB) == 0;
  const bool tracked = name != nullptr && (flags & kTracked) != 0;
  const bool is_new = tracked && !std::filesystem::exists(name);
  if (is_new && (flags & SQLITE_OPEN_CREATE) != 0 && !disk->create(name)) return SQLITE_CANTOPEN;
  const int code = disk->real()->xOpen(disk->real(), name, handle->real(), flags, out_flags);
  if (handle->real()->pMethods == nullptr) return code;
  if (tracked) handle->path = new std::string(name);
  handle->base.pMethods = &kMethods;
  return code;
}

int vfs_delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  DroppingDisk* disk = disk_of(vfs);
  if (!disk->remove(name, sync_folder != 0)) return SQLITE_IOERR_DELETE;
  return disk->real()->xDelete(disk->real(), name, 0);
}

int vfs_access(sqlite3_vfs* vfs, const char* name, int flags, int* out) {
  return disk_of(vfs)->real()->xAccess(disk_of(vfs)->real(), name, flags, out);
}
int vfs_full_path(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return disk_of(vfs)->real()->xFullPathname(disk_of(vfs)->real(), name, size, out);
}

void write_at(std::string& content, std::size_t offset, std::string_view bytes) {
  if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size(), '\0');
  std::memcpy(content.data() + offset, bytes.data(), bytes.size());
}

void apply(std::string& content, const DroppingDisk::Change& change) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (change.is_truncation)
    content.resize(offset, '\0');
  else
    write_at(content, offset, change.bytes);
}

}  // namespace

DroppingDisk::DroppingDisk(std::uint64_t seed) : random_(seed), real_(sqlite3_vfs_find(nullptr)) {
  static std::atomic<int> serial{0};
  name_ = fmt::format("holdfast-dropping-{}", ++serial);
  vfs_ = *real_;
  vfs_.pNext = nullptr;
  vfs_.szOsFile = static_cast<int>(sizeof(Handle)) + real_->szOsFile;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = vfs_open;
  vfs_.xDelete = vfs_delete;
  vfs_.xAccess = vfs_access;
  vfs_.xFullPathname = vfs_full_path;
  sqlite3_vfs_register(&vfs_, 0);
}

DroppingDisk::~DroppingDisk() { sqlite3_vfs_unregister(&vfs_); }

void DroppingDisk::cut_after(int changes) {
  const std::lock_guard lock(mutex_);
  left_ = changes;
}

bool DroppingDisk::is_off() const {
  const std::lock_guard lock(mutex_);
  return off_;
}

bool DroppingDisk::tick() {
  if (off_) return false;
  if (left_ < 0) return true;
  off_ = left_-- == 0;
  return !off_;
}

bool DroppingDisk::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (!tick()) return false;
  File& file = files_[path];
  std::optional<std::string> removed = std::move(file.removed);
  if (file.exists_durably) removed = std::move(file.durable);
  file = File{.removed = std::move(removed)};
  return true;
}

bool DroppingDisk::change(const std::string& path, Change change) {
  const std::lock_guard lock(mutex_);
  if (off_) return false;
  // A write that the cut interrupts may be there in part.
  files_[path].pending.push_back(std::move(change));
  return tick();
}

bool DroppingDisk::sync(const std::string& path, bool sync_folder) {
  const std::lock_guard lock(mutex_);
  if (!tick()) return false;
  File& file = files_[path];
  for (const Change& each : file.pending) apply(file.durable, each);
  file.pending.clear();
  // As SQLite's own VFS: the folder with the first sync of a new journal.
  if (sync_folder && !file.exists_durably) sync_names();
  return true;
}

bool DroppingDisk::remove(const std::string& path, bool sync_folder) {
  const std::lock_guard lock(mutex_);
  if (!tick()) return false;
  files_[path].exists = false;
  if (sync_folder) sync_names();
  return true;
}

void DroppingDisk::sync_names() {
  for (auto& [path, file] : files_) {
    if (!file.exists) file = File{.exists = false};
    file.exists_durably = file.exists;
    file.removed.reset();
  }
}

std::string DroppingDisk::after_cut(const File& file) {
  std::string content = file.durable;
  for (const Change& change : file.pending) {
    if (change.is_truncation) {
      if (random_() % 2 == 0) apply(content, change);
      continue;
    }
    for (std::size_t at = 0; at < change.bytes.size();) {
      const std::size_t offset = static_cast<std::size_t>(change.offset) + at;
      const std::size_t count = std::min(kSector - offset % kSector, change.bytes.size() - at);
      if (random_() % 2 == 0) write_at(content, offset, std::string_view(change.bytes).substr(at, count));
      at += count;
    }
  }
  return content;
}

void DroppingDisk::restart() {
  const std::lock_guard lock(mutex_);
  for (auto& [path, file] : files_) {
    // A name that was never synced, or whose removal was not, may be there or not.
    bool exists = file.exists == file.exists_durably ? file.exists : random_() % 2 == 0;
    std::string content = exists ? after_cut(file) : "";
    if (file.removed && !exists) {
      exists = random_() % 2 == 0;
      content = std::move(*file.removed);
    }
    file = File{.durable = std::move(content), .exists_durably = exists, .exists = exists};
    std::filesystem::remove(path);
    std::filesystem::remove(path + "-shm");
    if (exists) std::ofstream(path, std::ios::binary) << file.durable;
  }
  left_ = -1;
  off_ = false;
}

}  // namespace holdfast::stores::sqlite
