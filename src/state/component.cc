#include "state/component.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::state {
namespace {

// Better no store than plain text kept where it should be sealed, or events dropped.
constexpr std::string_view kNoEncryption =
    "asks for encryption, which this version does not have; remove the field, or the values would be kept as plain "
    "text";
constexpr std::string_view kNoOutbox =
    "asks for an outbox, which this version does not have; remove the field, or events would be lost";

constexpr std::array<Setting, 17> kCommonSettings{{
    {.name = "keyPrefix",
     .fallback = "appid",
     .help = "what is put before every key: appid, name, namespace, none, or a text of your own"},
    {.name = "consistency",
     .help = "the level of calls that ask for none; caboa is another name for quorum",
     .choices = "eventual consistent-prefix session bounded-staleness quorum caboa strong"},
    {.name = "daprLenient",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "accept the etags that Dapr's store of this type accepts where this one is stricter"},
    {.name = "v1Query",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "open the v1 query route although Dapr's store of this type has none"},
    {.name = "trustCreatedBy",
     .kind = SettingKind::boolean,
     .help = "believe createdBy and modifiedBy of a request; by default only where no API token is set"},
    {.name = "isolation",
     .fallback = "off",
     .help = "whether requests may name an isolation key (optional), have to (required), or may not (off): its records "
             "are kept apart from all others",
     .choices = "off optional required"},
    {.name = "nearCache",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help =
         "serve readings at eventual from memory, which a watch of the store keeps right; needs a store that watches"},
    {.name = "nearCacheMaxItems",
     .kind = SettingKind::integer,
     .fallback = "10000",
     .help = "records that the near cache keeps"},
    {.name = "nearCacheMaxBytes",
     .kind = SettingKind::bytes,
     .fallback = "16Mi",
     .help = "memory that the near cache takes"},
    {.name = "nearCacheMaxAge",
     .kind = SettingKind::duration,
     .fallback = "60s",
     .help = "a record is read again after so long although no change was told; 0: never for that"},
    {.name = "actorStateStore",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "whether actors keep their state here"},
    {.name = "primaryEncryptionKey",
     .help = "hex AES key that values are sealed with",
     .secret = true,
     .refusal = kNoEncryption},
    {.name = "secondaryEncryptionKey",
     .help = "hex AES key that old values may be sealed with",
     .secret = true,
     .refusal = kNoEncryption},
    {.name = "outboxPublishPubsub",
     .help = "pub/sub component that transactions are announced on",
     .refusal = kNoOutbox},
    {.name = "outboxPublishTopic", .help = "topic that transactions are announced on", .refusal = kNoOutbox},
    {.name = "outboxPubsub", .help = "pub/sub component for the outbox's own messages"},
    {.name = "outboxDiscardWhenMissingState",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "drop an outbox message whose state is not there"},
}};

bool is_known(std::span<const Setting> table, std::string_view name) {
  for (const Setting& setting : table)
    if (has_name(setting, name)) return true;
  for (const Setting& setting : kCommonSettings)
    if (has_name(setting, name)) return true;
  return false;
}

// A Go duration, or a bare integer in seconds; empty is 0.
Result<Milliseconds> read_duration(std::string_view text) {
  text = trim(text);
  if (text.empty()) return Milliseconds(0);
  std::int64_t seconds = 0;
  if (!read_number(text, seconds)) return parse_go_duration(text);
  constexpr std::int64_t kSecondsMax = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;
  if (seconds > kSecondsMax || seconds < -kSecondsMax)
    return fail(Errc::invalid_argument, "the duration is out of range");
  return Milliseconds(seconds * 1000);
}

// As Go's ParseInt with base 0 reads it, without underscores; empty is 0.
Result<std::int64_t> read_integer(std::string_view text) {
  if (text.empty()) return 0;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = ascii_lower(text[1]);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t magnitude = 0;
  const auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (!read_number(text, magnitude, base) || magnitude > limit)
    return fail(Errc::invalid_argument, "not an integer of 64 bits");
  const auto value = static_cast<std::int64_t>(magnitude);
  return negative ? -value : value;
}

bool is_identifier(std::string_view text) {
  for (const char c : text)
    if (!(c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))) return false;
  return !text.empty();
}

bool is_same_word(std::string_view a, std::string_view b) {
  const auto without_hyphens = [](std::string_view text) {
    std::string out;
    for (const char c : text)
      if (c != '-') out += ascii_lower(c);
    return out;
  };
  return without_hyphens(a) == without_hyphens(b);
}

// "must be a, b or c"; empty when `text` is one of `choices`.
std::string objection_to_choice(std::string_view choices, std::string_view text) {
  std::string known = "must be ";
  for (std::size_t at = 0; at < choices.size();) {
    const std::size_t end = std::min(choices.find(' ', at), choices.size());
    const std::string_view choice = choices.substr(at, end - at);
    if (is_same_word(choice, text)) return "";
    if (at > 0) known += end == choices.size() ? " or " : ", ";
    known += choice;
    at = end + 1;
  }
  return known;
}

// What a value of this kind must look like; empty when `text` does.
std::string_view objection_to_kind(SettingKind kind, std::string_view text) {
  switch (kind) {
    case SettingKind::text:
    case SettingKind::boolean:
      return "";
    case SettingKind::duration:
      return read_duration(text) ? "" : "must be a duration such as 500ms or 1m30s, or a number of seconds";
    case SettingKind::integer:
      return read_integer(text) ? "" : "must be an integer";
    case SettingKind::identifier:
      return is_identifier(text) ? "" : "must be a name of letters, digits and underscores";
    case SettingKind::bytes:
      return parse_quantity(text) ? "" : "must be a size such as 4096, 64Mi or 1G";
  }
  return "";
}

std::string where(const Component& component) {
  if (component.file.empty()) return "";
  std::string text = " (" + component.file;
  if (component.line > 0) text += ":" + std::to_string(component.line);
  return text + ")";
}

std::unexpected<Error> refuse(const Component& component, std::string_view field, std::string_view why) {
  return fail(Errc::invalid_argument, "component \"" + component.name + "\" (" + component.type + "): field \"" +
                                          std::string(field) + "\" " + std::string(why) + where(component));
}

using Property = std::pair<std::string, std::string>;

// The last property of that exact spelling wins, as in Dapr, whose list becomes a map.
const Property* find_property(const Component& component, std::string_view name) {
  if (name.empty()) return nullptr;
  for (auto at = component.properties.rbegin(); at != component.properties.rend(); ++at)
    if (iequals(at->first, name)) return &*at;
  return nullptr;
}

// A name that comes in two spellings: Dapr cannot know which is meant and refuses.
const Property* find_ambiguous(const Component& component) {
  for (std::size_t i = 0; i < component.properties.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const std::string& a = component.properties[i].first;
      const std::string& b = component.properties[j].first;
      if (a != b && iequals(a, b)) return &component.properties[i];
    }
  return nullptr;
}

}  // namespace

std::span<const Setting> common_settings() { return kCommonSettings; }

bool has_name(const Setting& setting, std::string_view name) {
  for (const std::string_view own : {setting.name, setting.alias, setting.alias2, setting.alias3})
    if (!own.empty() && iequals(own, name)) return true;
  return false;
}

std::string objection_to(const Setting& setting, std::string_view text) {
  if (setting.choices.empty()) return std::string(objection_to_kind(setting.kind, text));
  return text.empty() ? "" : objection_to_choice(setting.choices, text);
}

Result<const StoreType*> Registry::find(std::string_view type, std::string_view version) const {
  const StoreType* chosen = nullptr;
  for (const StoreType* row : types_) {
    if (!iequals(row->type, type) && (row->alias.empty() || !iequals(row->alias, type))) continue;
    const bool is_initial = version.empty() || iequals(version, "v0") || iequals(version, "v1");
    if (row->version.empty() ? is_initial : iequals(row->version, version)) return row;
    // An empty version is the type's first: v1, or v2 for the types that never had a v1.
    if (version.empty() && (chosen == nullptr || row->version < chosen->version)) chosen = row;
  }
  if (chosen != nullptr) return chosen;
  return fail(Errc::not_found, "couldn't find state store " + std::string(type) + "/" + std::string(version));
}

Result<Settings> Settings::read(const Component& component, std::span<const Setting> table) {
  if (const Property* twice = find_ambiguous(component); twice != nullptr)
    return refuse(component, twice->first, "is given twice, in different spellings; keep one");
  Settings settings;
  settings.values_.reserve(table.size());
  for (const Setting& setting : table) {
    const Property* property = find_property(component, setting.name);
    if (property == nullptr) property = find_property(component, setting.alias);
    if (property == nullptr) property = find_property(component, setting.alias2);
    if (property == nullptr) property = find_property(component, setting.alias3);
    if (setting.required && (property == nullptr || property->second.empty()))
      return refuse(component, setting.name, "is required and missing or empty");
    if (property != nullptr) {
      const std::string why = objection_to(setting, property->second);
      if (!why.empty()) return refuse(component, property->first, why);
    }
    settings.values_.push_back(
        {setting.name, property != nullptr ? property->second : std::string(setting.fallback), property != nullptr});
  }
  for (const auto& [name, text] : component.properties)
    if (!is_known(table, name)) settings.unknown_.push_back(name);
  return settings;
}

const Settings::Value& Settings::value(std::string_view name) const {
  for (const Value& value : values_)
    if (value.name == name) return value;
  throw std::logic_error("no setting is named " + std::string(name));
}

const std::string& Settings::text(std::string_view name) const { return value(name).text; }
bool Settings::boolean(std::string_view name) const { return truthy(value(name).text); }
Milliseconds Settings::duration(std::string_view name) const { return read_duration(value(name).text).value(); }
std::int64_t Settings::integer(std::string_view name) const { return read_integer(value(name).text).value(); }
std::uint64_t Settings::bytes(std::string_view name) const {
  const std::string& text = value(name).text;
  return text.empty() ? 0 : parse_quantity(text).value();
}
bool Settings::has(std::string_view name) const { return value(name).given; }

}  // namespace holdfast::state
