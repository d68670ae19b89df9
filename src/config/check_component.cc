#include "config/check_component.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/encoding.h"
#include "config/check_fields.h"
#include "config/document.h"
#include "config/nearest.h"
#include "state/keys.h"

namespace holdfast::config {
namespace {

using state::Setting;
using state::StoreType;

// One item of spec.metadata.
struct Entry {
  std::string name;
  int line = 0;
  const YamlNode* item = nullptr;
  const Setting* field = nullptr;  // null: the type has none of that name

  std::string value() const { return to_text((*item)["value"]); }
  int value_line() const { return item->line_of("value"); }
  bool has_reference() const {
    return !to_text((*item)["secretKeyRef"]["name"]).empty() || !to_text((*item)["envRef"]).empty();
  }
  // As far as the file tells: what a reference yields is known only where it is resolved.
  bool is_empty() const { return value().empty() && !has_reference(); }
};

// A value that the sidecar changes before a store sees it.
bool has_template(std::string_view value) {
  static constexpr std::array<std::string_view, 4> kTemplates{"{uuid}", "{podName}", "{namespace}", "{appID}"};
  return std::ranges::any_of(kTemplates, [&](std::string_view one) { return value.find(one) != value.npos; });
}

class ComponentChecker {
 public:
  ComponentChecker(const YamlNode& root, const KnownTypes& known, Report& report)
      : root_(root), spec_(root["spec"]), known_(known), report_(report) {}

  ComponentFacts check() {
    find_type();
    check_fields(
        root_, document_fields("Component"),
        [this](std::string_view parent, std::string_view name) { return explain(parent, name); }, report_);
    check_name();
    check_type();
    check_scopes();
    collect_entries();
    for (const Entry& entry : entries_) check_entry(entry);
    check_spellings();
    check_required();
    return facts();
  }

 private:
  void find_type() {
    type_ = to_text(spec_["type"]);
    versions_ = known_.versions_of(type_);
    if (const auto row = known_.find(type_, to_text(spec_["version"]))) {
      row_ = *row;
    } else if (!versions_.empty()) {
      row_ = versions_.front();
    }
    if (row_ != nullptr) fields_ = fields_of(*row_);
  }

  const Setting* find_setting(std::string_view name) const {
    for (const Setting* field : fields_)
      if (state::has_name(*field, name)) return field;
    return nullptr;
  }

  // A setting of the type, written where fields of the document belong.
  std::optional<std::string> explain(std::string_view parent, std::string_view name) const {
    if (parent == "spec" && find_setting(name) != nullptr)
      return fmt::format("\"{}\" is a setting of {}: make it an entry of spec.metadata, with name and value", name,
                         row_->type);
    if (parent == "spec.metadata[]" && find_setting(name) != nullptr)
      return fmt::format("a setting is written as \"name: {}\" and \"value: ...\"", name);
    return std::nullopt;
  }

  void check_name() {
    const YamlNode& name = root_["metadata"]["name"];
    if (to_text(name).empty()) return;  // said already
    if (const auto why = objection_to_name(to_text(name)))
      report_.error(root_["metadata"].line_of("name"), "metadata.name", *why);
  }

  void check_type() {
    if (type_.empty()) return;  // said already
    const int line = spec_.line_of("type");
    switch (category_of(type_)) {
      case Category::other:
        report_.add(Severity::warning, line, "spec.type",
                    fmt::format("{} is of another building block of Dapr; only state stores are served here", type_));
        return;
      case Category::unknown:
        report_.error(line, "spec.type", fmt::format("\"{}\" is no type of a component", type_), suggest_type());
        return;
      case Category::state:
      case Category::secret_store:
        break;
    }
    if (versions_.empty()) return complain_of_type(line);
    const auto row = known_.find(type_, to_text(spec_["version"]));
    if (!row) return complain_of_version();
    if (!known_.is_built(**row))
      report_.add(Severity::warning, line, "spec.type",
                  fmt::format("{} is known, not supported yet: this version does not start with it", type_));
  }

  void complain_of_type(int line) {
    std::string meant = suggest_type();
    // Dapr has more secret stores than are known here.
    const bool may_be_right = category_of(type_) == Category::secret_store && meant.empty();
    report_.add(may_be_right ? Severity::warning : Severity::error, line, "spec.type",
                fmt::format("the type \"{}\" is not known", type_), std::move(meant));
  }

  void complain_of_version() {
    std::string there;
    for (const StoreType* row : versions_) there += (there.empty() ? "" : " and ") + std::string(version_word(*row));
    report_.error(spec_.line_of("version"), "spec.version",
                  fmt::format("{} has no version \"{}\"; there is {}", type_, to_text(spec_["version"]), there));
  }

  std::string suggest_type() const {
    std::vector<std::string_view> names;
    for (const StoreType* row : known_.rows()) {
      names.push_back(row->type);
      if (!row->alias.empty()) names.push_back(row->alias);
      // "redis" is too far from "state.redis" for a slip, and yet clear.
      if (iequals(row->type.substr(row->type.find('.') + 1), type_)) return std::string(row->type);
    }
    return nearest(type_, names);
  }

  void check_scopes() {
    for (const YamlNode& scope : root_["scopes"].items) {
      const std::string id = to_text(scope);
      if (id.empty()) report_.error(scope.line, "scopes", "an entry of scopes is empty");
      if (id.find('.') != std::string::npos)
        report_.add(Severity::warning, scope.line, "scopes",
                    fmt::format("\"{}\" in scopes matches no application: an app id has no dots", id));
    }
  }

  void collect_entries() {
    for (const YamlNode& item : spec_["metadata"].items) {
      const std::string name = to_text(item["name"]);
      if (!item.is_mapping() || name.empty()) continue;
      entries_.push_back({name, item.line, &item, find_setting(name)});
    }
  }

  void check_entry(const Entry& entry) {
    check_sources(entry);
    if (row_ == nullptr) return;
    if (entry.field == nullptr) return complain_of_setting(entry);
    const Setting& field = *entry.field;
    const std::string value = entry.value();
    // A switch that is off asks for nothing.
    const bool is_off =
        field.kind == state::SettingKind::boolean && !value.empty() && !has_template(value) && !state::truthy(value);
    if (!field.refusal.empty() && !entry.is_empty() && !is_off)
      return report_.error(entry.line, entry.name, fmt::format("\"{}\" {}", entry.name, field.refusal));
    if (field.secret && !value.empty() && !has_template(value))
      report_.add(Severity::note, entry.value_line(), entry.name,
                  fmt::format("field \"{}\" holds a secret in plain text; secretKeyRef takes it from a secret store, "
                              "envRef from the environment",
                              entry.name));
    if (value.empty() && entry.has_reference()) return;
    check_value(entry, value);
  }

  void check_value(const Entry& entry, const std::string& value) {
    if (has_template(value)) return;
    std::string why = state::objection_to(*entry.field, value);
    if (entry.field->kind == state::SettingKind::boolean && !is_boolean_word(value)) why = "must be true or false";
    if (value.empty() && entry.field->required) why.clear();  // said of the field
    if (entry.field->name == "keyPrefix" && value.find(state::kKeySeparator) != std::string::npos)
      why = "must not contain ||";
    if (!why.empty()) report_.error(entry.value_line(), entry.name, fmt::format("field \"{}\" {}", entry.name, why));
  }

  // Where the value comes from.
  void check_sources(const Entry& entry) {
    const YamlNode& item = *entry.item;
    const bool has_value = !entry.value().empty();
    const std::string variable = to_text(item["envRef"]);
    if (has_value && item.has("secretKeyRef"))
      report_.error(item.line_of("secretKeyRef"), entry.name,
                    fmt::format("field \"{}\" has both a value and a secretKeyRef; keep one", entry.name));
    if ((has_value || item.has("secretKeyRef")) && !variable.empty())
      report_.error(item.line_of("envRef"), entry.name,
                    fmt::format("field \"{}\" has an envRef beside another source; keep one", entry.name));
    if (!variable.empty() && is_reserved_variable(variable))
      report_.error(item.line_of("envRef"), entry.name,
                    fmt::format("field \"{}\": the variable {} is never given to a component", entry.name, variable));
    if (!item.has("value") && !item.has("secretKeyRef") && !item.has("envRef"))
      report_.add(Severity::warning, entry.line, entry.name,
                  fmt::format("field \"{}\" has no value, secretKeyRef or envRef", entry.name));
    if (item.has("secretKeyRef") && to_text(root_["auth"]["secretStore"]).empty())
      report_.add(Severity::warning, item.line_of("secretKeyRef"), entry.name,
                  fmt::format("field \"{}\" refers to a secret, and no auth.secretStore says where it is: outside "
                              "Kubernetes it stays unset",
                              entry.name));
  }

  void complain_of_setting(const Entry& entry) {
    for (const StoreType* other : versions_) {
      const auto has_it = [&](const Setting& setting) { return state::has_name(setting, entry.name); };
      if (other == row_ || std::ranges::none_of(other->settings, has_it)) continue;
      return report_.error(entry.line, entry.name,
                           fmt::format("field \"{}\" is not known to {} {}, but to its version {}", entry.name,
                                       row_->type, version_word(*row_), version_word(*other)));
    }
    std::vector<std::string_view> names;
    for (const Setting* field : fields_)
      for (const std::string_view name : {field->name, field->alias, field->alias2, field->alias3})
        if (!name.empty()) names.push_back(name);
    report_.error(entry.line, entry.name, fmt::format("field \"{}\" is not known to {}", entry.name, row_->type),
                  report_.is_full() ? "" : nearest(entry.name, names));
  }

  // One setting more than once: in one spelling, in two, or under two names.
  void check_spellings() {
    std::map<std::string, const Entry*> by_name;
    std::map<const Setting*, const Entry*> by_field;
    for (const Entry& entry : entries_) {
      const auto [same, is_first] = by_name.emplace(to_lower(entry.name), &entry);
      if (!is_first && same->second->name == entry.name) {
        report_.add(Severity::warning, entry.line, entry.name,
                    fmt::format("field \"{}\" is given twice; only the last one counts", entry.name));
      } else if (!is_first) {
        report_.error(entry.line, entry.name,
                      fmt::format("field \"{}\" is given twice, in different spellings, also as \"{}\"; keep one",
                                  entry.name, same->second->name));
      }
      if (!is_first || entry.field == nullptr) continue;
      if (const auto [other, is_only] = by_field.emplace(entry.field, &entry); !is_only)
        report_.add(Severity::warning, entry.line, entry.name,
                    fmt::format("\"{}\" and \"{}\" name the same field; only one of them counts", entry.name,
                                other->second->name));
    }
  }

  // As the store looks for it: by the main name, then by the others in their order.
  const Entry* find_entry(const Setting& field) const {
    for (const std::string_view name : {field.name, field.alias, field.alias2, field.alias3})
      for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
        if (!name.empty() && iequals(entry->name, name)) return &*entry;
    return nullptr;
  }

  void check_required() {
    for (const Setting* field : fields_) {
      if (!field->required) continue;
      const Entry* entry = find_entry(*field);
      if (entry != nullptr && (!entry->is_empty() || entry->item->has("secretKeyRef"))) continue;
      report_.error(
          entry != nullptr ? entry->line : spec_.line_of(spec_.has("metadata") ? "metadata" : "type"),
          std::string(field->name),
          fmt::format("field \"{}\" is required and {}", field->name, entry != nullptr ? "empty" : "missing"));
    }
  }

  ComponentFacts facts() const {
    ComponentFacts facts;
    facts.name = to_text(root_["metadata"]["name"]);
    facts.name_space = to_text(root_["metadata"]["namespace"]);
    facts.type = type_;
    facts.line = root_["metadata"].line_of("name");
    const auto asks = [](const Entry& entry) { return entry.item->has("secretKeyRef"); };
    if (std::ranges::any_of(entries_, asks)) facts.secret_store = to_text(root_["auth"]["secretStore"]);
    facts.secret_store_line = root_["auth"].line_of("secretStore");
    return facts;
  }

  const YamlNode& root_;
  const YamlNode& spec_;
  const KnownTypes& known_;
  Report& report_;
  std::string type_;
  std::vector<const StoreType*> versions_;
  const StoreType* row_ = nullptr;  // whose fields count; null: the type is not known
  std::vector<const Setting*> fields_;
  std::vector<Entry> entries_;
};

}  // namespace

ComponentFacts check_component(const YamlNode& root, const KnownTypes& known, Report& report) {
  return ComponentChecker(root, known, report).check();
}

}  // namespace holdfast::config
