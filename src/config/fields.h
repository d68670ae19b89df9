// A document read field by field, with what is wrong named by its place. Internal to the folder.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/yaml.h"

namespace holdfast::config {

// What is said about one document. The first error decides what becomes of it; the rest is still read.
struct Findings {
  std::string file;
  std::vector<std::string> warnings;
  std::optional<std::string> error;

  void warn(const YamlNode& where, std::string_view text);
  void refuse(const YamlNode& where, std::string_view text);
};

// The members of one mapping. Names are found in any case, the last of several holds; null is as good as absent. A
// reading leaves `out` as it was when the member is absent or, which is an error, of another kind.
class Fields {
 public:
  // `path` is what messages call the mapping: "spec.tracing"; empty for a document. Anything but a mapping or null is
  // an error. `node` and `findings` outlive this.
  Fields(const YamlNode& node, std::string path, Findings& findings);

  // Null when absent. Whoever asks for a name knows it.
  const YamlNode* find(std::string_view name);
  Fields section(std::string_view name);
  // The items of a list; null when absent or no list.
  const YamlNode* list(std::string_view name);

  void read(std::string_view name, std::string& out);  // any scalar, as written
  void read(std::string_view name, bool& out);
  void read(std::string_view name, std::optional<bool>& out);
  void read(std::string_view name, std::int64_t& out);
  void read(std::string_view name, Milliseconds& out);  // read_duration()
  void read(std::string_view name, std::vector<std::string>& out);

  // "spec.tracing.stdout"
  std::string path_of(std::string_view name) const;
  // Warns of every member that nobody asked for.
  void warn_of_unknown() const;

  const YamlNode& node() const { return node_; }

 private:
  void refuse(const YamlNode& where, std::string_view name, std::string_view why);

  const YamlNode& node_;
  std::string path_;
  Findings& findings_;
  std::vector<std::string_view> known_;
};

// A plain integer is milliseconds, everything else a Go duration: "5000", "5s". Errc::invalid_argument with the text
// of state::parse_go_duration.
Result<Milliseconds> read_duration(std::string_view text);

std::optional<std::int64_t> read_integer(std::string_view text);

}  // namespace holdfast::config
