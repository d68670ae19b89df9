#include "cli/replace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "config/resources.h"

namespace holdfast::cli {
namespace {

namespace fs = std::filesystem;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::unexpected<Error> cannot(std::string_view what, const std::string& path) {
  const int why = errno;
  return fail(Errc::unavailable, fmt::format("cannot {} {}: {}", what, path, std::strerror(why)));
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t step = ::write(fd, text.data(), text.size());
    if (step < 0 && errno == EINTR) continue;
    if (step <= 0) return cannot("write", path);
    text.remove_prefix(static_cast<std::size_t>(step));
  }
  return {};
}

// The owner and the group read it as before, so that a sidecar under another user still can.
Status take_over_rights(int fd, const std::string& path) {
  struct stat old{};
  if (::stat(path.c_str(), &old) != 0) return errno == ENOENT ? Status() : cannot("look at", path);
  const bool is_ours = old.st_uid == ::geteuid() && old.st_gid == ::getegid();
  if (!is_ours && ::fchown(fd, old.st_uid, old.st_gid) != 0) return cannot("keep the owner of", path);
  if (::fchmod(fd, (old.st_mode & 0640) | 0600) != 0) return cannot("keep the mode of", path);
  return {};
}

// Writes `text` beside `path`, to the disk, and gives it that name.
Status put_in_place(const std::string& path, std::string_view text, const Descriptor& directory) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return cannot("make a file beside", path);
  Status done = write_all(file.get(), text, temporary);
  if (done) done = take_over_rights(file.get(), path);
  if (done && ::fsync(file.get()) != 0) done = cannot("write", temporary);
  if (done && ::rename(temporary.c_str(), path.c_str()) != 0) done = cannot("replace", path);
  if (!done) {
    ::unlink(temporary.c_str());
    return done;
  }
  if (::fsync(directory.get()) != 0) return cannot("write the directory of", path);
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
  if (directory.get() < 0) return cannot("open the directory", folder);
  if (::flock(directory.get(), LOCK_EX) != 0) return cannot("lock the directory", folder);
  auto old = config::read_text_file(target);
  if (!old && old.error().code != Errc::not_found)
    return fail(Errc::unavailable, fmt::format("cannot read {}: {}", path, old.error().message));
  auto text = change(old ? *old : std::string());
  if (!text) return fail(std::move(text.error()));
  return put_in_place(target, *text, directory);
}

}  // namespace holdfast::cli
