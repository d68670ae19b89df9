#include "config/check_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/encoding.h"
#include "config/nearest.h"

namespace holdfast::config {
namespace {

// "spec", "an entry of spec.metadata", "the document".
std::string place(std::string_view path) {
  if (path.empty()) return "the document";
  const auto [parent, name] = split_path(path);
  if (name == "[]") return fmt::format("an entry of {}", parent);
  return std::string(path);
}

// A path of the table, and the same with the user's own names in it.
struct At {
  std::string path;
  std::string shown;

  At below(std::string_view name) const { return {join(path, name), join(shown, name)}; }
  At item() const { return {path + "[]", shown + "[]"}; }
  At value(std::string_view name) const { return {path + ".*", join(shown, name)}; }

 private:
  static std::string join(const std::string& parent, std::string_view name) {
    return parent.empty() ? std::string(name) : parent + "." + std::string(name);
  }
};

class FieldChecker {
 public:
  FieldChecker(std::span<const DocumentField> fields, const ExplainStranger& explain, Report& report)
      : fields_(fields), explain_(explain), report_(report) {}

  // `line`: where the node's name stands. The depth is the table's.
  void check(const YamlNode& node, const At& at, int line) {
    const DocumentField* field = find_field(fields_, at.path);
    if (field == nullptr || field->kind == FieldKind::any) return;
    const bool is_empty = node.kind == YamlNode::Kind::null;
    switch (field->kind) {
      case FieldKind::object:
        if (is_empty || is(node, YamlNode::Kind::mapping, at, line)) check_object(node, at, line);
        break;
      case FieldKind::map:
        if (is_empty || is(node, YamlNode::Kind::mapping, at, line))
          for (std::size_t i = 0; i < node.items.size(); ++i)
            check(node.items[i], at.value(node.names[i]), node.name_lines[i]);
        break;
      case FieldKind::list:
        if (is_empty || is(node, YamlNode::Kind::sequence, at, line))
          for (const YamlNode& item : node.items) check(item, at.item(), item.line);
        break;
      default:
        if (is_empty || is(node, YamlNode::Kind::scalar, at, line)) check_scalar(node, *field, at, line);
    }
  }

 private:
  bool is(const YamlNode& node, YamlNode::Kind kind, const At& at, int line) {
    if (node.kind == kind) return true;
    const std::string_view wanted = kind == YamlNode::Kind::mapping    ? "a mapping of names to values"
                                    : kind == YamlNode::Kind::sequence ? "a list"
                                                                       : "a single value";
    report_.error(line, at.shown, fmt::format("{} must be {}", place(at.shown), wanted));
    return false;
  }

  void check_scalar(const YamlNode& node, const DocumentField& field, const At& at, int line) {
    if (const std::string why = objection_to(field, node.text); !why.empty())
      report_.error(line, at.shown, fmt::format("{} {}", at.shown, why));
  }

  void check_object(const YamlNode& node, const At& at, int line) {
    std::set<std::string_view> seen;
    std::set<std::string> meant;  // fields that are there under another name
    bool is_explained = false;
    for (std::size_t i = 0; i < node.names.size(); ++i) {
      const std::string& name = node.names[i];
      if (!seen.insert(name).second)
        report_.error(node.name_lines[i], at.below(name).shown,
                      fmt::format("\"{}\" is given twice in {}; only the last one counts", name, place(at.shown)));
      if (is_field(at, name)) {
        check(node.items[i], at.below(name), node.name_lines[i]);
      } else if (const auto why = explain_(at.path, name)) {
        report_.error(node.name_lines[i], at.below(name).shown, *why);
        is_explained = true;
      } else {
        meant.insert(complain_of_stranger(name, at, node.name_lines[i]));
      }
    }
    if (!is_explained) check_required(node, at, line, meant);
  }

  // A name of the user's with a dot in it would reach further down than its place.
  bool is_field(const At& at, std::string_view name) const {
    return !name.empty() && name.find_first_of(".[*") == std::string_view::npos &&
           find_field(fields_, at.below(name).path) != nullptr;
  }

  void check_required(const YamlNode& node, const At& at, int line, const std::set<std::string>& meant) {
    for (const DocumentField& field : fields_) {
      const auto [parent, name] = split_path(field.path);
      if (!field.required || parent != at.path || meant.contains(std::string(name))) continue;
      const YamlNode& value = node[name];
      if (!node.has(name) || (field.kind == FieldKind::text && value.text.empty() && value.items.empty()))
        report_.error(node.has(name) ? node.line_of(name) : line, at.below(name).shown,
                      fmt::format("{} has no \"{}\"", place(at.shown), name));
    }
  }

  // The name that was probably meant, if any.
  std::string complain_of_stranger(std::string_view name, const At& at, int line) {
    std::vector<std::string_view> siblings;
    const DocumentField* elsewhere = nullptr;
    for (const DocumentField& field : fields_) {
      const auto [parent, own] = split_path(field.path);
      if (field.path.empty() || own == "[]" || own == "*") continue;
      if (parent == at.path) {
        siblings.push_back(own);
      } else if (own == name && (elsewhere == nullptr || field.path.size() < elsewhere->path.size())) {
        elsewhere = &field;
      }
    }
    std::string meant = report_.is_full() ? "" : nearest(name, siblings);
    if (elsewhere != nullptr && !iequals(meant, name)) {
      const std::string_view home = split_path(elsewhere->path).parent;
      report_.error(line, at.below(name).shown,
                    fmt::format("\"{}\" does not belong in {}, but {}{}", name, place(at.shown),
                                home.empty() ? "at the top level of " : "in ", place(home)));
      return "";
    }
    report_.error(line, at.below(name).shown, fmt::format("{} has no field \"{}\"", place(at.shown), name), meant);
    return meant;
  }

  std::span<const DocumentField> fields_;
  const ExplainStranger& explain_;
  Report& report_;
};

}  // namespace

void check_fields(const YamlNode& root, std::span<const DocumentField> fields, const ExplainStranger& explain,
                  Report& report) {
  FieldChecker(fields, explain, report).check(root, {}, root.line);
}

}  // namespace holdfast::config
