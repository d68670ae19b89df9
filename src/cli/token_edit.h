// What `holdfast token` makes of the text of a token file (api/token_file.h). Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "api/token_file.h"
#include "base/result.h"

namespace holdfast::cli {

// "hf_" and 256 random bits in base64url.
std::string new_token();

// The text with one line more. Errc::invalid_argument when the text is no token file.
Result<std::string> with_token(std::string_view text, const api::TokenLine& line);

// The text without the token that `which` names: its name, or at least eight digits of its digest. Errc::not_found when
// there is none; Errc::invalid_argument when there are several, or the text is no token file;
// Errc::precondition_failed when it is the only one: a sidecar keeps the tokens it has when the file is left with none.
Result<std::string> without_token(std::string_view text, std::string_view which);

// The digits of a digest that people are shown.
std::string short_digest(const api::TokenDigest& digest);
// A line for each token, or an array of JSON.
std::string token_table(std::span<const api::TokenLine> tokens);
std::string token_json(std::span<const api::TokenLine> tokens);

}  // namespace holdfast::cli
