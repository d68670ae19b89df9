#include "daemon/access_rules.h"

#include <fmt/format.h>

#include <array>

#include "api/grpc/dispatch.h"
#include "config/resources.h"

namespace holdfast::daemon {

Result<std::shared_ptr<const api::TokenSet>> load_tokens(const config::Flags& flags,
                                                         const config::GetEnvironment& environment) {
  const std::string token = environment("DAPR_API_TOKEN").value_or("");
  if (token.empty() && flags.api_token_file.empty()) return nullptr;
  api::TokenSet tokens;
  if (!flags.api_token_file.empty()) {
    const auto text = config::read_text_file(flags.api_token_file);
    if (!text)
      return fail(Errc::invalid_argument, fmt::format("cannot read --api-token-file {}: {}", flags.api_token_file,
                                                      text.error().message));
    auto parsed = api::TokenSet::parse(*text);
    if (!parsed)
      return fail(Errc::invalid_argument,
                  fmt::format("--api-token-file {}: {}", flags.api_token_file, parsed.error().message));
    if (parsed->empty())
      return fail(Errc::invalid_argument, fmt::format("--api-token-file {} holds no token", flags.api_token_file));
    tokens = std::move(*parsed);
  }
  if (!token.empty())
    if (auto added = tokens.add(token); !added)
      return fail(
          Errc::invalid_argument,
          fmt::format("--api-token-file {} limits the token of DAPR_API_TOKEN, which allows everything; take it "
                      "out of one of the two",
                      flags.api_token_file));
  return std::make_shared<const api::TokenSet>(std::move(tokens));
}

namespace {

// Each group of routes, and a route of it as Dapr spells it: older rules match its beginning.
struct RouteGroup {
  std::string_view group;
  std::string_view route;
};
constexpr std::array<RouteGroup, 20> kGroups{{
    {"v1.0/state", "v1.0/state/{storeName}/{key}"},
    {"v1.0-alpha1/state", "v1.0-alpha1/state/{storeName}/query"},
    {"v1.0/secrets", "v1.0/secrets/{secretStoreName}/{key}"},
    {"v1.0/metadata", "v1.0/metadata"},
    {"v1.0/shutdown", "v1.0/shutdown"},
    {"v1.0/publish", "v1.0/publish/{pubsubname}/{topic}"},
    {"v1.0/bindings", "v1.0/bindings/{name}"},
    {"v1.0/configuration", "v1.0/configuration/{storeName}"},
    {"v1.0-alpha1/lock", "v1.0-alpha1/lock/{storeName}"},
    {"v1.0-alpha1/unlock", "v1.0-alpha1/unlock/{storeName}"},
    {"v1.0-alpha1/crypto", "v1.0-alpha1/crypto/{name}/encrypt"},
    {"v1.0-alpha1/subtlecrypto", "v1.0-alpha1/subtlecrypto/{name}/getkey"},
    {"v1.0/actors", "v1.0/actors/{actorType}/{actorId}"},
    {"v1.0/workflows", "v1.0/workflows/{workflowComponent}/{instanceID}"},
    {"v1.0-alpha1/jobs", "v1.0-alpha1/jobs/{name}"},
    {"v1.0-alpha1/conversation", "v1.0-alpha1/conversation/{name}/converse"},
    {"v1.0/invoke", "v1.0/invoke/{id}/method"},
    {"v2/state", "v2/state/{store}/{key}"},
    {"v2/stores", "v2/stores"},
    {"v2/stats", "v2/stats"},
}};

}  // namespace

std::vector<std::string> closed_routes(const config::ApiAccess& access) {
  std::vector<std::string> closed;
  for (const auto& [group, route] : kGroups)
    if (!config::http_route_allowed(access, group, route)) closed.emplace_back(group);
  return closed;
}

std::vector<std::string> closed_methods(const config::ApiAccess& access) {
  std::vector<std::string> closed;
  for (std::string& method : api::grpc_method_names())
    if (!config::grpc_method_allowed(access, method)) closed.push_back(std::move(method));
  return closed;
}

}  // namespace holdfast::daemon
