// The YAML files of the resources directories, read once for all who look for their kind in them: components.h,
// resiliency.h. Pure values; nothing is kept open.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/yaml.h"

namespace holdfast::config {

inline constexpr std::size_t kResourceFileBytesMax = 1 << 20;

// One document of a file. Its text, and not its tree: a small text can be a large tree, and most are looked at by
// one reader only.
struct ResourceDocument {
  std::string file;
  std::string text;
  int line = 1;           // of its first line in the file
  bool is_first = false;  // the first of its file that holds more than comments

  YamlDocument yaml() const { return {text, line}; }
};

struct ResourceFiles {
  std::vector<ResourceDocument> documents;  // in directory, file name and file order
  std::vector<std::string> warnings;        // files that were left out, with the reason
  std::vector<std::string> unreadable;      // of these: YAML files that cannot be read
};

// The *.yaml and *.yml of a directory in name order, subdirectories not entered; each other file is named in a warning.
// Errc::invalid_argument when the directory cannot be read.
Result<std::vector<std::string>> list_resource_files(const std::string& directory, std::vector<std::string>& warnings);
// These files, in this order.
ResourceFiles read_resource_files_named(const std::vector<std::string>& files);
// Every *.yaml and *.yml of each directory in name order. Errc::invalid_argument for a directory that cannot be read.
Result<ResourceFiles> read_resource_files(const std::vector<std::string>& directories);

// A regular file of at most kResourceFileBytesMax bytes. The error says why and not which file.
Result<std::string> read_text_file(const std::string& path);

}  // namespace holdfast::config
