// Queries in RediSearch's language. Pure: every word of a value is escaped, every number printed as a number.
//
// An index covers the JSON documents whose keys are this store's; the component's queryIndexes name the paths. Values
// are compared as TEXT, TAG or NUMERIC fields, as the index says.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/query.h"

namespace holdfast::stores::redis {

struct SearchIndex {
  enum class Type : std::uint8_t { text, numeric, tag };
  struct Column {
    std::string path;  // dotted, into the value: "person.org"
    Type type = Type::text;
    friend bool operator==(const Column&, const Column&) = default;
  };
  std::string name;
  std::vector<Column> columns;
  friend bool operator==(const SearchIndex&, const SearchIndex&) = default;
};

// How a column is named in the schema that Dapr makes: its type, its number and where in a document it stands.
std::string_view name_of(SearchIndex::Type type);
std::string name_of(std::size_t column);
std::string path_of(const SearchIndex::Column& column);

// The component's queryIndexes: [{"name":..., "indexes":[{"key":..., "type":"TEXT|NUMERIC|TAG"}]}]. Empty text: none.
// Errc::invalid_argument names what is wrong.
Result<std::vector<SearchIndex>> parse_search_indexes(std::string_view json);

// Appends FT.CREATE: the same schema as Dapr makes ($.data.<path> AS var<i> <TYPE> SORTABLE), so either may make it.
void append_create_index(std::string& out, const SearchIndex& index);
// Appends FT.DROPINDEX, which leaves the documents.
void append_drop_index(std::string& out, std::string_view name);

// Appends FT.INFO. One reply: read_index_state().
void append_index_info(std::string& out, std::string_view name);

struct SearchCommand {
  std::string bytes;         // FT.SEARCH, one reply
  std::uint64_t offset = 0;  // of its first row
  std::uint32_t limit = 0;   // rows asked for
};

// The most rows of one page: a query without a limit is answered in pages of this size.
inline constexpr std::uint32_t kSearchRowsMax = 10'000;

// Errc::invalid_argument: a path that the index lacks, a value or an operator that its type cannot compare, more than
// one sort key, a token that is not one of ours. Rows carry $.data and $.version, so that they need no second trip.
Result<SearchCommand> compile_search(const SearchIndex& index, const state::Query& query);

// The index that a query asks, and how: the one that it names, else the first that can answer it. What none can answer
// is refused as compile_search() refuses it for the first one, a name that is not there with those that are.
struct SearchPlan {
  const SearchIndex* index = nullptr;  // of `indexes`
  SearchCommand command;
};
Result<SearchPlan> plan_search(std::span<const SearchIndex> indexes, const state::Query& query);

// The token of the page after `rows` rows of this one; empty when `total` says that there is none. Query::key_prefix is
// for the caller: the module knows no prefix of keys, so what has another is dropped from the page and still counted.
std::string search_token_after(const SearchCommand& command, std::size_t rows, std::uint64_t total);

}  // namespace holdfast::stores::redis
