// YAML as a small tree of our own, with the line of every node. yaml-cpp and its exceptions stay in yaml.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::config {

struct YamlNode {
  enum class Kind : std::uint8_t { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  bool is_plain = false;           // a scalar without quotes: `5` and `true` are not text to JSON
  int line = 0;                    // in the file, from 1; 0: unknown
  std::string text;                // a scalar's, as written; empty for null
  std::vector<YamlNode> items;     // of a sequence, or a mapping's values
  std::vector<std::string> names;  // of a mapping, one for each item, as written; merge keys (<<) are resolved
  std::vector<int> name_lines;     // the line of each name

  bool is_mapping() const { return kind == Kind::mapping; }
  // The member of that name, the last of several; a null node when there is none.
  const YamlNode& operator[](std::string_view name) const;
  bool has(std::string_view name) const;
  // The line of that member's name; the mapping's own when there is none.
  int line_of(std::string_view name) const;
};

struct YamlDocument {
  std::string_view text;
  int line = 1;  // of its first line in the file
};

// What a document may be; aliases count as often as they are used.
inline constexpr std::size_t kYamlDepthMax = 64;
inline constexpr std::size_t kYamlNodesMax = 100'000;
inline constexpr std::size_t kYamlBytesMax = 4 << 20;

// Splits as Dapr does: at every line that begins with "---", which is dropped with whatever follows on it.
std::vector<YamlDocument> split_documents(std::string_view file);

// Whether there is nothing but comments, markers and white space.
bool is_blank_yaml(std::string_view text);

// Errc::invalid_argument says "LINE: why".
Result<YamlNode> parse_yaml(const YamlDocument& document);

// A scalar's text as it is; a mapping or sequence as compact JSON with sorted keys, as Dapr turns a property
// that is a tree into text.
std::string to_text(const YamlNode& node);

}  // namespace holdfast::config
