#include "migration/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/file.h"

namespace holdfast::migration {

Status rename_durably(const std::string& from, const std::string& to, Replace replace) {
  const unsigned flags = replace == Replace::yes ? 0 : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
    if (errno == EEXIST)
      return fail(Errc::precondition_failed, fmt::format("{} is there already; what was written is {}", to, from));
    return system_failure("make", to);
  }
  const std::string folder = std::filesystem::path(to).parent_path().string();
  const Descriptor directory(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return system_failure("make durable", to);
  return {};
}

Status write_durably(const std::string& path, std::string_view bytes) {
  const std::string part = path + ".part";
  {
    const Descriptor file(::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return system_failure("make", part);
    if (auto written = write_all(file.get(), bytes, part); !written) return written;
    if (::fsync(file.get()) != 0) return system_failure("write", part);
  }
  return rename_durably(part, path, Replace::yes);
}

}  // namespace holdfast::migration
