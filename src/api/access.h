// Who may call, and what may be called: the same for every protocol.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace holdfast::api {

// The API tokens, as SHA-256 digests: what is kept says nothing about what was given. Immutable, shared by the loops.
class TokenSet {
 public:
  // One token a line: "sha256:" and 64 hex digits, or the token itself. Empty lines and lines that begin with # are
  // skipped; what follows a digest is a comment. Errc::invalid_argument names the line, never what stands in it.
  static Result<TokenSet> parse(std::string_view text);

  void add(std::string_view token);
  bool empty() const { return digests_.empty(); }
  // Takes the same time whether and wherever they differ.
  bool accepts(std::string_view token) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  static Digest digest_of(std::string_view token);
  std::vector<Digest> digests_;
};

// The rules as one loop knows them. Used and replaced on its loop only.
class Access {
 public:
  // Null: nobody is asked for a token.
  void set_tokens(std::shared_ptr<const TokenSet> tokens);
  bool asks_for_token() const { return tokens_ != nullptr; }
  // Hashes only a token that is another than the last one it accepted.
  bool accepts(std::string_view token);

  // Routes that are not served at all, as the segments they begin with: "v1.0/state", "v1.0/secrets", "v2".
  void deny_routes(std::vector<std::string> denied) { denied_routes_ = std::move(denied); }
  bool serves(std::string_view path) const;
  // gRPC methods that are not served: "/package.Service/Method".
  void deny_methods(std::vector<std::string> denied);
  bool serves_method(std::string_view full_method) const;

 private:
  std::shared_ptr<const TokenSet> tokens_;
  std::string last_accepted_;
  std::vector<std::string> denied_routes_;
  std::vector<std::string> denied_methods_;  // sorted
};

}  // namespace holdfast::api
