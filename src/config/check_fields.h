// A document against the table of its kind's fields: strangers, what is missing, values of the wrong kind. Internal
// to the folder.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/check_report.h"
#include "config/document_fields.h"
#include "config/yaml.h"

namespace holdfast::config {

// What is to be said of a member that is no field of `parent` (a path of the table); nothing: the usual.
using ExplainStranger = std::function<std::optional<std::string>(std::string_view parent, std::string_view name)>;

void check_fields(const YamlNode& root, std::span<const DocumentField> fields, const ExplainStranger& explain,
                  Report& report);

}  // namespace holdfast::config
