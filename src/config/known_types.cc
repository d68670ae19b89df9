#include "config/known_types.h"

#include <algorithm>

#include "base/encoding.h"
#include "config/document.h"
#include "config/known/families.h"

namespace holdfast::config {
namespace {

bool is_same_row(const state::StoreType& a, const state::StoreType& b) {
  return iequals(a.type, b.type) && iequals(a.version, b.version);
}

std::vector<const state::StoreType*> with_planned(std::vector<const state::StoreType*> rows) {
  const std::size_t built = rows.size();
  for (const state::StoreType* planned : planned_types()) {
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(built);
    if (std::none_of(rows.begin(), end, [&](const state::StoreType* row) { return is_same_row(*row, *planned); }))
      rows.push_back(planned);
  }
  return rows;
}

}  // namespace

std::vector<const state::StoreType*> planned_types() {
  std::vector<const state::StoreType*> all;
  for (const auto family : {known::key_value_types(), known::sql_types(), known::document_types(), known::cloud_types()})
    for (const state::StoreType& row : family) all.push_back(&row);
  return all;
}

KnownTypes::KnownTypes(std::vector<const state::StoreType*> built)
    : built_(std::move(built)), all_(with_planned(built_)) {}

bool KnownTypes::is_built(const state::StoreType& row) const { return std::ranges::find(built_, &row) != built_.end(); }

std::vector<const state::StoreType*> KnownTypes::versions_of(std::string_view type) const {
  std::vector<const state::StoreType*> found;
  for (const state::StoreType* row : rows())
    if (iequals(row->type, type) || (!row->alias.empty() && iequals(row->alias, type))) found.push_back(row);
  std::ranges::sort(found, {}, [](const state::StoreType* row) { return version_word(*row); });
  return found;
}

std::vector<const state::Setting*> fields_of(const state::StoreType& row) {
  std::vector<const state::Setting*> fields;
  for (const state::Setting& setting : row.settings) fields.push_back(&setting);
  if (category_of(row.type) != Category::state) return fields;
  const std::size_t own = fields.size();
  for (const state::Setting& common : state::common_settings()) {
    const auto end = fields.begin() + static_cast<std::ptrdiff_t>(own);
    if (std::none_of(fields.begin(), end, [&](const auto* field) { return state::has_name(*field, common.name); }))
      fields.push_back(&common);
  }
  return fields;
}

std::string_view version_word(const state::StoreType& row) { return row.version.empty() ? "v1" : row.version; }

}  // namespace holdfast::config
