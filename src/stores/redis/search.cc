// The replies of the search module, which differ between RESP2 and RESP3.
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

}  // namespace

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
