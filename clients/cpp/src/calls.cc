#include "calls.h"

namespace holdfast::detail {

namespace {

constexpr const char* kSession = "holdfast-session";
constexpr const char* kConsistency = "holdfast-consistency";
constexpr const char* kIsolation = "holdfast-isolation";
constexpr const char* kToken = "dapr-api-token";

using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

std::string text_of(const Metadata& metadata, const char* name) {
  const auto entry = metadata.find(name);
  return entry == metadata.end() ? std::string() : std::string(entry->second.data(), entry->second.size());
}

}  // namespace

std::string introduce(grpc::ClientContext& context, const Scope& scope) {
  std::string tokens = scope.session->all();
  if (!scope.settings.token.empty()) context.AddMetadata(kToken, scope.settings.token);
  if (!scope.settings.isolation.empty()) context.AddMetadata(kIsolation, scope.settings.isolation);
  if (!tokens.empty()) context.AddMetadata(kSession, tokens);
  return tokens;
}

Told told_by(const grpc::ClientContext& context) {
  // An answer that is an error alone has trailing metadata only.
  const auto text = [&context](const char* name) {
    std::string first = text_of(context.GetServerInitialMetadata(), name);
    return first.empty() ? text_of(context.GetServerTrailingMetadata(), name) : first;
  };
  return {text(kSession), level_named(text(kConsistency))};
}

ErrorPtr error_of(const grpc::Status& status) {
  return error_of_status(static_cast<Code>(status.error_code()), status.error_message(), status.error_details());
}

}  // namespace holdfast::detail
