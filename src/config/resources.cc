#include "config/resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/encoding.h"

namespace holdfast::config {
namespace {

// A directory's files in name order; those that are not YAML are named in a warning.
Result<std::vector<std::filesystem::path>> list_files(const std::string& directory,
                                                      std::vector<std::string>& warnings) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code dangling;  // a link to nothing is a file that read_text_file cannot read
    if (entry->is_directory(dangling)) continue;
    const std::string extension = to_lower(entry->path().extension().string());
    if (extension == ".yaml" || extension == ".yml") {
      files.push_back(entry->path());
    } else {
      warnings.push_back(fmt::format("{}: not a .yaml or .yml file; ignored", entry->path().string()));
    }
  }
  if (error)
    return fail(Errc::invalid_argument,
                fmt::format("failed to load components: cannot read the directory {}: {}. Create it, or correct "
                            "--resources-path.",
                            directory, error.message()));
  std::sort(files.begin(), files.end());
  std::sort(warnings.begin(), warnings.end());
  return files;
}

void append_documents(const std::string& file, std::string_view text, std::vector<ResourceDocument>& out) {
  bool is_first = true;
  for (const YamlDocument& document : split_documents(text)) {
    const bool is_blank = is_blank_yaml(document.text);
    out.push_back({file, std::string(document.text), document.line, is_first && !is_blank});
    is_first = is_first && is_blank;
  }
}

}  // namespace

Result<std::string> read_text_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !std::filesystem::is_symlink(path, error))
    return fail(Errc::not_found, "it does not exist");
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

Result<ResourceFiles> read_resource_files(const std::vector<std::string>& directories) {
  ResourceFiles all;
  for (const std::string& directory : directories) {
    std::vector<std::string> ignored;
    const auto files = list_files(directory, ignored);
    if (!files) return fail(files.error());
    std::move(ignored.begin(), ignored.end(), std::back_inserter(all.warnings));
    for (const auto& path : *files) {
      const auto text = read_text_file(path.string());
      if (!text) {
        all.unreadable.push_back(fmt::format("{}: skipped: {}", path.string(), text.error().message));
        all.warnings.push_back(all.unreadable.back());
      } else {
        append_documents(path.string(), *text, all.documents);
      }
    }
  }
  return all;
}

}  // namespace holdfast::config
