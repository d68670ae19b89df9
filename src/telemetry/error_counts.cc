#include "telemetry/error_counts.h"

#include <array>
#include <utility>

namespace holdfast::telemetry {

void ErrorCounts::add(std::string_view code) {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(code);
  if (found != counts_.end()) {
    ++found->second;
  } else {
    counts_.emplace(code, 1);
  }
}

void ErrorCounts::each(const std::function<void(const std::string&, std::uint64_t)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [code, count] : counts_) visit(code, count);
}

std::string_view category_of(std::string_view code) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kCategories{{
      {"_STATE", "state"},
      {"SECRET", "secret"},
      {"PERMISSION_DENIED", "secret"},
      {"HEALTH", "health"},
      {"ACTOR", "actor"},
      {"PUBSUB", "pubsub"},
      {"CONFIGURATION", "configuration"},
      {"LOCK", "lock"},
      {"CRYPTO", "crypto"},
      {"SCHEDULER", "jobs"},
      {"CONVERSATION", "conversation"},
      {"BINDING", "binding"},
      {"WORKFLOW", "workflow"},
      {"DIRECT_INVOKE", "service-invocation"},
  }};
  for (const auto& [part, category] : kCategories)
    if (code.find(part) != std::string_view::npos) return category;
  return "common";
}

}  // namespace holdfast::telemetry
