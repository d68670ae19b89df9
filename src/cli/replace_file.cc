#include "cli/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "config/resources.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

// The owner and the group read it as before, so that a sidecar under another user still can.
Status take_over_rights(int fd, const std::string& path) {
  struct stat old{};
  if (::stat(path.c_str(), &old) != 0) return errno == ENOENT ? Status() : system_failure("look at", path);
  const bool is_ours = old.st_uid == ::geteuid() && old.st_gid == ::getegid();
  if (!is_ours && ::fchown(fd, old.st_uid, old.st_gid) != 0) return system_failure("keep the owner of", path);
  if (::fchmod(fd, (old.st_mode & 0640) | 0600) != 0) return system_failure("keep the mode of", path);
  return {};
}

// Writes `text` beside `path`, to the disk, and gives it that name.
Status put_in_place(const std::string& path, std::string_view text, const Descriptor& directory) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!file) return system_failure("make a file beside", path);
  Status done = write_all(file.get(), text, temporary);
  if (done) done = take_over_rights(file.get(), path);
  if (done && ::fsync(file.get()) != 0) done = system_failure("write", temporary);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = system_failure("replace", path);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  if (::fsync(directory.get()) != 0) return system_failure("write the directory of", path);
  return {};
}

}  // namespace

Status replace_file(const std::string& path, const std::function<Result<std::string>(const std::string&)>& change) {
  // Through a link, so that the link stays one.
  std::error_code error;
  const fs::path found = fs::canonical(path, error);
  const std::string target = error ? path : found.string();
  const fs::path parent = fs::path(target).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return system_failure("open the directory", folder);
  if (::flock(directory.get(), LOCK_EX) != 0) return system_failure("lock the directory", folder);
  auto old = config::read_text_file(target);
  if (!old && old.error().code != Errc::not_found)
    return fail(Errc::unavailable, fmt::format("cannot read {}: {}", path, old.error().message));
  auto text = change(old ? *old : std::string());
  if (!text) return fail(std::move(text.error()));
  return put_in_place(target, *text, directory);
}

}  // namespace holdfast::cli
