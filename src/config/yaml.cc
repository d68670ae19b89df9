#include "config/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::config {
namespace {

// What we take exception to and yaml-cpp does not. Thrown and caught in this file only.
struct Refused {
  std::string why;
  int line;
};

// Copies a yaml-cpp tree within the limits. yaml-cpp keeps an alias as a shared node, even one inside itself, so
// a small text can be an endless tree.
class Copier {
 public:
  explicit Copier(int first_line) : first_line_(first_line) {}

  YamlNode copy(const YAML::Node& from, std::size_t depth) {
    YamlNode node;
    node.line = line_of(from.Mark());
    if (depth > kYamlDepthMax) throw Refused{fmt::format("nested deeper than {} levels", kYamlDepthMax), node.line};
    count(1, node.line);
    if (from.IsScalar()) {
      node.kind = YamlNode::Kind::scalar;
      node.is_plain = from.Tag() == "?";
      node.text = text_of(from);
    } else if (from.IsSequence()) {
      node.kind = YamlNode::Kind::sequence;
      for (const YAML::Node& item : from) node.items.push_back(copy(item, depth + 1));
    } else if (from.IsMap()) {
      node.kind = YamlNode::Kind::mapping;
      std::optional<YamlNode> base;
      for (const auto& member : from) {
        if (!member.first.IsScalar()) throw Refused{"a name that is no text", line_of(member.first.Mark())};
        YamlNode value = copy(member.second, depth + 1);
        if (member.first.Tag() == "?" && member.first.Scalar() == "<<") {
          base = std::move(value);
        } else {
          node.names.push_back(text_of(member.first));
          node.name_lines.push_back(line_of(member.first.Mark()));
          node.items.push_back(std::move(value));
        }
      }
      if (base) merge(node, std::move(*base));
    }
    return node;
  }

  int line_of(const YAML::Mark& mark) const { return mark.line < 0 ? first_line_ : first_line_ + mark.line; }

 private:
  void count(std::size_t nodes, int line) {
    nodes_ += nodes;
    if (nodes_ > kYamlNodesMax) throw Refused{fmt::format("more than {} nodes", kYamlNodesMax), line};
  }

  std::string text_of(const YAML::Node& from) {
    bytes_ += from.Scalar().size();
    if (bytes_ > kYamlBytesMax)
      throw Refused{fmt::format("more than {} bytes of text", kYamlBytesMax), line_of(from.Mark())};
    return from.Scalar();
  }

  // `<<: *base` or `<<: [*first, *second]`: members that the mapping's own, and earlier sources', win over. What is
  // merged goes to the front, without the names that win over it: a name that is there twice was written twice.
  static void merge(YamlNode& node, YamlNode base) {
    std::vector<YamlNode> sources;
    if (base.is_mapping()) {
      sources.push_back(std::move(base));
    } else {
      sources = std::move(base.items);
    }
    YamlNode own = std::move(node);
    node = YamlNode();
    node.kind = YamlNode::Kind::mapping;
    node.line = own.line;
    for (auto source = sources.rbegin(); source != sources.rend(); ++source) append(node, std::move(*source));
    append(node, std::move(own));
  }

  static void append(YamlNode& node, YamlNode more) {
    if (!more.is_mapping()) return;
    const std::set<std::string_view> winning(more.names.begin(), more.names.end());
    YamlNode all;
    const auto take = [&all](YamlNode& from, std::size_t i) {
      all.names.push_back(std::move(from.names[i]));
      all.name_lines.push_back(from.name_lines[i]);
      all.items.push_back(std::move(from.items[i]));
    };
    for (std::size_t i = 0; i < node.names.size(); ++i)
      if (!winning.contains(node.names[i])) take(node, i);
    // The views in `winning` end here, with the names they look at.
    for (std::size_t i = 0; i < more.names.size(); ++i) take(more, i);
    node.names = std::move(all.names);
    node.name_lines = std::move(all.name_lines);
    node.items = std::move(all.items);
  }

  int first_line_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

// Whether a plain scalar is a number in JSON's own form, so that its text can stand in JSON as it is.
bool is_json_number(std::string_view text) {
  return !text.empty() && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')) && json::is_valid(text);
}

void append_scalar(std::string& out, const YamlNode& node) {
  if (node.is_plain) {
    if (node.text.empty() || node.text == "~" || iequals(node.text, "null")) {
      out += "null";
      return;
    }
    if (iequals(node.text, "true") || iequals(node.text, "false")) {
      out += to_lower(node.text);
      return;
    }
    if (is_json_number(node.text)) {
      out += node.text;
      return;
    }
  }
  json::append_string(out, node.text);
}

// Recursion is bounded by kYamlDepthMax.
void append_json(std::string& out, const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::null:
      out += "null";
      return;
    case YamlNode::Kind::scalar:
      append_scalar(out, node);
      return;
    case YamlNode::Kind::sequence: {
      out += '[';
      for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (i > 0) out += ',';
        append_json(out, node.items[i]);
      }
      out += ']';
      return;
    }
    case YamlNode::Kind::mapping:
      break;
  }
  std::map<std::string_view, const YamlNode*> sorted;
  for (std::size_t i = 0; i < node.names.size(); ++i) sorted[node.names[i]] = &node.items[i];
  out += '{';
  for (const auto& [name, value] : sorted) {
    json::append_name(out, name);
    append_json(out, *value);
  }
  out += '}';
}

}  // namespace

const YamlNode& YamlNode::operator[](std::string_view name) const {
  static const YamlNode none;
  for (std::size_t i = names.size(); i-- > 0;)
    if (names[i] == name) return items[i];
  return none;
}

bool YamlNode::has(std::string_view name) const { return std::find(names.begin(), names.end(), name) != names.end(); }

int YamlNode::line_of(std::string_view name) const {
  for (std::size_t i = names.size(); i-- > 0;)
    if (names[i] == name) return name_lines[i];
  return line;
}

std::vector<YamlDocument> split_documents(std::string_view file) {
  constexpr std::string_view kSeparator = "\n---";
  std::vector<YamlDocument> documents;
  int line = 1;
  for (;;) {
    const std::size_t at = file.find(kSeparator);
    const std::string_view text = file.substr(0, at);
    const bool is_cut_in_crlf = at != std::string_view::npos && text.ends_with('\r');
    documents.push_back({text.substr(0, text.size() - (is_cut_in_crlf ? 1 : 0)), line});
    if (at == std::string_view::npos) return documents;
    // The lines of the document, and the separator's own.
    line += static_cast<int>(std::count(text.begin(), text.end(), '\n')) + 2;
    const std::size_t end = file.find('\n', at + kSeparator.size());
    if (end == std::string_view::npos) return documents;
    file.remove_prefix(end + 1);
  }
}

bool is_blank_yaml(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    if (!line.empty() && !line.starts_with('#') && line != "---" && line != "...") return false;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return true;
}

Result<YamlNode> parse_yaml(const YamlDocument& document) {
  Copier copier(document.line);
  const auto refuse = [](int line, std::string_view why) {
    return fail(Errc::invalid_argument, fmt::format("{}: {}", line, why));
  };
  try {
    return copier.copy(YAML::Load(std::string(document.text)), 1);
  } catch (const Refused& limit) {
    return refuse(limit.line, limit.why);
  } catch (const YAML::Exception& error) {
    return refuse(copier.line_of(error.mark), error.msg);
  }
}

std::string to_text(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::null || node.kind == YamlNode::Kind::scalar) return node.text;
  std::string out;
  append_json(out, node);
  return out;
}

}  // namespace holdfast::config
