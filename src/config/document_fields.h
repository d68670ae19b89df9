// The fields of Dapr's documents, as tables: what `holdfast check` compares a document with and what the JSON Schema
// is made from. What stands in spec.metadata of a component is of its type (config/known_types.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::config {

enum class FieldKind : std::uint8_t {
  object,       // the fields below it are all there are
  map,          // names of the user's own, each with what is at "*"
  list,         // items are at "[]"
  text,         // any scalar
  boolean,      // true, false, and Dapr's other words for them
  integer,      // of 64 bits
  go_duration,  // of Go, more than zero: 1m30s
  duration,     // of Go, or a whole number of milliseconds
  any,          // not looked into
};

struct DocumentField {
  std::string_view path;  // "spec.metadata[].name"; empty: the document
  FieldKind kind = FieldKind::text;
  std::string_view help = "";
  bool required = false;
  std::string_view choices = "";  // as of state::Setting
};

// The kinds of documents that are read; and those that Dapr reads from the same directories and that have no part in
// keeping state.
std::span<const std::string_view> document_kinds();
std::span<const std::string_view> foreign_kinds();

// Of one of document_kinds(), each field before those below it; empty for any other kind.
std::span<const DocumentField> document_fields(std::string_view kind);

// The field at exactly that path; null when there is none.
const DocumentField* find_field(std::span<const DocumentField> fields, std::string_view path);

// "spec.metadata[].name" is "name" in "spec.metadata[]"; an item is "[]" in its list, and a map's value "*".
struct PathEnd {
  std::string_view parent;
  std::string_view name;
};
PathEnd split_path(std::string_view path);

// What the text of such a scalar has to be, such as "must be true or false"; empty when it is. Of kinds that are no
// scalars nothing is said.
std::string objection_to(const DocumentField& field, std::string_view text);

// One of Dapr's words for true, or one of those for false: y yes true t on 1, n no false f off 0, or nothing.
bool is_boolean_word(std::string_view text);

}  // namespace holdfast::config
