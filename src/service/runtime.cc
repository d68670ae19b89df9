#include "service/runtime.h"

namespace holdfast::service {

void Runtime::set_components(std::vector<ComponentInfo> components) {
  const std::lock_guard lock(mutex_);
  components_ = std::move(components);
}

std::vector<ComponentInfo> Runtime::components() const {
  const std::lock_guard lock(mutex_);
  return components_;
}

void Runtime::set_features(std::vector<std::string> enabled) {
  const std::lock_guard lock(mutex_);
  features_ = std::move(enabled);
}

std::vector<std::string> Runtime::features() const {
  const std::lock_guard lock(mutex_);
  return features_;
}

void Runtime::set_resiliencies(std::vector<std::string> names) {
  const std::lock_guard lock(mutex_);
  resiliencies_ = std::move(names);
}

std::vector<std::string> Runtime::resiliencies() const {
  const std::lock_guard lock(mutex_);
  return resiliencies_;
}

void Runtime::set_extended(std::string key, std::string value) {
  const std::lock_guard lock(mutex_);
  extended_[std::move(key)] = std::move(value);
}

std::map<std::string, std::string> Runtime::extended() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> all = extended_;
  all["daprRuntimeVersion"] = version;
  return all;
}

}  // namespace holdfast::service
