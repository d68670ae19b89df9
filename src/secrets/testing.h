// Components for the tests of this folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "state/component.h"

namespace holdfast::secrets {

inline state::Component component_of(std::string type, std::vector<std::pair<std::string, std::string>> properties = {},
                                     std::string name = "vault") {
  state::Component component;
  component.name = std::move(name);
  component.type = std::move(type);
  component.version = "v1";
  component.properties = std::move(properties);
  component.file = "vault.yaml";
  component.line = 1;
  return component;
}

}  // namespace holdfast::secrets
