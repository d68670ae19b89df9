// Dapr's Resiliency resources: named policies, and which of them each state store's calls go through.
// doc/configuration.md lists the fields. A value: read once, copied where needed, compared at a reload.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/resources.h"
#include "state/layers/layers.h"

namespace holdfast::config {

class Resiliency {
 public:
  // What calls to that state store go through: the policies that targets.components names for it, or, only where no
  // resource lists it there, the default policies.
  state::ResiliencyPolicy policy_for(std::string_view store) const;
  // Names of the resources, in the order they were read; for metadata.
  const std::vector<std::string>& names() const { return names_; }
  bool operator==(const Resiliency&) const = default;

 private:
  friend class ResiliencyReader;
  // Names of policies that apply to one target; empty: none.
  struct Target {
    std::string timeout;
    std::string retry;
    std::string breaker;
    bool operator==(const Target&) const = default;
  };
  std::vector<std::string> names_;
  std::map<std::string, Milliseconds, std::less<>> timeouts_;
  std::map<std::string, state::RetryPolicy, std::less<>> retries_;
  std::map<std::string, state::BreakerPolicy, std::less<>> breakers_;
  std::map<std::string, Target, std::less<>> components_;  // outbound
};

struct LoadedResiliency {
  Resiliency resiliency;
  std::vector<std::string> warnings;  // to be logged; each begins with the file and line
};

// All Resiliency documents whose scopes name the app, or none; merged by name, later ones over earlier. Only the first
// document of a file is read. One that cannot be used is left out as a whole, with a warning that says why; documents
// that do not parse are load_resources' to name. Never fails: Dapr starts without a resource that is broken.
LoadedResiliency load_resiliency(const ResourceFiles& files, std::string_view app_id);

}  // namespace holdfast::config
