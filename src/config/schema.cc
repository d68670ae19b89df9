// The document's own fields come from document_fields(), a definition for each kind. What spec.metadata may hold
// depends on spec.type and spec.version, so each row of the known types has a definition, and the component a condition
// that leads to it.
#include "config/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "config/check.h"
#include "config/document.h"
#include "config/document_fields.h"
#include "config/json_writer.h"

namespace holdfast::config {
namespace {

using state::Setting;
using state::SettingKind;
using state::StoreType;

// What the sidecar puts in the place of a template is not known here.
constexpr std::string_view kTemplate = R"(\{(uuid|podName|namespace|appID)\})";
constexpr std::string_view kGoDuration = R"([+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)";
constexpr std::string_view kInteger = R"([+-]?(0[xX][0-9A-Fa-f]+|0[bB][01]+|0[oO][0-7]+|[0-9]+))";
constexpr std::string_view kBytes = R"(\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?)";
constexpr std::string_view kBoolean = "y yes true t on 1 n no false f off 0";

// A pattern for the word in any case; hyphens may be left out.
std::string any_case(std::string_view word) {
  std::string out;
  for (const char c : word) {
    const char lower = ascii_lower(c);
    if (lower >= 'a' && lower <= 'z') {
      out += fmt::format("[{}{}]", static_cast<char>(lower - 'a' + 'A'), lower);
    } else if (c == '-') {
      out += "-?";
    } else {
      out += c;  // letters, digits and underscores are all the words there are
    }
  }
  return out;
}

std::string any_case_of(std::string_view words) {
  std::string out;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(' ', at), words.size());
    out += (out.empty() ? "" : "|") + any_case(words.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// {"anyOf": [{"type": ...}, ..., {"type": "string", "pattern": ...}]}: JSON's own types, or text of that form, or a
// template.
void write_scalar(JsonWriter& out, std::initializer_list<std::string_view> types, std::string_view pattern) {
  out.begin_object().key("anyOf").begin_array();
  for (const std::string_view type : types) out.begin_object().member("type", type).end_object();
  out.begin_object().member("type", "string").member("pattern", fmt::format("^({})?$|{}", pattern, kTemplate));
  out.end_object().end_array().end_object();
}

void write_text(JsonWriter& out) {
  out.begin_object().list("type", {"string", "number", "boolean", "null"}).end_object();
}

// The definitions that values refer to.
void write_value_kinds(JsonWriter& out) {
  out.key("text");
  write_text(out);
  out.key("boolean");
  write_scalar(out, {"boolean", "number"}, fmt::format(" *({}) *", any_case_of(kBoolean)));
  out.key("integer");
  write_scalar(out, {"integer", "null"}, kInteger);
  out.key("duration");
  write_scalar(out, {"integer", "null"}, fmt::format("{}|[+-]?[0-9]+", kGoDuration));
  out.key("goDuration");
  write_scalar(out, {"null"}, kGoDuration);
  out.key("bytes");
  write_scalar(out, {"number"}, kBytes);
  out.key("identifier");
  write_scalar(out, {"integer"}, "[A-Za-z0-9_]+");
}

std::string_view kind_name(SettingKind kind) {
  switch (kind) {
    case SettingKind::text:
      return "text";
    case SettingKind::boolean:
      return "boolean";
    case SettingKind::duration:
      return "duration";
    case SettingKind::integer:
      return "integer";
    case SettingKind::identifier:
      return "identifier";
    case SettingKind::bytes:
      return "bytes";
  }
  return "text";
}

std::string_view kind_name(FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return "boolean";
    case FieldKind::integer:
      return "integer";
    case FieldKind::go_duration:
      return "goDuration";
    case FieldKind::duration:
      return "duration";
    default:
      return "text";
  }
}

std::string reference(std::string_view definition) { return fmt::format("#/$defs/{}", definition); }

// ---- documents ----

class DocumentWriter {
 public:
  DocumentWriter(JsonWriter& out, std::string_view kind) : out_(out), kind_(kind), fields_(document_fields(kind)) {}

  // `more` writes further members of the root's object.
  template <class More>
  void write(const More& more) {
    out_.begin_object();
    write_members(fields_.front());
    more();
    out_.end_object();
  }

 private:
  void write_field(const DocumentField& field) {
    out_.begin_object();
    write_members(field);
    out_.end_object();
  }

  void write_members(const DocumentField& field) {
    if (!field.help.empty()) out_.member("description", field.help);
    switch (field.kind) {
      case FieldKind::any:
        return;
      case FieldKind::object:
        return write_object(field);
      case FieldKind::map:
        out_.list("type", {"object", "null"}).key("additionalProperties");
        return write_field(*find_field(fields_, std::string(field.path) + ".*"));
      case FieldKind::list:
        out_.list("type", {"array", "null"}).key("items");
        return write_field(*find_field(fields_, std::string(field.path) + "[]"));
      default:
        return write_scalar_members(field);
    }
  }

  void write_object(const DocumentField& field) {
    const bool is_item = field.path.ends_with("]") || field.path.empty();
    if (field.required || is_item) {
      out_.member("type", "object");
    } else {
      out_.list("type", {"object", "null"});
    }
    std::vector<std::string_view> required;
    out_.key("properties").begin_object();
    for (const DocumentField& child : fields_) {
      const auto [parent, name] = split_path(child.path);
      if (child.path.empty() || parent != field.path || name == "[]") continue;
      if (child.required) required.push_back(name);
      out_.key(name);
      write_field(child);
    }
    out_.end_object();
    if (!required.empty()) out_.list("required", required);
    out_.member("additionalProperties", false);
  }

  void write_scalar_members(const DocumentField& field) {
    if (field.path == "kind") {
      out_.member("const", kind_);
    } else if (field.path == "apiVersion") {
      out_.list("enum", api_versions());
    } else if (!field.choices.empty()) {
      out_.member("type", "string").member("pattern", fmt::format("^({})?$", any_case_of(field.choices)));
    } else {
      out_.member("$ref", reference(kind_name(field.kind)));
    }
  }

  JsonWriter& out_;
  std::string_view kind_;
  std::span<const DocumentField> fields_;
};

// ---- settings of a type ----

std::string definition_of(const StoreType& row) { return fmt::format("{}:{}", row.type, version_word(row)); }

std::vector<std::string_view> names_of(const Setting& setting) {
  std::vector<std::string_view> names;
  for (const std::string_view name : {setting.name, setting.alias, setting.alias2, setting.alias3})
    if (!name.empty()) names.push_back(name);
  return names;
}

std::string description_of(const Setting& setting) {
  std::string text(setting.help);
  if (!setting.choices.empty()) text += fmt::format(". One of: {}", setting.choices);
  if (!setting.fallback.empty()) text += fmt::format(". Default: {}", setting.fallback);
  if (setting.required) text += ". Required";
  return text;
}

class TypeWriter {
 public:
  TypeWriter(JsonWriter& out, const StoreType& row) : out_(out), row_(row), fields_(fields_of(row)) {}

  // A schema of spec.
  void write() {
    out_.begin_object();
    if (!row_.summary.empty()) out_.member("description", row_.summary);
    const bool needs_settings = std::ranges::any_of(fields_, &Setting::required);
    if (needs_settings) out_.list("required", {"metadata"});
    out_.key("properties").begin_object().key("metadata").begin_object();
    if (needs_settings) out_.member("type", "array");
    out_.key("items").begin_object();
    write_names();
    write_values();
    out_.end_object();
    if (needs_settings) write_required();
    out_.end_object().end_object().end_object();
  }

 private:
  void write_names() {
    out_.key("properties").begin_object().key("name").begin_object().key("anyOf").begin_array();
    for (const Setting* field : fields_)
      for (const std::string_view name : names_of(*field))
        out_.begin_object().member("const", name).member("description", description_of(*field)).end_object();
    out_.end_array().end_object().end_object();
  }

  void write_values() {
    const auto is_judged = [](const Setting* field) {
      return field->kind != SettingKind::text || !field->choices.empty();
    };
    if (std::ranges::none_of(fields_, is_judged)) return;
    out_.key("allOf").begin_array();
    for (const SettingKind kind : {SettingKind::boolean, SettingKind::duration, SettingKind::integer,
                                   SettingKind::identifier, SettingKind::bytes}) {
      std::vector<std::string_view> names;
      for (const Setting* field : fields_)
        if (field->kind == kind && field->choices.empty())
          std::ranges::copy(names_of(*field), std::back_inserter(names));
      if (names.empty()) continue;
      begin_condition(names);
      out_.begin_object().member("$ref", reference(kind_name(kind))).end_object();
      end_condition();
    }
    for (const Setting* field : fields_) {
      if (field->choices.empty()) continue;
      begin_condition(names_of(*field));
      write_scalar(out_, {"null"}, any_case_of(field->choices));
      end_condition();
    }
    out_.end_array();
  }

  // If an entry has one of these names, its value is what is written next.
  void begin_condition(const std::vector<std::string_view>& names) {
    out_.begin_object().key("if").begin_object().key("properties").begin_object();
    out_.key("name").begin_object().list("enum", names).end_object().end_object();
    out_.list("required", {"name"}).end_object();
    out_.key("then").begin_object().key("properties").begin_object().key("value");
  }
  void end_condition() { out_.end_object().end_object().end_object(); }

  void write_required() {
    out_.key("allOf").begin_array();
    for (const Setting* field : fields_) {
      if (!field->required) continue;
      out_.begin_object().key("contains").begin_object().key("properties").begin_object();
      out_.key("name").begin_object().list("enum", names_of(*field)).end_object().end_object();
      out_.list("required", {"name"}).end_object().end_object();
    }
    out_.end_array();
  }

  JsonWriter& out_;
  const StoreType& row_;
  std::vector<const Setting*> fields_;
};

// ---- the whole ----

class SchemaWriter {
 public:
  SchemaWriter(const KnownTypes& known, std::vector<const StoreType*> rows, bool is_one_type)
      : known_(known), rows_(std::move(rows)), is_one_type_(is_one_type) {}

  std::string write() {
    out_.begin_object();
    out_.member("$schema", "https://json-schema.org/draft/2020-12/schema");
    out_.member("title", fmt::format("Component files of Holdfast {}", HOLDFAST_VERSION));
    if (is_one_type_) {
      out_.member("$ref", reference("Component"));
    } else {
      write_kinds();
    }
    out_.key("$defs").begin_object();
    write_definitions();
    out_.end_object().end_object();
    return out_.text() + "\n";
  }

 private:
  // A document of one of our kinds, or of one that is Dapr's and not read.
  void write_kinds() {
    out_.list("type", {"object", "null"}).list("required", {"kind"});
    out_.key("properties").begin_object().key("kind").begin_object().key("enum").begin_array();
    for (const auto kinds : {document_kinds(), foreign_kinds()})
      for (const std::string_view kind : kinds) out_.value(kind);
    out_.end_array().end_object().end_object();
    out_.key("allOf").begin_array();
    for (const std::string_view kind : document_kinds()) {
      out_.begin_object().key("if").begin_object().key("properties").begin_object();
      out_.key("kind").begin_object().member("const", kind).end_object().end_object();
      out_.list("required", {"kind"}).end_object();
      out_.key("then").begin_object().member("$ref", reference(kind)).end_object().end_object();
    }
    out_.end_array();
  }

  void write_definitions() {
    write_value_kinds(out_);
    for (const std::string_view kind : document_kinds()) {
      if (is_one_type_ && kind != "Component") continue;
      out_.key(kind);
      DocumentWriter(out_, kind).write([&] {
        if (kind == "Component") write_conditions();
      });
    }
    for (const StoreType* row : rows_) {
      out_.key(definition_of(*row));
      TypeWriter(out_, *row).write();
    }
  }

  // Beside the component's own members: which types there are, and what each takes.
  void write_conditions() {
    out_.key("allOf").begin_array();
    out_.begin_object().key("properties").begin_object().key("spec").begin_object();
    out_.key("properties").begin_object().key("type");
    write_types();
    out_.end_object().end_object().end_object().end_object();
    for (const StoreType* row : rows_) write_condition(*row);
    out_.end_array();
  }

  void write_types() {
    out_.begin_object().key("anyOf").begin_array();
    for (const StoreType* row : rows_) {
      if (row != known_.versions_of(row->type).front()) continue;
      for (const std::string_view name : {row->type, row->alias})
        if (!name.empty()) out_.begin_object().member("const", name).member("description", row->summary).end_object();
    }
    if (!is_one_type_) {
      std::string others = "secretstores";
      for (const std::string_view category : other_categories())
        others += "|" + std::string(category.substr(0, category.size() - 1));
      out_.begin_object().member("type", "string").member("pattern", fmt::format(R"(^({})\.)", others)).end_object();
    }
    out_.end_array().end_object();
  }

  // The version that a component without one has is the first.
  void write_condition(const StoreType& row) {
    const auto versions = known_.versions_of(row.type);
    const bool is_default = &row == versions.front();
    out_.begin_object().key("if").begin_object().key("properties").begin_object();
    out_.key("spec").begin_object().key("properties").begin_object();
    out_.key("type").begin_object().key("enum").begin_array().value(row.type);
    if (!row.alias.empty()) out_.value(row.alias);
    out_.end_array().end_object();
    if (versions.size() > 1) {
      out_.key("version").begin_object();
      out_.member("pattern", fmt::format("^({}){}$", any_case(version_word(row)), is_default ? "?" : "")).end_object();
    }
    out_.end_object().list("required", is_default ? std::vector<std::string_view>{"type"}
                                                  : std::vector<std::string_view>{"type", "version"});
    out_.end_object().end_object().list("required", {"spec"}).end_object();
    out_.key("then").begin_object().key("properties").begin_object();
    out_.key("spec").begin_object().key("allOf").begin_array();
    out_.begin_object().member("$ref", reference(definition_of(row))).end_object();
    out_.begin_object().key("properties").begin_object().key("version").begin_object();
    out_.member("pattern", version_pattern(versions)).end_object().end_object().end_object();
    out_.end_array().end_object().end_object().end_object().end_object();
  }

  // Types with one version take "", v0 and v1 for it.
  static std::string version_pattern(const std::vector<const StoreType*>& versions) {
    std::string words;
    for (const StoreType* row : versions) words += (words.empty() ? "" : "|") + any_case(version_word(*row));
    if (versions.size() == 1 && versions.front()->version.empty()) words += "|" + any_case("v0");
    return fmt::format("^({})?$", words);
  }

  JsonWriter out_;
  const KnownTypes& known_;
  std::vector<const StoreType*> rows_;
  bool is_one_type_;
};

}  // namespace

Result<std::string> component_schema(const KnownTypes& known, std::string_view type) {
  if (!type.empty()) {
    auto rows = known.versions_of(type);
    if (rows.empty()) return fail(Errc::not_found, fmt::format("the type \"{}\" is not known", type));
    return SchemaWriter(known, std::move(rows), true).write();
  }
  return SchemaWriter(known, {known.rows().begin(), known.rows().end()}, false).write();
}

}  // namespace holdfast::config
