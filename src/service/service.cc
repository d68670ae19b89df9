#include "service/service.h"

#include <fmt/format.h>

#include "service/cursor.h"
#include "state/keys.h"

namespace holdfast::service {

using namespace state;

namespace {

// "the key is N bytes; STORE takes at most M".
Status within(std::string_view what, std::size_t bytes, std::uint64_t limit, const StoreEntry& entry) {
  if (limit == 0 || bytes <= limit) return {};
  return fail(Errc::invalid_argument,
              fmt::format("the {} is {} bytes; state store {} takes at most {}", what, bytes, entry.name, limit));
}

// Stores name the stored key in their messages; callers know it without the prefix that mapping put in front.
std::unexpected<Error> in_callers_words(Error error, const StoreEntry& entry) {
  if (!entry.key_prefix.empty())
    for (std::size_t at = error.message.find(entry.key_prefix); at != std::string::npos;
         at = error.message.find(entry.key_prefix, at))
      error.message.erase(at, entry.key_prefix.size());
  return fail(std::move(error));
}

template <class T>
std::vector<Result<T>> in_callers_words(std::vector<Result<T>> results, const StoreEntry& entry) {
  for (Result<T>& result : results)
    if (!result) result = in_callers_words(std::move(result.error()), entry);
  return results;
}

template <class T>
std::vector<Result<T>> all_failed(std::size_t count, const Error& error) {
  return std::vector<Result<T>>(count, fail(error));
}

}  // namespace

Status Service::check_key(std::string_view key) {
  if (key.find(kKeySeparator) == std::string_view::npos) return {};
  return fail(Errc::invalid_argument, fmt::format("input key/keyPrefix '{}' can't contain '||'", key));
}

std::string Service::stored_key(const StoreEntry& entry, std::string_view key) {
  std::string stored;
  stored.reserve(entry.key_prefix.size() + key.size());
  stored += entry.key_prefix;
  stored += key;
  return stored;
}

std::string Service::user_key(std::string_view stored) {
  const std::size_t first = stored.find(kKeySeparator);
  if (first == std::string_view::npos) return std::string(stored);
  const std::string_view rest = stored.substr(first + kKeySeparator.size());
  return std::string(rest.substr(0, rest.find(kKeySeparator)));
}

Result<Consistency> Service::served_level(const StoreEntry& entry, Consistency asked, bool write) {
  if (asked == Consistency::unspecified) asked = entry.consistency;
  const Capabilities& can = entry.store->capabilities();
  const Consistency served = (write ? can.writes : can.reads)[static_cast<std::size_t>(asked)];
  if (served == Consistency::unspecified && asked != Consistency::unspecified)
    return fail(Errc::unsupported, fmt::format("state store {} cannot keep consistency {}", entry.name, name_of(asked)));
  return served;
}

Status Service::choose_level(Call& call, bool write) {
  if (call.context.consistency == Consistency::unspecified) call.context.consistency = call.entry.consistency;
  if (auto level = served_level(call.entry, call.context.consistency, write); !level) return fail(level.error());
  return {};
}

Status Service::admit(const Call& call, std::string_view stored, std::size_t value_bytes) const {
  if (call.context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller has gone");
  const Capabilities& can = call.entry.store->capabilities();
  if (auto ok = within("key", stored.size(), can.key_bytes_max, call.entry); !ok) return ok;
  return within("value", value_bytes, can.value_bytes_max, call.entry);
}

Status Service::admit_write(const Call& call, std::string_view stored, const SetRequest& request) const {
  if (auto ok = admit(call, stored, request.value.size()); !ok) return ok;
  const Capabilities& can = call.entry.store->capabilities();
  if (request.when.kind != Precondition::Kind::any && !can.etag)
    return fail(Errc::unsupported, fmt::format("state store {} has no conditional writes", call.entry.name));
  if (request.ttl && !can.ttl)
    return fail(Errc::unsupported, fmt::format("state store {} has no expiry", call.entry.name));
  return {};
}

Task<Result<std::optional<Record>>> Service::get(Call call, GetRequest request) {
  const std::string stored = stored_key(call.entry, request.key);
  if (auto ok = admit(call, stored, 0); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, false); !level) co_return fail(level.error());
  request.key = stored;
  co_return co_await call.entry.store->get(call.context, request);
}

Task<std::vector<Result<std::optional<Record>>>> Service::get_many(Call call, std::span<const GetRequest> requests) {
  if (auto level = choose_level(call, false); !level)
    co_return all_failed<std::optional<Record>>(requests.size(), level.error());
  std::vector<std::string> keys;
  std::vector<GetRequest> mapped(requests.begin(), requests.end());
  keys.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i)
    mapped[i].key = keys.emplace_back(stored_key(call.entry, requests[i].key));
  co_return in_callers_words(co_await call.entry.store->get_many(call.context, mapped), call.entry);
}

Task<Result<Written>> Service::set(Call call, SetRequest request) {
  const std::string stored = stored_key(call.entry, request.key);
  if (auto ok = admit_write(call, stored, request); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  request.key = stored;
  auto written = co_await call.entry.store->set(call.context, request);
  if (!written) co_return in_callers_words(std::move(written.error()), call.entry);
  co_return written;
}

// Items that are not admitted fail alone; the others go to the store in one call.
Task<std::vector<Result<Written>>> Service::set_many(Call call, std::span<const SetRequest> requests) {
  if (auto level = choose_level(call, true); !level) co_return all_failed<Written>(requests.size(), level.error());
  std::vector<std::optional<Result<Written>>> results(requests.size());
  std::vector<std::string> keys(requests.size());
  std::vector<SetRequest> admitted;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    keys[i] = stored_key(call.entry, requests[i].key);
    if (auto ok = admit_write(call, keys[i], requests[i]); !ok) {
      results[i].emplace(fail(ok.error()));
      continue;
    }
    admitted.push_back(requests[i]);
    admitted.back().key = keys[i];
    places.push_back(i);
  }
  auto written = in_callers_words(co_await call.entry.store->set_many(call.context, admitted), call.entry);
  for (std::size_t i = 0; i < places.size(); ++i) results[places[i]].emplace(std::move(written[i]));
  std::vector<Result<Written>> out;
  out.reserve(results.size());
  for (auto& result : results) out.push_back(std::move(*result));
  co_return out;
}

Task<Result<Deleted>> Service::erase(Call call, DeleteRequest request) {
  const std::string stored = stored_key(call.entry, request.key);
  if (auto ok = admit(call, stored, 0); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  request.key = stored;
  auto deleted = co_await call.entry.store->erase(call.context, request);
  if (!deleted) co_return in_callers_words(std::move(deleted.error()), call.entry);
  co_return deleted;
}

Task<std::vector<Result<Deleted>>> Service::erase_many(Call call, std::span<const DeleteRequest> requests) {
  if (auto level = choose_level(call, true); !level) co_return all_failed<Deleted>(requests.size(), level.error());
  std::vector<std::string> keys;
  std::vector<DeleteRequest> mapped(requests.begin(), requests.end());
  keys.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i)
    mapped[i].key = keys.emplace_back(stored_key(call.entry, requests[i].key));
  co_return in_callers_words(co_await call.entry.store->erase_many(call.context, mapped), call.entry);
}

Task<Result<std::vector<Written>>> Service::transact(Call call, std::span<const Operation> operations) {
  const Capabilities& can = call.entry.store->capabilities();
  if (operations.size() > can.transaction_ops_max)
    co_return fail(Errc::unsupported, fmt::format("state store {} takes at most {} operations in a transaction",
                                                  call.entry.name, can.transaction_ops_max));
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  std::vector<std::string> keys;
  std::vector<Operation> mapped(operations.begin(), operations.end());
  keys.reserve(operations.size());
  for (std::size_t i = 0; i < mapped.size(); ++i) {
    auto failed = std::visit(
        [&](auto& operation) -> Status {
          operation.key = keys.emplace_back(stored_key(call.entry, operation.key));
          if constexpr (requires { operation.value; }) return admit_write(call, operation.key, operation);
          return admit(call, operation.key, 0);
        },
        mapped[i]);
    if (!failed) {
      failed.error().operation = static_cast<int>(i);
      co_return fail(failed.error());
    }
  }
  auto done = co_await call.entry.store->transact(call.context, mapped);
  if (!done) co_return in_callers_words(std::move(done.error()), call.entry);
  co_return done;
}

Task<Result<QueryPage>> Service::query(Call call, Query query) {
  auto page = co_await call.entry.store->query(call.context, query);
  if (page)
    for (ListedRecord& item : page->items) item.key = user_key(item.key);
  co_return page;
}

Task<Result<Listing>> Service::list(Call call, ListRequest request) {
  const std::string user_prefix(request.prefix);
  const std::string prefix = call.entry.key_prefix + user_prefix;
  std::string position;
  if (!request.cursor.empty()) {
    auto opened = open_cursor(request.cursor, call.entry.name, user_prefix, clock_.wall());
    if (!opened) co_return fail(opened.error());
    position = std::move(*opened);
  }
  request.prefix = prefix;
  request.own_bytes = call.entry.key_prefix.size();
  request.cursor = position;
  auto page = co_await call.entry.store->list(call.context, request);
  if (!page) co_return fail(page.error());
  Listing listing{std::move(page->items), {}};
  for (ListedRecord& item : listing.items) item.key.erase(0, call.entry.key_prefix.size());
  if (!page->cursor.empty())
    listing.cursor = seal_cursor(call.entry.name, user_prefix, clock_.wall(), page->cursor);
  co_return listing;
}

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

}  // namespace

Task<Result<std::uint64_t>> Service::erase_prefix(Call call, std::string_view user_prefix) {
  if (!call.entry.store->capabilities().delete_prefix)
    co_return fail(Errc::unsupported, fmt::format("state store {} cannot delete by prefix", call.entry.name));
  const std::string prefix = stored_key(call.entry, user_prefix);
  if (auto ok = admit(call, {}, 0); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  co_return co_await call.entry.store->erase_prefix(call.context, {prefix, call.entry.key_prefix.size()});
}

Task<Result<KeyPage>> Service::keys_like(Call call, LikeRequest request) {
  if (!call.entry.store->capabilities().keys_like)
    co_return fail(Errc::unsupported, fmt::format("state store {} cannot list keys by a pattern", call.entry.name));
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "the pattern is empty");
  const std::string scope = "like:" + std::string(request.pattern);
  const std::string pattern = like_literal(call.entry.key_prefix) + std::string(request.pattern);
  std::string position;
  if (!request.cursor.empty()) {
    auto opened = open_cursor(request.cursor, call.entry.name, scope, clock_.wall());
    if (!opened) co_return fail(opened.error());
    position = std::move(*opened);
  }
  request.pattern = pattern;
  request.cursor = position;
  auto page = co_await call.entry.store->keys_like(call.context, request);
  if (!page) co_return fail(page.error());
  const std::size_t own_bytes = call.entry.key_prefix.size();
  std::erase_if(page->keys, [own_bytes](const std::string& key) { return !is_listable(key, own_bytes); });
  for (std::string& key : page->keys) key.erase(0, own_bytes);
  if (!page->cursor.empty()) page->cursor = seal_cursor(call.entry.name, scope, clock_.wall(), page->cursor);
  co_return page;
}

Task<Result<Updated>> Service::update(Call call, UpdateRequest request, const Changing& changing) {
  if (!call.entry.store->capabilities().etag)
    co_return fail(
        Errc::unsupported,
        fmt::format("state store {} has no conditional writes, which a change in place needs", call.entry.name));
  const KeyTurns::Turn turn = co_await turns_.of(call.entry.name + '\n' + std::string(request.key));
  for (int round = 0; round < kUpdateRounds; ++round) {
    auto updated = co_await try_update(call, request, changing);
    if (!updated) co_return fail(std::move(updated.error()));
    if (*updated) co_return std::move(**updated);
  }
  co_return fail(Errc::conflict,
                 fmt::format("nothing was changed: others wrote \"{}\" in state store {} first, {} times "
                             "in a row. Try again",
                             request.key, call.entry.name, kUpdateRounds));
}

Task<Result<std::optional<Updated>>> Service::try_update(Call call, UpdateRequest request, const Changing& changing) {
  // What is read has to be the newest there is, however weak a promise the caller asks of the write.
  Call reading = call;
  reading.context.consistency = Consistency::strong;
  if (!served_level(call.entry, Consistency::strong, false)) reading.context.consistency = Consistency::unspecified;
  auto now = co_await get(reading, {.key = request.key, .want_value = true, .want_fields = true});
  if (!now) co_return fail(std::move(now.error()));
  const Record* const record = *now ? &**now : nullptr;
  const std::string_view etag = record != nullptr ? std::string_view(record->etag) : std::string_view();
  if (!request.when.holds(record != nullptr ? &etag : nullptr)) {
    Error error(Errc::precondition_failed, fmt::format("nothing was changed: \"{}\" in state store {} is not what the "
                                                       "request expected. Read it again and decide anew",
                                                       request.key, call.entry.name));
    error.current_etag = etag;
    co_return fail(std::move(error));
  }
  auto change = changing(record);
  if (!change) {
    if (change.error().code == Errc::precondition_failed) change.error().current_etag = etag;
    co_return fail(std::move(change.error()));
  }
  SetRequest write;
  write.key = request.key;
  write.value = change->value;
  write.shape = change->shape;
  write.when = record != nullptr ? Precondition::one_of({&etag, 1}) : Precondition::absent();
  write.ttl = request.ttl;
  write.keep_expiry = !request.ttl && record != nullptr && record->expires_at.has_value();
  write.content_type = change->content_type;
  write.modified_by = request.modified_by;
  if (record == nullptr) write.created_by = request.modified_by;
  write.want_record = request.want_record;
  if (record != nullptr && record->fields) {
    write.tags = record->fields->tags;
    write.indexes = record->fields->indexes;
  }
  auto written = co_await set(call, write);
  if (written) co_return Updated{std::move(*written), std::move(*change)};
  if (written.error().code == Errc::precondition_failed) co_return std::nullopt;
  co_return fail(std::move(written.error()));
}

}  // namespace holdfast::service
