#include "target.h"

#include <algorithm>
#include <cstdlib>

namespace holdfast::detail {

namespace {

std::string first_given(const std::string& first, const std::string& second) { return first.empty() ? second : first; }

std::string address_of(const Environment& environment) {
  std::string address = first_given(environment("HOLDFAST_GRPC"), environment("DAPR_GRPC_ENDPOINT"));
  if (!address.empty()) return address;
  return first_given(environment("DAPR_RUNTIME_HOST"), "127.0.0.1") + ":" +
         first_given(environment("DAPR_GRPC_PORT"), "50001");
}

}  // namespace

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

Target target_of(std::string_view given, std::optional<Tls> tls, const Environment& environment) {
  std::string address = given.empty() ? address_of(environment) : std::string(given);
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!address.starts_with(scheme)) continue;
    address.erase(0, scheme.size());
    while (address.ends_with('/')) address.pop_back();
    if (scheme == "https://" && !tls) tls.emplace();
    break;
  }
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!address.empty() && std::ranges::all_of(address, is_digit)) address = "127.0.0.1:" + address;
  return {std::move(address), std::move(tls)};
}

}  // namespace holdfast::detail
