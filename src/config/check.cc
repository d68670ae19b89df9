#include "config/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/encoding.h"
#include "config/check_component.h"
#include "config/check_fields.h"
#include "config/document.h"
#include "config/nearest.h"
#include "config/yaml.h"

namespace holdfast::config {
namespace {

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// A component, and in which report its findings are.
struct Placed {
  ComponentFacts facts;
  std::size_t report = 0;
};

class Checker {
 public:
  explicit Checker(const KnownTypes& known) : known_(known) {}

  void check_file(const SourceFile& file) {
    reports_.emplace_back(file.name);
    for (const YamlDocument& document : split_documents(file.text)) check_document(document);
  }

  std::vector<Finding> finish() {
    check_duplicates();
    check_secret_stores();
    std::vector<Finding> all;
    for (Report& report : reports_) {
      std::multimap<int, Finding> by_line;  // keeps the order of those of one line
      for (Finding& finding : report.findings()) by_line.emplace(finding.line, std::move(finding));
      for (auto& [line, finding] : by_line) all.push_back(std::move(finding));
      if (report.left_out() > 0)
        all.push_back({report.file(), 0, report.left_out_severity(), "", "",
                       fmt::format("{} more findings of this file are left out", report.left_out()), ""});
    }
    return all;
  }

 private:
  Report& report() { return reports_.back(); }

  void check_document(const YamlDocument& document) {
    report().set_subject("");
    const auto root = parse_yaml(document);
    if (!root) return report_syntax(root.error().message);
    if (root->kind == YamlNode::Kind::null) return;
    if (!root->is_mapping()) return report().error(root->line, "", "the document is not a mapping of names to values");
    const std::string kind = to_text((*root)["kind"]);
    if (!is_one_of(kind, document_kinds())) return complain_of_kind(*root, kind);
    report().set_subject(subject_of(kind, to_text((*root)["metadata"]["name"])));
    check_api_version(*root);
    if (kind == "Component") {
      components_.push_back({check_component(*root, known_, report()), reports_.size() - 1});
    } else {
      check_fields(*root, document_fields(kind), [](auto, auto) { return std::nullopt; }, report());
    }
  }

  // "LINE: why", as parse_yaml says it.
  void report_syntax(std::string_view message) {
    int line = 0;
    const std::size_t colon = message.find(": ");
    const std::string_view number = message.substr(0, colon);
    std::from_chars(number.data(), number.data() + number.size(), line);
    if (colon != std::string_view::npos) message.remove_prefix(colon + 2);
    report().error(line, "", fmt::format("not YAML: {}", message));
  }

  static std::string subject_of(std::string_view kind, std::string_view name) {
    return name.empty() ? to_lower(kind) : fmt::format("{} \"{}\"", to_lower(kind), name);
  }

  void complain_of_kind(const YamlNode& root, const std::string& kind) {
    const int line = root.line_of("kind");
    if (is_one_of(kind, foreign_kinds()))
      return report().add(Severity::note, line, "kind", fmt::format("a {} of Dapr's, which is not read here", kind));
    if (!kind.empty())
      return report().error(line, "kind", fmt::format("the kind \"{}\" is not known", kind),
                            nearest(kind, document_kinds()));
    static constexpr std::array<std::string_view, 1> kOnly{"kind"};
    for (std::size_t i = 0; i < root.names.size() && !root.has("kind"); ++i)
      if (nearest(root.names[i], kOnly) == "kind")
        return report().error(root.name_lines[i], "kind",
                              fmt::format("the document has no field \"{}\"", root.names[i]), "kind");
    report().error(line, "kind", "the document has no \"kind\", such as Component");
  }

  void check_api_version(const YamlNode& root) {
    const std::string version = to_text(root["apiVersion"]);
    if (version.empty() || is_one_of(version, api_versions())) return;  // that it is missing is said with the fields
    report().error(root.line_of("apiVersion"), "apiVersion", fmt::format("the apiVersion \"{}\" is not known", version),
                   std::string(api_versions().front()));
  }

  // Components of different namespaces may share a name, where NAMESPACE is set to tell them apart.
  void check_duplicates() {
    std::map<std::string_view, const Placed*> first_of;
    for (const Placed& placed : components_) {
      if (placed.facts.name.empty()) continue;
      const auto [first, is_first] = first_of.emplace(placed.facts.name, &placed);
      if (is_first) continue;
      const ComponentFacts& a = first->second->facts;
      const ComponentFacts& b = placed.facts;
      const bool may_differ = !a.name_space.empty() && !b.name_space.empty() && a.name_space != b.name_space;
      add(placed, may_differ ? Severity::warning : Severity::error, b.line, "metadata.name",
          fmt::format("the name is taken by {}:{}{}", reports_[first->second->report].file(), a.line,
                      may_differ ? ", of another namespace; without the variable NAMESPACE both are loaded" : ""));
    }
  }

  void check_secret_stores() {
    std::vector<std::string_view> stores;
    for (const Placed& placed : components_)
      if (category_of(placed.facts.type) == Category::secret_store) stores.push_back(placed.facts.name);
    for (const Placed& placed : components_) {
      const ComponentFacts& facts = placed.facts;
      if (facts.secret_store.empty() || is_one_of(facts.secret_store, stores)) continue;
      add(placed, Severity::error, facts.secret_store_line, "auth.secretStore",
          fmt::format("the secret store \"{}\" is not among these files; the component would wait for it",
                      facts.secret_store),
          reports_[placed.report].is_full() ? "" : nearest(facts.secret_store, stores));
    }
  }

  void add(const Placed& placed, Severity severity, int line, std::string field, std::string message,
           std::string suggestion = "") {
    Report& report = reports_[placed.report];
    report.set_subject(subject_of("Component", placed.facts.name));
    report.add(severity, line, std::move(field), std::move(message), std::move(suggestion));
  }

  const KnownTypes& known_;
  std::vector<Report> reports_;  // one a file
  std::vector<Placed> components_;
};

}  // namespace

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "note";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "";
}

std::string to_line(const Finding& finding) {
  std::string line = finding.file;
  if (finding.line > 0) line += fmt::format(":{}", finding.line);
  line += fmt::format("{}{}: ", line.empty() ? "" : ": ", name_of(finding.severity));
  if (!finding.subject.empty()) line += finding.subject + ": ";
  line += finding.message;
  if (!finding.suggestion.empty()) line += fmt::format("; did you mean \"{}\"?", finding.suggestion);
  return line;
}

std::vector<Finding> check_files(std::span<const SourceFile> files, const KnownTypes& known) {
  Checker checker(known);
  for (const SourceFile& file : files) checker.check_file(file);
  return checker.finish();
}

}  // namespace holdfast::config
