// The operations of the service that are about as many keys as there are: queries, listings, patterns, deletion by
// prefix.
#include <fmt/format.h>

#include "service/cursor.h"
#include "service/service.h"
#include "state/keys.h"

namespace holdfast::service {

using namespace state;

namespace {

// Of a LIKE pattern that is to mean `text` itself.
std::string like_literal(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// Where a listing begins: what a caller's cursor says, or at its beginning.
Result<std::string> position_of(std::string_view cursor, const CursorScope& of, WallTime now) {
  if (cursor.empty()) return std::string();
  return open_cursor(cursor, of, now);
}

}  // namespace

Task<Result<QueryPage>> Service::query(Call call, Query query) {
  const auto scope = Scope::enter(call.entry, call.context, {Right::get, Right::list});
  if (!scope) co_return fail(scope.error());
  if (!scope->is_narrow()) {
    auto page = co_await call.entry.store->query(call.context, query);
    if (page)
      for (ListedRecord& item : page->items) item.key = user_key(item.key);
    co_return page;
  }
  query.key_prefix = scope->stored_key(*scope->reach({}));
  query.own_bytes = scope->own_bytes();
  query.hides_isolated = scope->hides_isolated();
  auto page = co_await call.entry.store->query(call.context, query);
  // A store whose search knows no keys drops rows of others from its pages; an empty page would read as the last one.
  while (page && page->items.empty() && !page->token.empty()) {
    query.token = std::move(page->token);
    page = co_await call.entry.store->query(call.context, query);
  }
  if (page)
    for (ListedRecord& item : page->items) item.key.erase(0, *query.own_bytes);
  co_return page;
}

Task<Result<Listing>> Service::list(Call call, ListRequest request) { return page(call, request, std::nullopt); }

Task<Result<Listing>> Service::find(Call call, FindRequest request) {
  return page(call, request.of, IndexEntry{request.name, request.value});
}

Task<Result<Listing>> Service::page(Call call, ListRequest request, std::optional<IndexEntry> entry) {
  const auto scope =
      Scope::enter(call.entry, call.context, request.want_values ? Rights{Right::get, Right::list} : Right::list);
  if (!scope) co_return fail(scope.error());
  const auto reach = scope->reach(request.prefix);
  if (!reach) co_return fail(reach.error());
  if (entry && !call.entry.store->capabilities().secondary_index)
    co_return fail(Errc::unsupported, fmt::format("state store {} does not look up by index entries", call.entry.name));
  if (auto level = choose_level(call, false); !level) co_return fail(level.error());
  std::string listing(*reach);
  if (entry)
    listing =
        fmt::format("index:{}:{}{}:{}{}", entry->name.size(), entry->name, entry->value.size(), entry->value, *reach);
  const CursorScope of{call.entry.name, scope->isolation(), listing};
  const std::string prefix = scope->stored_key(*reach);
  const auto position = position_of(request.cursor, of, clock_.wall());
  if (!position) co_return fail(position.error());
  request.prefix = prefix;
  request.own_bytes = scope->own_bytes();
  request.hides_isolated = scope->hides_isolated();
  request.cursor = *position;
  auto page = entry ? co_await call.entry.store->find(call.context, {entry->name, entry->value, request})
                    : co_await call.entry.store->list(call.context, request);
  if (!page) co_return fail(page.error());
  Listing out{std::move(page->items), {}};
  for (ListedRecord& item : out.items) item.key.erase(0, request.own_bytes);
  if (!page->cursor.empty()) out.cursor = seal_cursor(of, clock_.wall(), page->cursor);
  co_return out;
}

Task<Result<std::uint64_t>> Service::erase_prefix(Call call, std::string_view prefix) {
  const auto scope = Scope::enter(call.entry, call.context, Right::erase);
  if (!scope) co_return fail(scope.error());
  const auto reach = scope->reach(prefix);
  if (!reach) co_return fail(reach.error());
  if (call.context.is_cancelled()) co_return fail(Errc::deadline_exceeded, "the caller has gone");
  if (!call.entry.store->capabilities().delete_prefix)
    co_return fail(Errc::unsupported, fmt::format("state store {} cannot delete by prefix", call.entry.name));
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  const std::string stored = scope->stored_key(*reach);
  auto erased = co_await call.entry.store->erase_prefix(
      call.context, {.prefix = stored, .own_bytes = scope->own_bytes(), .hides_isolated = scope->hides_isolated()});
  if (!erased) co_return fail(scope->in_callers_words(std::move(erased.error())));
  co_return erased;
}

Task<Result<KeyPage>> Service::keys_like(Call call, LikeRequest request) {
  const auto scope = Scope::enter(call.entry, call.context, Right::list);
  if (!scope) co_return fail(scope.error());
  if (!call.entry.store->capabilities().keys_like)
    co_return fail(Errc::unsupported, fmt::format("state store {} cannot list keys by a pattern", call.entry.name));
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "the pattern is empty");
  if (auto ok = scope->check_key(LikePattern(request.pattern).literal_prefix()); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, false); !level) co_return fail(level.error());
  const std::string pattern = like_literal(scope->own_prefix()) + std::string(request.pattern);
  const std::string listing = "like:" + std::string(request.pattern);
  const CursorScope of{call.entry.name, scope->isolation(), listing};
  const auto position = position_of(request.cursor, of, clock_.wall());
  if (!position) co_return fail(position.error());
  request.pattern = pattern;
  request.cursor = *position;
  request.own_bytes = scope->own_bytes();
  request.hides_isolated = scope->hides_isolated();
  auto page = co_await call.entry.store->keys_like(call.context, request);
  if (!page) co_return fail(page.error());
  for (std::string& key : page->keys) key.erase(0, *request.own_bytes);
  if (!page->cursor.empty()) page->cursor = seal_cursor(of, clock_.wall(), page->cursor);
  co_return page;
}

}  // namespace holdfast::service
