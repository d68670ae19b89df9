#include "api/access.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::api {

namespace {

constexpr std::string_view kHashed = "sha256:";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

template <std::size_t N>
bool read_hex(std::string_view text, std::array<unsigned char, N>& out) {
  if (text.size() != 2 * N) return false;
  for (std::size_t i = 0; i < N; ++i) {
    const int high = hex_value(text[2 * i]);
    const int low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return true;
}

}  // namespace

TokenSet::Digest TokenSet::digest_of(std::string_view token) {
  Digest digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

void TokenSet::add(std::string_view token) { digests_.push_back(digest_of(token)); }

Result<TokenSet> TokenSet::parse(std::string_view text) {
  TokenSet set;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (!line.starts_with(kHashed)) {
      set.add(line);
      continue;
    }
    const std::string_view hex = line.substr(kHashed.size(), line.find_first_of(" \t") - kHashed.size());
    Digest digest;
    if (!read_hex(hex, digest))
      return fail(Errc::invalid_argument, fmt::format("line {}: behind \"sha256:\" there are not 64 hex digits, such as "
                                                      "\"printf %s TOKEN | sha256sum\" prints", number));
    set.digests_.push_back(digest);
  }
  return set;
}

bool TokenSet::accepts(std::string_view token) const {
  const Digest given = digest_of(token);
  int accepted = 0;
  for (const Digest& digest : digests_)
    accepted |= ::CRYPTO_memcmp(digest.data(), given.data(), digest.size()) == 0 ? 1 : 0;
  return accepted != 0;
}

void Access::set_tokens(std::shared_ptr<const TokenSet> tokens) {
  tokens_ = std::move(tokens);
  last_accepted_.clear();
}

bool Access::accepts(std::string_view token) {
  if (!tokens_) return true;
  if (token.empty()) return false;
  if (token.size() == last_accepted_.size() &&
      ::CRYPTO_memcmp(token.data(), last_accepted_.data(), token.size()) == 0)
    return true;
  if (!tokens_->accepts(token)) return false;
  last_accepted_ = token;
  return true;
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
