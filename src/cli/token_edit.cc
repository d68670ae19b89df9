#include "cli/token_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/encoding.h"
#include "base/random.h"
#include "cli/output.h"
#include "wire/json/json.h"

namespace holdfast::cli {
namespace {

using api::TokenDigest;
using api::TokenLine;

constexpr std::string_view kMark = "hf_";
constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kDigitsShown = 12;
constexpr std::size_t kDigitsMin = 8;

std::string digits_of(const TokenDigest& digest) {
  return hex_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

bool is_named(const TokenLine& token, std::string_view which) {
  if (!which.empty() && token.grant.name == which) return true;
  static constexpr std::string_view kHashed = "sha256:";
  if (which.starts_with(kHashed)) which.remove_prefix(kHashed.size());
  return which.size() >= kDigitsMin && digits_of(token.digest).starts_with(to_lower(which));
}

// The text without the lines of that token: it may stand there twice, as itself and as its digest.
std::string without_lines(std::string_view text, std::span<const TokenLine> tokens, const TokenDigest& digest) {
  std::string out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::size_t bytes = end == std::string_view::npos ? text.size() : end + 1;
    const bool goes = std::ranges::any_of(
        tokens, [&](const TokenLine& token) { return token.number == number && token.digest == digest; });
    if (!goes) out += text.substr(0, bytes);
    text.remove_prefix(bytes);
  }
  return out;
}

// "isolation=K prefix=orders/ allow=get,list stores=a,b", or what it is without any of them.
std::string limits_of(const TokenLine& token) {
  const service::Grant& grant = token.grant;
  std::string out;
  const auto add = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, printable(value));
  };
  add("isolation", grant.isolation);
  add("prefix", grant.prefix);
  if (grant.rights != api::default_rights(grant)) add("allow", api::rights_text(grant.rights));
  add("stores", fmt::format("{}", fmt::join(grant.stores, ",")));
  return out.empty() ? "everything" : out;
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  json::append_name(out, name);
  if (value.empty())
    out += "null";
  else
    json::append_string(out, value);
}

void append_list(std::string& out, std::string_view name, std::span<const std::string_view> words) {
  json::append_name(out, name);
  out += '[';
  for (const std::string_view word : words) {
    if (!out.ends_with('[')) out += ',';
    json::append_string(out, word);
  }
  out += ']';
}

}  // namespace

std::string new_token() {
  std::array<unsigned char, kTokenBytes> bytes{};
  random_fill(bytes);
  return std::string(kMark) + base64url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<std::string> with_token(std::string_view text, const TokenLine& line) {
  if (auto tokens = api::parse_token_file(text); !tokens) return fail(std::move(tokens.error()));
  std::string out(text);
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  return out + api::token_line(line) + '\n';
}

Result<std::string> without_token(std::string_view text, std::string_view which) {
  const auto tokens = api::parse_token_file(text);
  if (!tokens) return fail(tokens.error());
  std::vector<TokenDigest> found;
  for (const TokenLine& token : *tokens)
    if (is_named(token, which) && std::ranges::find(found, token.digest) == found.end()) found.push_back(token.digest);
  if (found.empty())
    return fail(Errc::not_found,
                fmt::format("no token has the name \"{}\", or a digest that begins so (with at least {} "
                            "digits)",
                            printable(which), kDigitsMin));
  if (found.size() > 1) {
    std::string digests;
    for (const TokenDigest& digest : found) digests += (digests.empty() ? "" : ", ") + short_digest(digest);
    return fail(Errc::invalid_argument, fmt::format("\"{}\" is the name of {} tokens; say which by its digest: {}",
                                                    printable(which), found.size(), digests));
  }
  if (std::ranges::all_of(*tokens, [&](const TokenLine& token) { return token.digest == found[0]; }))
    return fail(Errc::precondition_failed,
                "it is the only token of the file, and a sidecar keeps the tokens it has when "
                "the file is left with none; make another one first, or stop the sidecars "
                "and remove the file");
  return without_lines(text, *tokens, found[0]);
}

std::string short_digest(const TokenDigest& digest) { return digits_of(digest).substr(0, kDigitsShown); }

std::string token_table(std::span<const TokenLine> tokens) {
  std::size_t name_bytes = 1;
  for (const TokenLine& token : tokens) name_bytes = std::max(name_bytes, printable(token.grant.name).size());
  std::string out;
  for (const TokenLine& token : tokens) {
    const std::string name = token.grant.name.empty() ? "-" : printable(token.grant.name);
    out += fmt::format("{}  {:{}}  {}", short_digest(token.digest), name, name_bytes, limits_of(token));
    if (token.is_plain) out += "  (kept as it is, not as its digest)";
    if (!token.comment.empty()) out += fmt::format("  # {}", printable(token.comment));
    out += '\n';
  }
  return out;
}

std::string token_json(std::span<const TokenLine> tokens) {
  std::string out = "[";
  for (const TokenLine& token : tokens) {
    const service::Grant& grant = token.grant;
    std::string one = "{";
    append_member(one, "digest", digits_of(token.digest));
    append_member(one, "name", grant.name);
    append_member(one, "isolation", grant.isolation);
    append_member(one, "prefix", grant.prefix);
    append_list(one, "allow", split(api::rights_text(grant.rights), ','));
    append_list(one, "stores", std::vector<std::string_view>(grant.stores.begin(), grant.stores.end()));
    append_member(one, "comment", token.comment);
    one += fmt::format(",\"plain\":{},\"line\":{}}}", token.is_plain, token.number);
    out += (out.size() == 1 ? "\n" : ",\n") + one;
  }
  return out + (tokens.empty() ? "]\n" : "\n]\n");
}

}  // namespace holdfast::cli
