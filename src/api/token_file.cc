#include "api/token_file.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <optional>

#include "base/encoding.h"
#include "service/isolation.h"

namespace holdfast::api {

using service::Grant;
using service::Right;
using service::Rights;

namespace {

constexpr std::string_view kHashed = "sha256:";
constexpr std::size_t kNameBytesMax = 128;
constexpr std::size_t kPrefixBytesMax = 1024;

struct RightName {
  std::string_view name;
  Right right;
};
constexpr RightName kRights[] = {{"get", Right::get},      {"list", Right::list},   {"write", Right::write},
                                 {"delete", Right::erase}, {"watch", Right::watch}, {"admin", Right::admin}};

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

bool is_plain_text(std::string_view text) {
  return is_utf8(text) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// An empty one means what is worse than an error: no limit.
Result<std::string> value_of(std::string_view text) {
  auto value = percent_decode(text, Plus::literal);
  if (!value) return refuse("a % without two hex digits behind it");
  if (value->empty()) return refuse("a setting without a value; leave it out where there is no limit");
  return std::move(*value);
}

Status read_setting(std::string_view name, std::string_view text, Grant& grant, bool& has_rights) {
  if (name == "allow") {
    if (has_rights) return refuse("the setting allow stands there twice");
    has_rights = true;
    auto rights = parse_rights(text);
    if (!rights) return fail(rights.error());
    grant.rights = *rights;
    return {};
  }
  if (name == "stores") {
    if (!grant.stores.empty()) return refuse("the setting stores stands there twice");
    do {
      auto store = value_of(take_part(text, ','));
      if (!store) return fail(store.error());
      grant.stores.push_back(std::move(*store));
    } while (!text.empty());
    return {};
  }
  std::string* const into = name == "name"        ? &grant.name
                            : name == "isolation" ? &grant.isolation
                            : name == "prefix"    ? &grant.prefix
                                                  : nullptr;
  if (into == nullptr) return refuse("a setting that is none of name, isolation, prefix, allow, stores");
  if (!into->empty()) return refuse(fmt::format("the setting {} stands there twice", name));
  auto value = value_of(text);
  if (!value) return fail(value.error());
  *into = std::move(*value);
  return {};
}

Result<Grant> read_settings(std::string_view text) {
  Grant grant;
  bool has_rights = false;
  while (!text.empty()) {
    std::string_view setting = take_part(text, ';');
    const std::string_view name = take_part(setting, '=');
    if (auto ok = read_setting(name, setting, grant, has_rights); !ok) return fail(ok.error());
  }
  if (!has_rights) grant.rights = default_rights(grant);
  if (auto ok = check_grant(grant); !ok) return fail(ok.error());
  return grant;
}

Result<TokenLine> read_line(std::string_view text) {
  TokenLine line;
  if (!text.starts_with(kHashed)) {
    line.is_plain = true;
    line.digest = digest_of(text);
    return line;
  }
  const std::size_t blank = std::min(text.find_first_of(" \t"), text.size());
  line.comment = trim(text.substr(blank));
  std::string_view settings = text.substr(kHashed.size(), blank - kHashed.size());
  // A semicolon with nothing behind it is a limit that somebody forgot.
  if (settings.ends_with(';')) return refuse("a semicolon without a setting behind it");
  const auto digest = hex_decode(take_part(settings, ';'));
  if (!digest || digest->size() != line.digest.size())
    return refuse("behind \"sha256:\" there are not 64 hex digits, such as \"printf %s TOKEN | sha256sum\" prints");
  std::ranges::copy(*digest, line.digest.begin());
  auto grant = read_settings(settings);
  if (!grant) return fail(grant.error());
  line.grant = std::move(*grant);
  return line;
}

// As value_of() reads it.
std::string encoded(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '%' || c == ';' || c == ',') {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

TokenDigest digest_of(std::string_view token) {
  TokenDigest digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

Result<std::vector<TokenLine>> parse_token_file(std::string_view text) {
  std::vector<TokenLine> lines;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = trim(take_part(text, '\n'));
    if (line.empty() || line.starts_with('#')) continue;
    auto read = read_line(line);
    if (!read) return refuse(fmt::format("line {}: {}", number, read.error().message));
    read->number = number;
    lines.push_back(std::move(*read));
  }
  return lines;
}

Status check_grant(const Grant& grant) {
  if (grant.name.size() > kNameBytesMax || !is_plain_text(grant.name))
    return refuse(fmt::format("name is not text of at most {} bytes on one line", kNameBytesMax));
  if (!grant.isolation.empty() && !service::is_isolation_key(grant.isolation))
    return refuse(fmt::format("isolation is not 1 to {} of the characters A-Z, a-z, 0-9, dot, underscore and hyphen",
                              service::kIsolationKeyBytesMax));
  if (grant.prefix.size() > kPrefixBytesMax || !is_utf8(grant.prefix) || grant.prefix.contains("||"))
    return refuse(fmt::format("prefix is not UTF-8 of at most {} bytes without \"||\"", kPrefixBytesMax));
  if (grant.rights == Rights()) return refuse("allow names nothing");
  for (const std::string& store : grant.stores)
    if (store.empty() || !is_plain_text(store)) return refuse("stores is not a list of the names of stores");
  return {};
}

std::string token_line(const TokenLine& line) {
  const std::string_view bytes(reinterpret_cast<const char*>(line.digest.data()), line.digest.size());
  std::string out = std::string(kHashed) + hex_encode(bytes);
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format(";{}={}", name, value);
  };
  const Grant& grant = line.grant;
  add("name", encoded(grant.name));
  add("isolation", encoded(grant.isolation));
  add("prefix", encoded(grant.prefix));
  if (grant.rights != default_rights(grant)) add("allow", rights_text(grant.rights));
  std::string stores;
  for (const std::string& store : grant.stores) stores += (stores.empty() ? "" : ",") + encoded(store);
  add("stores", stores);
  if (!line.comment.empty()) out += " " + line.comment;
  return out;
}

Rights default_rights(const Grant& grant) {
  const bool is_limited = !grant.isolation.empty() || !grant.prefix.empty() || !grant.stores.empty();
  return is_limited ? Rights::of_state() : Rights::all();
}

Result<Rights> parse_rights(std::string_view words) {
  Rights rights;
  do {
    const std::string_view word = take_part(words, ',');
    const auto* const row = std::ranges::find(kRights, word, &RightName::name);
    if (row == std::end(kRights)) return refuse("allow is not a list of get, list, write, delete, watch, admin");
    rights |= row->right;
  } while (!words.empty());
  return rights;
}

std::string rights_text(Rights rights) {
  std::string text;
  for (const RightName& row : kRights)
    if (rights.has(row.right)) text += (text.empty() ? "" : ",") + std::string(row.name);
  return text;
}

}  // namespace holdfast::api
