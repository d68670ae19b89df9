#include "state/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/encoding.h"
#include "state/keys.h"
#include "wire/json/json.h"

namespace holdfast::state {
namespace {

using json::Array;
using json::Element;
using json::Object;
using Type = simdjson::dom::element_type;

struct OpName {
  std::string_view name;
  Filter::Op op;
};
// Case-sensitive, as in Dapr.
constexpr std::array<OpName, 9> kOpNames{{{"EQ", Filter::Op::eq},
                                          {"NEQ", Filter::Op::neq},
                                          {"GT", Filter::Op::gt},
                                          {"GTE", Filter::Op::gte},
                                          {"LT", Filter::Op::lt},
                                          {"LTE", Filter::Op::lte},
                                          {"IN", Filter::Op::in},
                                          {"AND", Filter::Op::all_of},
                                          {"OR", Filter::Op::any_of}}};

template <class... Args>
std::unexpected<Error> refuse(fmt::format_string<Args...> text, Args&&... args) {
  return fail(Errc::invalid_argument, fmt::format(text, std::forward<Args>(args)...));
}

std::unexpected<Error> wrong_type(Element value, std::string_view field, std::string_view go_type) {
  return refuse("json: cannot unmarshal {} into Go struct field {} of type {}", json::go_kind(value), field, go_type);
}

// As Go's %q prints it, for texts that hold no control characters but these.
std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return out + '"';
}

struct OnlyMember {
  std::string_view key;
  Element value;
};

// The member of an object that has one; the same name repeated counts once and the last value holds, as in a
// Go map. Nothing when there are others, or none.
std::optional<OnlyMember> only_member(Object object) {
  std::optional<OnlyMember> only;
  for (const auto& [key, value] : object) {
    if (only && only->key != key) return std::nullopt;
    only = OnlyMember{key, value};
  }
  return only;
}

std::optional<Scalar> to_scalar(Element value) {
  switch (value.type()) {
    case Type::STRING:
      return std::string(value.get_string().value_unsafe());
    case Type::INT64:
      return static_cast<double>(value.get_int64().value_unsafe());
    case Type::UINT64:
      return static_cast<double>(value.get_uint64().value_unsafe());
    case Type::DOUBLE:
      return value.get_double().value_unsafe();
    case Type::BOOL:
      return value.get_bool().value_unsafe();
    case Type::NULL_VALUE:
      return nullptr;
    default:
      return std::nullopt;
  }
}

class FilterParser {
 public:
  Result<Filter> parse(Element unit, std::size_t depth) {
    if (depth > kQueryDepthMax) return refuse("the filter is nested deeper than {} levels", kQueryDepthMax);
    if (++nodes_ > kQueryNodesMax) return refuse("the filter has more than {} operators", kQueryNodesMax);
    if (!unit.is_object()) return refuse("filter unit must be a map");
    const auto member = only_member(unit.get_object().value_unsafe());
    if (!member) return refuse("filter unit must have a single element");
    for (const auto& [name, op] : kOpNames) {
      if (name != member->key) continue;
      if (op == Filter::Op::all_of || op == Filter::Op::any_of) return combination(name, op, member->value, depth);
      return comparison(name, op, member->value);
    }
    return refuse("unsupported filter {}", in_quotes(member->key));
  }

 private:
  static Result<Filter> comparison(std::string_view name, Filter::Op op, Element operand) {
    if (!operand.is_object()) return refuse("{} filter must be a map", name);
    const auto member = only_member(operand.get_object().value_unsafe());
    if (!member) return refuse("{} filter must contain a single key/value pair", name);
    if (member->key.empty()) return refuse("{} filter must name a path", name);
    Filter filter;
    filter.op = op;
    filter.path = std::string(member->key);
    if (op != Filter::Op::in) {
      auto scalar = to_scalar(member->value);
      if (!scalar) return refuse("{} filter value must be a string, a number, a boolean or null", name);
      filter.values.push_back(std::move(*scalar));
      return filter;
    }
    if (!member->value.is_array()) return refuse("IN filter value must be an array");
    for (const Element item : member->value.get_array().value_unsafe()) {
      auto scalar = to_scalar(item);
      if (!scalar) return refuse("IN filter values must be strings, numbers, booleans or null");
      filter.values.push_back(std::move(*scalar));
    }
    if (filter.values.empty()) return refuse("empty IN operator for key {}", in_quotes(filter.path));
    return filter;
  }

  Result<Filter> combination(std::string_view name, Filter::Op op, Element operand, std::size_t depth) {
    if (!operand.is_array()) return refuse("{} filter must be an array", name);
    const Array units = operand.get_array().value_unsafe();
    if (units.size() < 2) return refuse("{} filter must contain at least two entries", name);
    Filter filter;
    filter.op = op;
    for (const Element unit : units) {
      auto child = parse(unit, depth + 1);
      if (!child) return child;
      filter.filters.push_back(std::move(*child));
    }
    return filter;
  }

  std::size_t nodes_ = 0;
};

// Reads a member that is text if it is there; null counts as absent, as in Go.
Status read_text(Object object, std::string_view name, std::string_view field, std::string& out) {
  Element value;
  if (!json::find_member(object, name, value) || value.is_null()) return {};
  if (!value.is_string()) return wrong_type(value, field, "string");
  out = std::string(value.get_string().value_unsafe());
  return {};
}

Status read_filter(Object root, Query& query) {
  Element value;
  if (!json::find_member(root, "filter", value) || value.is_null()) return {};
  if (!value.is_object()) return wrong_type(value, "QueryFields.filter", "map[string]interface {}");
  if (value.get_object().value_unsafe().size() == 0) return {};
  auto filter = FilterParser().parse(value, 1);
  if (!filter) return fail(std::move(filter.error()));
  query.filter.push_back(std::move(*filter));
  return {};
}

Status read_sort(Object root, Query& query) {
  Element value;
  if (!json::find_member(root, "sort", value) || value.is_null()) return {};
  if (!value.is_array()) return wrong_type(value, "QueryFields.sort", "[]query.Sorting");
  for (const Element item : value.get_array().value_unsafe()) {
    if (!item.is_object()) return wrong_type(item, "QueryFields.sort", "query.Sorting");
    const Object object = item.get_object().value_unsafe();
    Sort sort;
    std::string order;
    if (auto read = read_text(object, "key", "Sorting.sort.key", sort.path); !read) return read;
    if (auto read = read_text(object, "order", "Sorting.sort.order", order); !read) return read;
    if (sort.path.empty()) return refuse("sort must name a key");
    if (query.sort.size() == kQueryNodesMax) return refuse("the query has more than {} sort keys", kQueryNodesMax);
    sort.descending = iequals(order, "DESC");  // any other order is ascending, as in Dapr
    query.sort.push_back(std::move(sort));
  }
  return {};
}

Status read_page(Object root, Query& query) {
  Element value;
  if (!json::find_member(root, "page", value) || value.is_null()) return {};
  if (!value.is_object()) return wrong_type(value, "QueryFields.page", "query.Pagination");
  const Object page = value.get_object().value_unsafe();
  Element limit;
  if (json::find_member(page, "limit", limit) && !limit.is_null()) {
    if (!limit.is_int64()) return wrong_type(limit, "Pagination.page.limit", "int");
    constexpr std::int64_t kLimitMax = std::numeric_limits<std::uint32_t>::max();
    query.limit = static_cast<std::uint32_t>(std::clamp<std::int64_t>(limit.get_int64().value_unsafe(), 0, kLimitMax));
  }
  return read_text(page, "token", "Pagination.page.token", query.token);
}

}  // namespace

std::string_view sign_of(Filter::Op op) {
  switch (op) {
    case Filter::Op::gt:
      return ">";
    case Filter::Op::gte:
      return ">=";
    case Filter::Op::lt:
      return "<";
    default:
      return "<=";
  }
}

Result<Query> parse_query(std::string_view json) {
  json::Parser parser;
  const auto root = parser.parse(json, json::Reading::whole_text);
  if (!root) return fail(root.error());
  Query query;
  if (root->is_null()) return query;
  if (!root->is_object())
    return refuse("json: cannot unmarshal {} into Go value of type query.QueryFields", json::go_kind(*root));
  const Object object = root->get_object().value_unsafe();
  for (const auto read : {read_filter, read_sort, read_page})
    if (auto done = read(object, query); !done) return fail(std::move(done.error()));
  return query;
}

bool Query::covers(std::string_view key) const {
  if (!key.starts_with(key_prefix)) return false;
  return !own_bytes || is_listable(key, *own_bytes, hides_isolated);
}

}  // namespace holdfast::state
