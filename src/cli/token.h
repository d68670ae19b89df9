// `holdfast token`: making, listing and taking away the tokens of a file that sidecars read (--api-token-file).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace holdfast::cli {

// `arguments` are what follows "token". The process's exit code (output.h).
int run_token(const std::vector<std::string>& arguments);

// create, list and revoke, with their options, and what help says beside that.
std::span<const CommandRow> token_verbs();
std::string_view token_description();

}  // namespace holdfast::cli
