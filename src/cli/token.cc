#include "cli/token.h"

#include <fmt/format.h>

#include <iostream>

#include "base/clock.h"
#include "base/encoding.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/replace_file.h"
#include "cli/token_edit.h"
#include "config/resources.h"

namespace holdfast::cli {

namespace {

constexpr OptionRow kFile{.name = "file", .argument = "FILE", .help = "the token file", .completes = Completes::files};

constexpr OptionRow kCreateOptions[] = {
    kFile,
    {.name = "name", .argument = "NAME", .help = "who has it: createdBy and modifiedBy of what is written with it"},
    {.name = "isolation", .argument = "KEY", .help = "the only isolation key that it reaches"},
    {.name = "prefix", .argument = "PREFIX", .help = "what keys that it reaches begin with"},
    {.name = "allow",
     .argument = "LIST",
     .help = "what it may do, with commas between: get, list, write, delete, watch, admin"},
    {.name = "stores", .argument = "LIST", .help = "the only stores that it reaches, with commas between"},
};
constexpr OptionRow kListOptions[] = {kFile, {.name = "json", .help = "JSON for programs"}};
constexpr OptionRow kRevokeOptions[] = {kFile};

constexpr CommandRow kVerbs[] = {
    {.name = "create", .summary = "print a new token and add its digest to the file", .options = kCreateOptions},
    {.name = "list", .summary = "the tokens of the file: digests, names and limits", .options = kListOptions},
    {.name = "revoke",
     .arguments = "NAME|DIGEST",
     .summary = "take a token out of the file",
     .options = kRevokeOptions,
     .words_min = 1,
     .words_max = 1},
};

Result<service::Grant> grant_of(const ParsedArguments& parsed) {
  service::Grant grant;
  grant.name = parsed.value("name");
  grant.isolation = parsed.value("isolation");
  grant.prefix = parsed.value("prefix");
  // Given and empty is a variable that was not set, and would be a token without that limit.
  for (const auto& [name, value] : parsed.options)
    if (value.empty())
      return fail(Errc::invalid_argument, fmt::format("--{} is empty; leave it out, or say what", name));
  const std::string stores = parsed.value("stores");
  for (std::string_view rest = stores; !rest.empty();) grant.stores.emplace_back(take_part(rest, ','));
  grant.rights = api::default_rights(grant);
  if (parsed.has("allow")) {
    auto rights = api::parse_rights(parsed.value("allow"));
    if (!rights) return fail(rights.error());
    grant.rights = *rights;
  }
  if (auto ok = api::check_grant(grant); !ok) return fail(ok.error());
  return grant;
}

int exit_code_of(const Error& error) {
  if (error.code == Errc::not_found) return kNotFound;
  return error.code == Errc::invalid_argument ? kMisused : kFailed;
}

int create(const ParsedArguments& parsed, const std::string& file) {
  auto grant = grant_of(parsed);
  if (!grant) return complain(grant.error().message, kMisused);
  const std::string token = new_token();
  api::TokenLine line;
  line.digest = api::digest_of(token);
  line.grant = std::move(*grant);
  line.comment = "created " + rfc3339_seconds(Clock::system().wall());
  const Status done = replace_file(file, [&](const std::string& text) { return with_token(text, line); });
  if (!done) return complain(fmt::format("{}: {}", file, done.error().message), kFailed);
  if (const int code = print_or_complain(token + '\n'); code != kDone) return code;
  std::cerr << "holdfast: this is the only time that the token is shown; " << file << " holds its digest "
            << short_digest(line.digest) << '\n';
  return kDone;
}

int list(const ParsedArguments& parsed, const std::string& file) {
  const auto text = config::read_text_file(file);
  if (!text) return complain(fmt::format("cannot read {}: {}", file, text.error().message), exit_code_of(text.error()));
  const auto tokens = api::parse_token_file(*text);
  if (!tokens) return complain(fmt::format("{}: {}", file, tokens.error().message), kFailed);
  return print_or_complain(parsed.has("json") ? token_json(*tokens) : token_table(*tokens));
}

int revoke(const ParsedArguments& parsed, const std::string& file) {
  const std::string& which = parsed.words[0];
  const Status done = replace_file(file, [&](const std::string& text) { return without_token(text, which); });
  if (!done) return complain(fmt::format("{}: {}", file, done.error().message), exit_code_of(done.error()));
  return print_or_complain(fmt::format("revoked {}\n", printable(which)));
}

int misused(std::string_view what) {
  return complain(fmt::format("{}\n\"holdfast help token\" says how it is used", what), kMisused);
}

}  // namespace

std::span<const CommandRow> token_verbs() { return kVerbs; }

std::string_view token_description() {
  return "A sidecar that was started with --api-token-file FILE asks for one of its tokens and reads the file again "
         "when it "
         "changes. create prints the new token once and keeps only its SHA-256; tokens that have a name in common are "
         "told "
         "apart by the digest that list shows, and its first eight digits or more are enough for revoke.\n\n"
         "Without a limit a token allows everything. With one it allows all of state, and secrets, shutdown and "
         "writing "
         "metadata only with --allow ...,admin.\n\n"
         "  holdfast token create --file tokens --name orders --isolation tenant-7\n"
         "  holdfast token create --file tokens --name reports --prefix orders/ --allow get,list\n"
         "  holdfast token revoke reports --file tokens\n\n"
         "Exit codes: 0 done, 1 failed, 2 misused, 3 there is no such token or file.";
}

int run_token(const std::vector<std::string>& arguments) {
  static constexpr std::string_view kKnown = "create, list, revoke";
  if (arguments.empty()) return misused(fmt::format("\"holdfast token\" needs one of {}", kKnown));
  const auto show_help = [] { return print_or_complain(command_help(*find_row(commands(), "token"))); };
  const std::string& verb = arguments[0];
  if (verb == "help" || verb == "--help" || verb == "-h") return show_help();
  const CommandRow* const row = find_row(kVerbs, verb);
  if (row == nullptr) return misused(fmt::format("\"{}\" is none of {}", verb, kKnown));
  const auto parsed = parse_arguments(*row, "holdfast token " + verb, std::span(arguments).subspan(1));
  if (!parsed) return misused(parsed.error().message);
  if (parsed->help) return show_help();
  const std::string file = parsed->value("file");
  if (file.empty()) return misused(fmt::format("\"holdfast token {}\" needs --file FILE", verb));
  if (verb == "create") return create(*parsed, file);
  return verb == "list" ? list(*parsed, file) : revoke(*parsed, file);
}

}  // namespace holdfast::cli
