// Every type that a component file may name: those this version has built, and what is known of the others, so that
// a file can be checked and completed before its store is here.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::config {

// Dapr's state stores that are planned: rows as a built store has them, but
// without prepare(). The row of a type that is built is its own; when a store is built, its row here is removed.
std::vector<const state::StoreType*> planned_types();

// Immutable; refers to rows, which are static.
class KnownTypes {
 public:
  // `built` are this program's rows; a planned row of the same type and version gives way to one.
  explicit KnownTypes(std::vector<const state::StoreType*> built);

  // As state::Registry::find. A type is found by its alias and in any case.
  Result<const state::StoreType*> find(std::string_view type, std::string_view version) const {
    return all_.find(type, version);
  }
  bool is_built(const state::StoreType& row) const;
  // Built ones first.
  std::span<const state::StoreType* const> rows() const { return all_.types(); }
  // The rows of one type, by its name or alias: one for each version. Empty when there is no such type.
  std::vector<const state::StoreType*> versions_of(std::string_view type) const;

 private:
  std::vector<const state::StoreType*> built_;
  state::Registry all_;
};

// What a component of that type may say: the fields of its own, then for a state store those of every component,
// except where a field of its own has the name (Cassandra's `consistency`).
std::vector<const state::Setting*> fields_of(const state::StoreType& row);

// "v1", "v2": the word for the version of a row that names none is "v1", as Dapr reads it.
std::string_view version_word(const state::StoreType& row);

}  // namespace holdfast::config
