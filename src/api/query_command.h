// A query of v2 as its text, HTTP's body or gRPC's field, says it, and the part of a value that it asks for. Pure.
// Every error is Errc::invalid_argument and names the member that is wrong. doc/query.md has the grammar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "state/query.h"
#include "state/store.h"

namespace holdfast::api {

inline constexpr std::size_t kQueryFieldsMax = 64;

// Which members of a JSON value are wanted: paths as in a query, "person.name". Nothing in it: all.
class Projection {
 public:
  // An empty path, or part of one; more than kQueryFieldsMax; one deeper than state::kQueryDepthMax.
  static Result<Projection> of(const std::vector<std::string>& paths);

  bool is_everything() const { return root_.members.empty(); }
  // JSON text with what is there of the wanted members, in the order and with the bytes that they have; {} when there
  // is none. Of a name that an object has twice, the first counts, as in filters.
  std::string of_value(std::string_view json) const;

 private:
  struct Node {
    std::string name;
    bool is_whole = false;
    std::vector<Node> members;
  };
  static bool append(std::string& out, std::string_view json, const Node& node);
  Node root_;
};

struct QueryCommand {
  state::Query query;  // filter, sort, limit, token
  std::string text;    // filter and sort as they were written
  std::string prefix;
  state::Pairs tags;
  state::Pairs indexes;
  Projection fields;
  bool may_scan = false;
};

// {"filter":...,"sort":...}: what Dapr's query has, without its page.
Status read_query(std::string_view json, QueryCommand& out);
// The same with "page", "prefix", "tags", "indexes", "fields", "scan".
Result<QueryCommand> read_query_body(std::string_view body);

}  // namespace holdfast::api
