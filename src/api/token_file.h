// The file of API tokens (--api-token-file) as values and as text: what the sidecar reads and `holdfast token` writes.
// Pure.
//
//   # a comment
//   a-token-as-it-is
//   sha256:HEX64 a comment
//   sha256:HEX64;name=ci;isolation=tenant-7;prefix=orders/;allow=get,list;stores=cart,orders a comment
//
// Settings stand behind the digest without a blank; what follows the first blank is a comment, as it always was. In
// values %XX stands for a byte; a blank, a comma, a semicolon and a percent sign have to be written so.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/grant.h"

namespace holdfast::api {

using TokenDigest = std::array<unsigned char, 32>;
TokenDigest digest_of(std::string_view token);

struct TokenLine {
  std::size_t number = 0;  // of the line, from 1
  TokenDigest digest{};
  bool is_plain = false;  // the token itself stands there
  service::Grant grant = {};
  std::string comment = {};
};

// The lines that hold a token. Errc::invalid_argument names the line, and never what stands in it.
Result<std::vector<TokenLine>> parse_token_file(std::string_view text);

// Whether the grant says what a token file can say, in the words of parse_token_file().
Status check_grant(const service::Grant& grant);
// The line of a digest, without its end.
std::string token_line(const TokenLine& line);

// What a token is allowed where its line does not say: everything, or all of state where it is limited otherwise.
service::Rights default_rights(const service::Grant& grant);
// "get,list,write,delete,watch,admin"; Errc::invalid_argument for another word, or none.
Result<service::Rights> parse_rights(std::string_view words);
std::string rights_text(service::Rights rights);

}  // namespace holdfast::api
