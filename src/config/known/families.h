// Rows of types that are known and not built, by kind of server. Internal to the folder above. Names, kinds and
// defaults are Dapr's; what differs is said in the help.
#pragma once

#include <array>
#include <span>

#include "state/component.h"
#include "state/field_groups.h"

namespace holdfast::config::known {

using state::join;
using state::kAwsFields;
using state::kAzureFields;
using state::Setting;
using state::SettingKind;
using state::StoreType;

std::span<const StoreType> key_value_types();
std::span<const StoreType> sql_types();
std::span<const StoreType> document_types();
std::span<const StoreType> cloud_types();

}  // namespace holdfast::config::known
