// Token files: what was read is written and read again as it was, and an error shows nothing of what stands there.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "api/access.h"
#include "api/token_file.h"
#include "cli/token_edit.h"
#include "require.h"

namespace api = holdfast::api;
namespace cli = holdfast::cli;

namespace {

void check_line(const api::TokenLine& line) {
  FUZZ_REQUIRE(api::check_grant(line.grant));
  if (line.is_plain) {
    FUZZ_REQUIRE(line.grant == holdfast::service::Grant() && line.comment.empty());
    return;
  }
  const auto again = api::parse_token_file(api::token_line(line));
  FUZZ_REQUIRE(again && again->size() == 1);
  FUZZ_REQUIRE(again->front().digest == line.digest && again->front().grant == line.grant);
  FUZZ_REQUIRE(again->front().comment == line.comment);
}

// A token can be taken out, and then it is gone.
void check_removal(const std::string& text, const std::vector<api::TokenLine>& lines) {
  const std::string digest = cli::short_digest(lines.front().digest);
  const auto rest = cli::without_token(text, digest);
  if (!rest) return;
  const auto left = api::parse_token_file(*rest);
  FUZZ_REQUIRE(left && !left->empty() && left->size() < lines.size());
  FUZZ_REQUIRE(std::ranges::none_of(*left, [&](const auto& line) { return line.digest == lines.front().digest; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto lines = api::parse_token_file(text);
  const auto set = api::TokenSet::parse(text);
  if (!lines) {
    FUZZ_REQUIRE(lines.error().message.starts_with("line ") && !set);
    return 0;
  }
  for (const api::TokenLine& line : *lines) check_line(line);
  FUZZ_REQUIRE(!set || set->empty() == lines->empty());
  if (!lines->empty()) check_removal(text, *lines);
  api::TokenLine added;
  added.digest = api::digest_of("added");
  const auto longer = cli::with_token(text, added);
  FUZZ_REQUIRE(longer && api::parse_token_file(*longer)->size() == lines->size() + 1);
  return 0;
}
