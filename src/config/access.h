// Internal to the folder: what the loader asks about names in access rules.
#pragma once

#include <string_view>

namespace holdfast::config {

// Whether "state" and "v1" name a group of gRPC methods.
bool is_grpc_group(std::string_view name, std::string_view version);

}  // namespace holdfast::config
