#include "config/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/encoding.h"
#include "config/components.h"

namespace holdfast::config {

Result<std::vector<std::string>> list_files(const std::string& directory, std::vector<std::string>& warnings) {
  std::error_code error;
  std::vector<std::string> files;
  std::vector<std::string> ignored;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code dangling;  // a link to nothing is a file that read_file cannot read
    if (entry->is_directory(dangling)) continue;
    const std::string extension = to_lower(entry->path().extension().string());
    if (extension == ".yaml" || extension == ".yml") {
      files.push_back(entry->path().string());
    } else {
      ignored.push_back(fmt::format("{}: not a .yaml or .yml file; ignored", entry->path().string()));
    }
  }
  if (error)
    return fail(Errc::invalid_argument,
                fmt::format("failed to load components: cannot read the directory {}: {}. Create it, or correct "
                            "--resources-path.",
                            directory, error.message()));
  std::sort(files.begin(), files.end());
  std::sort(ignored.begin(), ignored.end());
  warnings.insert(warnings.end(), ignored.begin(), ignored.end());
  return files;
}

Result<std::string> read_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return fail(Errc::invalid_argument, "it is not a regular file");
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return fail(Errc::invalid_argument, "it cannot be opened");
  std::string text;
  std::array<char, 16 * 1024> part;
  do {
    stream.read(part.data(), static_cast<std::streamsize>(part.size()));
    text.append(part.data(), static_cast<std::size_t>(stream.gcount()));
  } while (stream && text.size() <= kResourceFileBytesMax);
  if (stream.bad()) return fail(Errc::invalid_argument, "it cannot be read");
  if (text.size() > kResourceFileBytesMax) return fail(Errc::invalid_argument, "it is larger than 1 MiB");
  return text;
}

}  // namespace holdfast::config
