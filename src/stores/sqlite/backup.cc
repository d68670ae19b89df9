#include "stores/sqlite/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/random.h"
#include "stores/sqlite/database.h"
#include "stores/sqlite/settings.h"

namespace holdfast::stores::sqlite {
namespace {

std::unexpected<Error> refuse(Errc code, const Place& place, const std::string& file, std::string_view why) {
  return fail(code, fmt::format("component \"{}\" (state.sqlite): cannot back up {} to {}: {}", place.component,
                                place.file, file, why));
}

bool sync_path(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

// One step for all pages: the source is read in one transaction, so writers cannot make the copy
// start over.
Status copy_pages(Database& from, const Place& place, const std::string& partial) {
  auto to = Database::open({place.component, partial}, partial,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX);
  if (!to) return fail(std::move(to.error()));
  sqlite3_backup* copy = sqlite3_backup_init(to->handle(), "main", from.handle(), "main");
  if (copy == nullptr) return fail(to->error("write to", sqlite3_extended_errcode(to->handle())));
  const int code = sqlite3_backup_step(copy, -1);
  const int finished = sqlite3_backup_finish(copy);
  if (code == SQLITE_DONE && finished == SQLITE_OK) return {};
  const int reason = finished != SQLITE_OK ? finished : code;
  if (is_busy(reason)) return fail(from.error("back up", reason));
  return fail(describe({place.component, partial}, "write to", reason, sqlite3_errmsg(to->handle())));
}

}  // namespace

Status backup(const state::Component& component, const std::string& file) {
  auto settings = SqliteSettings::read(component);
  if (!settings) return fail(std::move(settings.error()));
  Place place{component.name, settings->connection.uri};
  if (settings->connection.in_memory) return refuse(Errc::unsupported, place, file, "a database in memory has no file");
  if (std::filesystem::exists(std::filesystem::symlink_status(file)))
    return refuse(Errc::precondition_failed, place, file, "that file is already there; name another or remove it");
  const int flags = settings->connection.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  auto from = Database::open(place, settings->connection.uri, flags | SQLITE_OPEN_NOMUTEX);
  if (!from) {
    if (from.error().code == Errc::unavailable) from.error().code = Errc::not_found;
    return fail(std::move(from.error()));
  }
  place.file = from->file();
  from->set_place(place);
  sqlite3_busy_timeout(from->handle(), static_cast<int>(settings->busy_timeout.count()));

  const std::string partial = fmt::format("{}.partial-{:016x}", file, random_u64());
  Status status = copy_pages(*from, place, partial);
  if (status && !sync_path(partial, O_RDONLY)) status = refuse(Errc::unavailable, place, file, std::strerror(errno));
  if (status && ::renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) != 0)
    status = errno == EEXIST
                 ? refuse(Errc::precondition_failed, place, file, "that file is already there; name another")
                 : refuse(Errc::unavailable, place, file, std::strerror(errno));
  if (!status) {
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) ::unlink((partial + suffix).c_str());
    return status;
  }
  const std::string folder = std::filesystem::path(file).parent_path().string();
  if (!sync_path(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY))
    return refuse(Errc::unavailable, place, file, std::strerror(errno));
  return {};
}

}  // namespace holdfast::stores::sqlite
