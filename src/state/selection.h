// Dapr's queries over values that were read: what a store without queries of its own, or an index, gives. Pure: text
// in, rows out.
//
// A comparison is between equals: numbers with numbers, strings with strings (bytewise). NEQ is the
// opposite of EQ, so it holds where the path is absent. Sorting puts absent and null first, then
// false, true, numbers, strings, and the rest; equal rows are in key order. A token holds the place
// of the last row, not its number, so rows that come and go between pages move no others.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "state/query.h"
#include "state/store.h"
#include "wire/json/json.h"

namespace holdfast::state {

bool matches(const Filter& filter, json::Element value);

// Where a row stands in the order of a query.
struct Place {
  struct Other {
    friend auto operator<=>(const Other&, const Other&) = default;
  };
  // Absent or null, a boolean, a number, a string, an object or array.
  using Key = std::variant<std::monostate, bool, double, std::string, Other>;
  std::vector<Key> keys;  // one per sort
  std::string key;        // the record's
};

// Picks the rows of one page: those after the token, the first `limit` in the query's order.
class Selection {
 public:
  // Errc::invalid_argument when the token is not one of this query's. `query` outlives the
  // selection.
  static Result<Selection> begin(const Query& query);

  // Takes the record if its value is JSON that the query selects.
  void offer(ListedRecord&& record);
  // Whether nothing that has a greater key can still matter.
  bool is_full() const;
  QueryPage finish() &&;

 private:
  explicit Selection(const Query& query) : query_(&query) {}
  struct Row {
    Place place;
    ListedRecord record;
  };
  bool before(const Place& a, const Place& b) const;
  Place place_of(std::string_view key, json::Element value) const;
  std::string token_of(const Place& place) const;
  // Drops rows beyond the page, so that a page costs memory for its rows and not for all that
  // match.
  void trim();

  const Query* query_;
  std::optional<Place> after_;
  std::vector<Row> rows_;
  json::Parser parser_;
};

}  // namespace holdfast::state
