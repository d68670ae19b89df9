// The replies of the search module, which differ between RESP2 and RESP3.
#include <fmt/format.h>

#include "stores/redis/document.h"
#include "stores/redis/mapping.h"

namespace holdfast::stores::redis {
namespace {

using resp::Kind;
using resp::Value;

constexpr std::string_view kDoing = "run a query";

std::unexpected<Error> refused(const Place& place, Value reply) {
  return fail(reply.kind() == Kind::error ? describe(place, kDoing, reply.text()) : describe_nonsense(place, kDoing));
}

// The value that stands behind `name` in a map, or in the flat list that RESP2 has in its place.
Value member(Value pairs, std::string_view name) {
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
    if (pairs[i].text() == name) return pairs[i + 1];
  return pairs[pairs.size()];  // a null
}

// A hit without data or version is a document of somebody else, or has gone since it was found.
void add_hit(Found& found, Value key, Value fields) {
  ++found.rows;
  const auto data = only_element(member(fields, kDataPath).text());
  const auto version = only_element(member(fields, kVersionPath).text());
  if (!data || !version) return;
  state::ListedRecord item;
  item.key = key.text();
  item.record.value = *data;
  item.record.shape = state::Shape::json;
  item.record.etag = *version;
  found.items.push_back(std::move(item));
}

bool is_column(Value attribute, const SearchIndex::Column& column, std::size_t number) {
  // RESP2's list ends in words without a value; what we look for stands before them.
  return member(attribute, "identifier").text() == path_of(column) &&
         member(attribute, "attribute").text() == name_of(number) &&
         member(attribute, "type").text() == name_of(column.type);
}

bool is_over_documents_of(const SearchIndex& index, Value info) {
  const Value columns = member(info, "attributes");
  if (member(member(info, "index_definition"), "key_type").text() != "JSON" || columns.size() != index.columns.size())
    return false;
  for (std::size_t i = 0; i < index.columns.size(); ++i)
    if (!is_column(columns[i], index.columns[i], i)) return false;
  return true;
}

}  // namespace

Result<IndexState> read_index_state(const Place& place, const SearchIndex& index, Value reply) {
  if (reply.kind() == Kind::error) {
    if (trouble_of(reply.text()) == Trouble::unknown_index) return IndexState::absent;
    return fail(describe(place, fmt::format("look at the search index \"{}\"", index.name), reply.text()));
  }
  const Value filling = member(reply, "indexing");
  if (filling.kind() == Kind::null) return fail(describe_nonsense(place, "look at a search index"));
  if (!is_over_documents_of(index, reply)) return IndexState::different;
  const bool is_filling = filling.kind() == Kind::integer ? filling.integer() != 0 : filling.text() != "0";
  return is_filling ? IndexState::filling : IndexState::ready;
}

Result<Found> read_search(const Place& place, Value reply) {
  Found found;
  if (reply.kind() == Kind::map) {
    const Value total = member(reply, "total_results");
    const Value results = member(reply, "results");
    if (total.kind() != Kind::integer || results.kind() != Kind::array) return refused(place, reply);
    found.total = static_cast<std::uint64_t>(total.integer());
    for (const Value hit : results) add_hit(found, member(hit, "id"), member(hit, "extra_attributes"));
    return found;
  }
  if (reply.kind() != Kind::array || reply[0].kind() != Kind::integer || reply.size() % 2 == 0)
    return refused(place, reply);
  found.total = static_cast<std::uint64_t>(reply[0].integer());
  for (std::size_t i = 1; i + 1 < reply.size(); i += 2) add_hit(found, reply[i], reply[i + 1]);
  return found;
}

}  // namespace holdfast::stores::redis
