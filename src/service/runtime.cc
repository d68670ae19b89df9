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
