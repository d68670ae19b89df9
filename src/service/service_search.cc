// Queries of v2: by an index entry, by the store's own queries, or by reading record after record where the caller has
// asked for that.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "service/cursor.h"
#include "service/service.h"
#include "state/pairs.h"
#include "state/selection.h"

namespace holdfast::service {

using namespace state;

namespace {

constexpr std::uint32_t kStepRecords = 100;

// What the records are looked for among, as a store is asked.
struct Ground {
  StateStore& store;
  const CallContext& context;
  const Clock& clock;
  std::string prefix;
  std::size_t own_bytes = 0;
  bool hides_isolated = false;

  ListRequest page_from(std::string_view cursor) const {
    return {.prefix = prefix,
            .own_bytes = own_bytes,
            .cursor = cursor,
            .limit = kStepRecords,
            .want_values = true,
            .want_fields = true,
            .hides_isolated = hides_isolated};
  }
  Status check_going_on() const {
    if (context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller gave up while records were read");
    if (clock.steady() > context.deadline)
      return fail(Errc::deadline_exceeded, "the time was up while records were read; ask for less");
    return {};
  }
};

bool has_all(const Pairs& pairs, const Pairs& wanted) {
  return std::ranges::all_of(wanted,
                             [&pairs](const auto& pair) { return std::ranges::find(pairs, pair) != pairs.end(); });
}

bool carries(const Record& record, const SearchRequest& request) {
  if (request.tags.empty() && request.indexes.empty()) return true;
  return record.fields && has_all(record.fields->tags, request.tags) &&
         has_all(record.fields->indexes, request.indexes);
}

std::unexpected<Error> too_many() {
  return fail(Errc::unsupported,
              fmt::format("more than {} records carry the index entry, and the query would have to read them all; "
                          "restrict it by a prefix or another entry, or say scan: true",
                          kSearchedMax));
}

// The page of the query among what `next(cursor)` gives, a ListPage at a time.
template <class Next>
Task<Result<QueryPage>> pick(const Ground& ground, const SearchRequest& request, Next next) {
  auto selection = Selection::begin(request.query);
  if (!selection) co_return fail(std::move(selection.error()));
  const bool is_ordered = ground.store.capabilities().ordered_list;
  std::unordered_set<std::string> seen;  // where a listing may show a key twice
  std::string cursor;
  std::size_t read = 0;
  do {
    if (auto going_on = ground.check_going_on(); !going_on) co_return fail(std::move(going_on.error()));
    Result<ListPage> page = co_await next(cursor);
    if (!page) co_return fail(std::move(page.error()));
    read += page->items.size();
    for (ListedRecord& item : page->items)
      if (carries(item.record, request) && (is_ordered || seen.insert(item.key).second))
        selection->offer(std::move(item));
    cursor = std::move(page->cursor);
    if (is_ordered && selection->is_full()) break;
    if (!request.may_scan && read >= kSearchedMax && !cursor.empty()) co_return too_many();
  } while (!cursor.empty());
  co_return std::move(*selection).finish();
}

Task<Result<QueryPage>> by_index(const Ground& ground, const SearchRequest& request) {
  const auto& [name, value] = request.indexes.front();
  return pick(ground, request, [&ground, &name, &value](const std::string& cursor) {
    return ground.store.find(ground.context, {name, value, ground.page_from(cursor)});
  });
}

Task<Result<QueryPage>> by_reading(const Ground& ground, const SearchRequest& request) {
  return pick(ground, request, [&ground](const std::string& cursor) {
    return ground.store.list(ground.context, ground.page_from(cursor));
  });
}

// The record fields of a page that came without. Of a record that was written since they are not the ones.
Task<Status> add_fields(const Ground& ground, QueryPage& page) {
  const bool has_some = std::ranges::any_of(page.items, [](const auto& item) { return bool(item.record.fields); });
  if (page.items.empty() || has_some || !ground.store.capabilities().record_fields) co_return Status();
  std::vector<GetRequest> requests;
  for (const ListedRecord& item : page.items)
    requests.push_back({.key = item.key, .want_value = false, .want_fields = true});
  auto records = co_await ground.store.get_many(ground.context, requests);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!records[i]) co_return fail(std::move(records[i].error()));
    Record& record = page.items[i].record;
    if (*records[i] && (*records[i])->etag == record.etag) record.fields = std::move((*records[i])->fields);
  }
  co_return Status();
}

// What the store's own queries find, without those that lack a tag or an entry: a page may then be short, and not the
// last.
Task<Result<QueryPage>> by_engine(const Ground& ground, const SearchRequest& request) {
  Query query = request.query;
  query.want_fields = true;
  QueryPage out;
  std::size_t read = 0;
  do {
    if (auto going_on = ground.check_going_on(); !going_on) co_return fail(std::move(going_on.error()));
    query.limit = request.query.limit - static_cast<std::uint32_t>(out.items.size());
    auto page = co_await ground.store.query(ground.context, query);
    if (!page) co_return fail(std::move(page.error()));
    if (auto added = co_await add_fields(ground, *page); !added) co_return fail(std::move(added.error()));
    read += std::max<std::size_t>(page->items.size(), 1);
    for (ListedRecord& item : page->items)
      if (carries(item.record, request)) out.items.push_back(std::move(item));
    out.token = query.token = std::move(page->token);
  } while (!out.token.empty() && out.items.size() < request.query.limit && read < kSearchedMax);
  co_return out;
}

std::unexpected<Error> refused(const StoreEntry& entry, std::string_view why) {
  const Capabilities& can = entry.store->capabilities();
  std::string advice;
  if (can.secondary_index) advice = "restrict it by an index entry (indexes), which is looked up";
  if (can.list)
    advice += std::string(advice.empty() ? "" : ", or ") + "say scan: true to have the records read one after another";
  return fail(Errc::unsupported, fmt::format("state store {} cannot answer this query: {}{}{}", entry.name, why,
                                             advice.empty() ? "" : ". What helps: ", advice));
}

Task<Result<QueryPage>> answer(const StoreEntry& entry, const Ground& ground, const SearchRequest& request) {
  const Capabilities& can = entry.store->capabilities();
  if (can.secondary_index && !request.indexes.empty()) co_return co_await by_index(ground, request);
  const bool may_read = request.may_scan && can.list;
  if (can.query) {
    auto page = co_await by_engine(ground, request);
    if (page || page.error().code != Errc::unsupported) co_return page;
    if (!may_read) co_return refused(entry, page.error().message);
  }
  if (!may_read) co_return refused(entry, "it has no queries of its own, and no index that would lead to the records");
  co_return co_await by_reading(ground, request);
}

// What a token is bound to, beside the store and the isolation key.
std::string identity_of(const SearchRequest& request, std::string_view reach) {
  std::string text = "query:";
  for (const std::string& part :
       {std::string(reach), request.text, encode_pairs(request.tags), encode_pairs(request.indexes)})
    text += fmt::format("{}:{}", part.size(), part);
  return text;
}

}  // namespace

Task<Result<QueryPage>> Service::search(Call call, SearchRequest request) {
  const auto scope = Scope::enter(call.entry, call.context, {Right::get, Right::list});
  if (!scope) co_return fail(scope.error());
  const auto reach = scope->reach(request.query.key_prefix);
  if (!reach) co_return fail(reach.error());
  if (auto level = choose_level(call, false); !level) co_return fail(level.error());
  if (!request.tags.empty() && !call.entry.store->capabilities().record_fields)
    co_return fail(Errc::unsupported, fmt::format("state store {} keeps no tags", call.entry.name));
  const std::string identity = identity_of(request, *reach);
  const CursorScope of{call.entry.name, scope->isolation(), identity};
  if (!request.query.token.empty()) {
    auto position = open_cursor(request.query.token, of, clock_.wall());
    if (!position) co_return fail(std::move(position.error()));
    request.query.token = std::move(*position);
  }
  const Ground ground{*call.entry.store,         call.context,       clock_,
                      scope->stored_key(*reach), scope->own_bytes(), scope->hides_isolated()};
  request.query.key_prefix = ground.prefix;
  request.query.own_bytes = ground.own_bytes;
  request.query.hides_isolated = ground.hides_isolated;
  auto page = co_await answer(call.entry, ground, request);
  if (!page) co_return page;
  for (ListedRecord& item : page->items) item.key.erase(0, ground.own_bytes);
  if (!page->token.empty()) page->token = seal_cursor(of, clock_.wall(), page->token);
  co_return page;
}

}  // namespace holdfast::service
