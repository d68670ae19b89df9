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

Result<std::vector<std::string>> list_resource_files(const std::string& directory, std::vector<std::string>& warnings) {
  std::error_code error;
  std::vector<std::string> files;
  std::vector<std::string> ignored;
  std::filesystem::directory_iterator entry(directory, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code dangling;  // a link to nothing is a file that read_text_file cannot read
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
  std::move(ignored.begin(), ignored.end(), std::back_inserter(warnings));
  return files;
}

ResourceFiles read_resource_files_named(const std::vector<std::string>& files) {
  ResourceFiles all;
  for (const std::string& file : files) {
    const auto text = read_text_file(file);
    if (text) {
      append_documents(file, *text, all.documents);
      continue;
    }
    all.unreadable.push_back(fmt::format("{}: skipped: {}", file, text.error().message));
    all.warnings.push_back(all.unreadable.back());
  }
  return all;
}

Result<ResourceFiles> read_resource_files(const std::vector<std::string>& directories) {
  std::vector<std::string> files;
  std::vector<std::string> warnings;
  for (const std::string& directory : directories) {
    const auto listed = list_resource_files(directory, warnings);
    if (!listed) return fail(listed.error());
    files.insert(files.end(), listed->begin(), listed->end());
  }
  ResourceFiles all = read_resource_files_named(files);
  all.warnings.insert(all.warnings.begin(), warnings.begin(), warnings.end());
  return all;
}

}  // namespace holdfast::config
