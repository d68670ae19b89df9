#include "config/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/number.h"
#include "config/document.h"
#include "state/component.h"

namespace holdfast::config {
namespace {

constexpr std::array<std::string_view, 4> kTrue{"true", "yes", "on", "y"};
constexpr std::array<std::string_view, 4> kFalse{"false", "no", "off", "n"};

std::optional<bool> boolean_of(std::string_view text) {
  const auto is_text = [text](std::string_view word) { return iequals(word, text); };
  if (std::ranges::any_of(kTrue, is_text)) return true;
  if (std::ranges::any_of(kFalse, is_text)) return false;
  return std::nullopt;
}

bool is_scalar(const YamlNode& node) { return node.kind == YamlNode::Kind::scalar; }

}  // namespace

void Findings::warn(const YamlNode& where, std::string_view text) {
  warnings.push_back(fmt::format("{}: {}", at({file, where.line}), text));
}

void Findings::refuse(const YamlNode& where, std::string_view text) {
  if (!error) error = fmt::format("{}: {}", at({file, where.line}), text);
}

Fields::Fields(const YamlNode& node, std::string path, Findings& findings)
    : node_(node), path_(std::move(path)), findings_(findings) {
  if (node.kind != YamlNode::Kind::null && !node.is_mapping())
    findings_.refuse(node, fmt::format("{} is not a mapping of names to values", path_.empty() ? "it" : path_));
}

const YamlNode* Fields::find(std::string_view name) {
  known_.push_back(name);
  for (std::size_t i = node_.names.size(); i-- > 0;)
    if (iequals(node_.names[i], name)) return node_.items[i].kind == YamlNode::Kind::null ? nullptr : &node_.items[i];
  return nullptr;
}

Fields Fields::section(std::string_view name) {
  static const YamlNode kNone;
  const YamlNode* node = find(name);
  return {node != nullptr ? *node : kNone, path_of(name), findings_};
}

const YamlNode* Fields::list(std::string_view name) {
  const YamlNode* node = find(name);
  if (node == nullptr || node->kind == YamlNode::Kind::sequence) return node;
  refuse(*node, name, "is not a list");
  return nullptr;
}

void Fields::read(std::string_view name, std::string& out) {
  const YamlNode* node = find(name);
  if (node == nullptr) return;
  if (!is_scalar(*node)) return refuse(*node, name, "is not a text");
  out = node->text;
}

void Fields::read(std::string_view name, bool& out) {
  std::optional<bool> value;
  read(name, value);
  out = value.value_or(out);
}

void Fields::read(std::string_view name, std::optional<bool>& out) {
  const YamlNode* node = find(name);
  if (node == nullptr) return;
  const auto value = is_scalar(*node) ? boolean_of(node->text) : std::nullopt;
  if (!value) return refuse(*node, name, "is neither true nor false");
  out = value;
}

void Fields::read(std::string_view name, std::int64_t& out) {
  const YamlNode* node = find(name);
  if (node == nullptr) return;
  const auto value = is_scalar(*node) ? read_integer(node->text) : std::nullopt;
  if (!value) return refuse(*node, name, "is not an integer");
  out = *value;
}

void Fields::read(std::string_view name, Milliseconds& out) {
  const YamlNode* node = find(name);
  if (node == nullptr) return;
  const auto value = is_scalar(*node) ? read_duration(node->text) : fail(Errc::invalid_argument, "");
  if (!value) return refuse(*node, name, "is neither a duration such as 500ms or 1m30s nor a number of milliseconds");
  out = *value;
}

void Fields::read(std::string_view name, std::vector<std::string>& out) {
  const YamlNode* node = list(name);
  if (node == nullptr) return;
  if (!std::ranges::all_of(node->items, is_scalar)) return refuse(*node, name, "is not a list of texts");
  out.clear();
  for (const YamlNode& item : node->items) out.push_back(item.text);
}

std::string Fields::path_of(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

void Fields::warn_of_unknown() const {
  for (std::size_t i = 0; i < node_.names.size(); ++i) {
    const auto is_it = [&](std::string_view name) { return iequals(name, node_.names[i]); };
    if (std::ranges::none_of(known_, is_it))
      findings_.warn(node_.items[i],
                     fmt::format("{} is no field that this version knows; it is ignored", path_of(node_.names[i])));
  }
}

void Fields::refuse(const YamlNode& where, std::string_view name, std::string_view why) {
  findings_.refuse(where, fmt::format("{} {}", path_of(name), why));
}

Result<Milliseconds> read_duration(std::string_view text) {
  // Go holds nanoseconds in 63 bits.
  constexpr std::int64_t kMillisecondsMax = 9'223'372'036'854;
  const auto plain = read_integer(text);
  if (!plain) return state::parse_go_duration(text);
  if (*plain > kMillisecondsMax || *plain < -kMillisecondsMax)
    return fail(Errc::invalid_argument, "the duration is out of range");
  return Milliseconds(*plain);
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t value = 0;
  return read_number(text, value) ? std::optional(value) : std::nullopt;
}

}  // namespace holdfast::config
