#include "api/access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>

namespace holdfast::api {

Result<TokenSet> TokenSet::parse(std::string_view text) {
  const auto lines = parse_token_file(text);
  if (!lines) return fail(lines.error());
  TokenSet set;
  for (const TokenLine& line : *lines) {
    Token token{line.digest};
    if (line.grant != service::Grant()) token.grant = line.grant;
    if (!set.put(std::move(token)))
      return fail(Errc::invalid_argument,
                  fmt::format("line {}: this token stands further above with other settings", line.number));
  }
  return set;
}

Status TokenSet::add(std::string_view token) {
  if (put({digest_of(token)})) return {};
  return fail(Errc::invalid_argument, "the token is there already, with settings");
}

bool TokenSet::put(Token token) {
  if (const Token* old = find(token.digest)) return old->grant == token.grant;
  tokens_.push_back(std::move(token));
  return true;
}

const TokenSet::Token* TokenSet::find(const TokenDigest& digest) const {
  const Token* found = nullptr;
  for (const Token& token : tokens_)
    if (::CRYPTO_memcmp(token.digest.data(), digest.data(), digest.size()) == 0) found = &token;
  return found;
}

const TokenSet::Token* TokenSet::find(std::string_view token) const { return find(digest_of(token)); }

void Access::set_tokens(std::shared_ptr<const TokenSet> tokens) {
  // A count of its own: the loops' requests do not write to one place.
  const TokenSet* const set = tokens.get();
  tokens_ =
      set == nullptr ? nullptr : std::shared_ptr<const TokenSet>(set, [held = std::move(tokens)](const TokenSet*) {});
  last_accepted_.clear();
  last_grant_ = nullptr;
}

std::optional<service::GrantRef> Access::admit(std::string_view token) {
  if (!tokens_) return service::GrantRef();
  if (token.empty()) return std::nullopt;
  const bool is_last =
      token.size() == last_accepted_.size() && ::CRYPTO_memcmp(token.data(), last_accepted_.data(), token.size()) == 0;
  if (!is_last) {
    const TokenSet::Token* const found = tokens_->find(token);
    if (found == nullptr) return std::nullopt;
    last_accepted_ = token;
    last_grant_ = found->grant ? &*found->grant : nullptr;
  }
  return last_grant_ == nullptr ? service::GrantRef() : service::GrantRef(tokens_, last_grant_);
}

bool Access::serves(std::string_view path) const {
  if (denied_routes_.empty()) return true;
  if (path.starts_with('/')) path.remove_prefix(1);
  return std::ranges::none_of(denied_routes_, [path](const std::string& denied) {
    return path.starts_with(denied) && (path.size() == denied.size() || path[denied.size()] == '/');
  });
}

void Access::deny_methods(std::vector<std::string> denied) {
  denied_methods_ = std::move(denied);
  std::ranges::sort(denied_methods_);
}

bool Access::serves_method(std::string_view full_method) const {
  return denied_methods_.empty() ||
         !std::binary_search(denied_methods_.begin(), denied_methods_.end(), full_method, std::less<>());
}

}  // namespace holdfast::api
