// Who may call, and what may be called: the same for every protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/token_file.h"
#include "base/result.h"
#include "service/grant.h"

namespace holdfast::api {

// The API tokens, as SHA-256 digests, and what each allows: what is kept says nothing about what was given. Immutable
// once it is shared by the loops.
class TokenSet {
 public:
  struct Token {
    TokenDigest digest{};
    std::optional<service::Grant> grant = std::nullopt;  // nothing: everything is allowed, and nobody is named
  };

  // The text of a token file (token_file.h). Errc::invalid_argument names the line, never what stands in it; a token
  // that stands there twice with different settings is one too.
  static Result<TokenSet> parse(std::string_view text);

  // One that allows everything. Errc::invalid_argument: it is there already, and allows less.
  Status add(std::string_view token);
  bool empty() const { return tokens_.empty(); }
  // Null when there is none. Takes the same time whether and wherever they differ.
  const Token* find(std::string_view token) const;
  bool accepts(std::string_view token) const { return find(token) != nullptr; }

 private:
  // False when it is there already with another grant.
  bool put(Token token);
  const Token* find(const TokenDigest& digest) const;
  std::vector<Token> tokens_;
};

// The rules as one loop knows them. Used and replaced on its loop only.
class Access {
 public:
  // Null: nobody is asked for a token. Requests that were admitted keep what they were granted.
  void set_tokens(std::shared_ptr<const TokenSet> tokens);
  bool asks_for_token() const { return tokens_ != nullptr; }
  // What the bearer of the token may do; nothing when it is not accepted. Hashes only a token that is another than the
  // last one it accepted, and counts references only to a token that is named or limited.
  std::optional<service::GrantRef> admit(std::string_view token);

  // Routes that are not served at all, as the segments they begin with: "v1.0/state", "v1.0/secrets", "v2".
  void deny_routes(std::vector<std::string> denied) { denied_routes_ = std::move(denied); }
  bool serves(std::string_view path) const;
  // gRPC methods that are not served: "/package.Service/Method".
  void deny_methods(std::vector<std::string> denied);
  bool serves_method(std::string_view full_method) const;

 private:
  std::shared_ptr<const TokenSet> tokens_;  // counted by this loop alone
  std::string last_accepted_;
  const service::Grant* last_grant_ = nullptr;  // in *tokens_
  std::vector<std::string> denied_routes_;
  std::vector<std::string> denied_methods_;  // sorted
};

}  // namespace holdfast::api
