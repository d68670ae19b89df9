// What is wrong with one component beyond the shape of its document. Internal to the folder.
#pragma once

#include <string>

#include "config/check_report.h"
#include "config/yaml.h"

namespace holdfast::config {

// What the other files have to be compared with.
struct ComponentFacts {
  std::string name;
  std::string name_space;
  std::string type;
  int line = 0;              // of its name
  std::string secret_store;  // that secretKeyRef asks; empty: no secret is asked for
  int secret_store_line = 0;
};

// `root` is a document of kind Component.
ComponentFacts check_component(const YamlNode& root, const KnownTypes& known, Report& report);

}  // namespace holdfast::config
