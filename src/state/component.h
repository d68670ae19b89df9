// A component as its file describes it, and the row with which a backend registers.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "state/store.h"

namespace holdfast::state {

struct Component {
  std::string name;
  std::string type;                                             // as written: "state.sqlite"
  std::string version;                                          // as written; may be empty
  std::vector<std::pair<std::string, std::string>> properties;  // spec.metadata, values resolved
  std::vector<std::string> scopes;
  bool ignore_errors = false;
  Milliseconds init_timeout{5000};
  std::string file;  // where it was read, for messages
  int line = 0;
  std::string revision;  // equal for two readings of one name: nothing that matters has changed between them
};

enum class SettingKind : unsigned char { text, boolean, duration, integer, identifier, bytes };

// One field that a component file may hold for a backend.
struct Setting {
  std::string_view name;
  SettingKind kind = SettingKind::text;
  std::string_view fallback = "";  // the default, as it would be written
  std::string_view help = "";
  std::string_view alias = "";  // a second name, used when the first is absent
  std::string_view alias2 = "";
  bool required = false;
  bool secret = false;  // never shown
  std::string_view alias3 = "";
  std::string_view choices = "";  // the only values, a blank between two; matched in any case and without hyphens
  std::string_view refusal = "";  // why this version refuses a component that sets the field; empty: it does not
};

// Whether the field answers to that name, in any case.
bool has_name(const Setting& setting, std::string_view name);
// What a value of the field has to be, such as "must be an integer"; empty when `text` is. As in Dapr, nothing is
// wrong with any text for a boolean (what is not true is false), nor with no text for a field with choices.
std::string objection_to(const Setting& setting, std::string_view text);

// What prepare() may use of the process. Lives as long as the core.
struct StoreEnvironment {
  const Clock& clock;
  std::size_t loops = 1;
  bool only_look = false;  // for `holdfast check --deep`: what is opened makes and changes nothing
};

// One row per name and version a component file may use; stores/all.cc lists the rows.
struct StoreType {
  std::string_view type;          // "state.sqlite"
  std::string_view alias = "";    // "state.sqlite3"; empty: none
  std::string_view version = "";  // "" where the type has one version; else "v1", "v2"
  std::string_view summary = "";
  std::span<const Setting> settings = {};
  std::span<const std::string_view> dapr_features = {};  // what Dapr declares for this type and version, in its order
  // Checks the settings and opens what all loops share. May block (start-up, reload).
  Result<std::shared_ptr<StoreCore>> (*prepare)(const Component& component,
                                                const StoreEnvironment& environment) = nullptr;
  bool dapr_hides_empty = false;  // Dapr's store of this type reads an empty value as if the key were absent
  // For `holdfast check --deep`, where opening makes or changes something all the same: looks hard at what is there,
  // and leaves it as it is. May block. Errc::not_found: there is nothing yet, and opening makes it. Null: opening is
  // harmless.
  Status (*inspect)(const Component& component) = nullptr;
};

// Settings that the runtime reads on every component, whatever its type; backends ignore them.
std::span<const Setting> common_settings();

class Registry {
 public:
  explicit Registry(std::vector<const StoreType*> types) : types_(std::move(types)) {}
  // Dapr's resolution: type and version in any case; "", v0 and v1 are the unversioned row; the empty version of
  // a versioned type is its lowest (v1, but v2 for yugabytedb). Errc::not_found: "couldn't find state store
  // TYPE/VERSION".
  Result<const StoreType*> find(std::string_view type, std::string_view version) const;
  std::span<const StoreType* const> types() const { return types_; }

 private:
  std::vector<const StoreType*> types_;
};

// A component's properties read by a settings table, with the rules of Dapr's metadata decoder: names in any
// case, aliases only when the main name is absent, lenient booleans, bare-integer durations in seconds.
class Settings {
 public:
  // Errc::invalid_argument names the component, the field and the file for: a required field that is missing,
  // one field in two spellings, a value of the wrong kind. One spelling twice: the last wins, as in Dapr. Fields
  // that neither the table nor common_settings() has are listed in unknown(). `table` must outlive the result.
  // Kinds: an empty duration or integer is 0, an identifier is letters, digits and underscores.
  static Result<Settings> read(const Component& component, std::span<const Setting> table);

  // By the table's main name; throws std::logic_error for a name the table lacks.
  const std::string& text(std::string_view name) const;
  bool boolean(std::string_view name) const;
  Milliseconds duration(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  std::uint64_t bytes(std::string_view name) const;  // "64Mi", "1G", "4096"
  bool has(std::string_view name) const;             // given in the file
  const std::vector<std::string>& unknown() const { return unknown_; }

 private:
  struct Value {
    std::string_view name;
    std::string text;
    bool given = false;
  };
  const Value& value(std::string_view name) const;
  std::vector<Value> values_;
  std::vector<std::string> unknown_;
};

// Dapr's readings of text, shared by settings, flags and metadata.
bool truthy(std::string_view text);  // y yes true t on 1, any case
// "1m30s", "250ms", "-1s"; a unit is required except for 0. Away from zero to the next millisecond, so that a
// tiny timeout does not read as 0, which often means none. Errors are Go's texts and quote what was given.
Result<Milliseconds> parse_go_duration(std::string_view text);
// A Kubernetes quantity in whole bytes, rounded up: "4Mi", "1k", "1.5G", "512", "1e3". Not negative.
Result<std::uint64_t> parse_quantity(std::string_view text);

}  // namespace holdfast::state
