// Calls of v2 about many records: batches, transactions, listings, deletion by prefix.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "api/v2.h"
#include "service/index_entries.h"

namespace holdfast::api {

using namespace state;
using service::Call;
using service::CallContext;
using service::Right;
using service::Rights;
using service::Scope;
using service::StoreEntry;

namespace {

// How many records one call looks at for those that a filter lets pass.
constexpr std::size_t kLookedAtMax = 10000;

Status check_keys(std::span<const std::string_view> keys, std::string_view what) {
  if (keys.empty()) return fail(Errc::invalid_argument, fmt::format("there are no {}", what));
  if (keys.size() > kBatchMax)
    return fail(Errc::invalid_argument,
                fmt::format("there are {} {}; at most {} are taken", keys.size(), what, kBatchMax));
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (auto ok = check_v2_key(keys[i]); !ok) return fail(with_context(ok.error(), fmt::format("{}[{}]", what, i)));
    if (!seen.insert(keys[i]).second)
      return fail(
          Errc::invalid_argument,
          fmt::format("{}[{}]: \"{}\" stands there twice, and which comes first is not said", what, i, keys[i]));
  }
  return {};
}

Status check_commands(const std::vector<Command>& commands, std::string_view what) {
  std::vector<std::string_view> keys;
  for (const Command& command : commands) keys.push_back(key_of(command));
  return check_keys(keys, what);
}

}  // namespace

Task<Result<std::vector<Result<std::optional<Record>>>>> V2::batch_get(StoreEntry& entry, CallContext context,
                                                                       const std::vector<std::string>& keys,
                                                                       bool want_values) {
  const std::vector<std::string_view> views(keys.begin(), keys.end());
  if (auto ok = check_keys(views, "keys"); !ok) co_return fail(ok.error());
  // What concerns the call as a whole is not said of each key.
  const Right needed = service::right_to_read(want_values, context.grant);
  if (auto scope = Scope::enter(entry, context, needed); !scope) co_return fail(scope.error());
  default_to_session(entry, context);
  std::vector<GetRequest> requests;
  for (const std::string_view key : views)
    requests.push_back({.key = key, .want_value = want_values, .want_fields = true});
  co_return co_await service_.get_many(Call{entry, context}, requests);
}

// The puts and the deletions of a batch, each with its place in it.
struct V2::Batch {
  std::vector<SetRequest> puts;
  std::vector<std::size_t> put_places;
  std::vector<DeleteRequest> deletions;
  std::vector<std::size_t> deletion_places;
};

Task<Result<std::vector<Result<Outcome>>>> V2::batch_write(StoreEntry& entry, CallContext context,
                                                           std::vector<Command>& commands) {
  if (auto ok = check_commands(commands, "items"); !ok) co_return fail(ok.error());
  if (auto scope = Scope::enter(entry, context, Rights()); !scope) co_return fail(scope.error());
  default_to_session(entry, context);
  std::vector<Result<Outcome>> results(commands.size());
  Batch batch;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (auto* put = std::get_if<PutCommand>(&commands[i])) {
      auto request = prepare(entry, *put);
      if (!request) {
        results[i] = fail(request.error());
        continue;
      }
      batch.puts.push_back(*request);
      batch.put_places.push_back(i);
    } else if (auto* deletion = std::get_if<DeleteCommand>(&commands[i])) {
      batch.deletions.push_back({deletion->key, deletion->when.precondition()});
      batch.deletion_places.push_back(i);
    } else {
      co_return fail(Errc::invalid_argument, fmt::format("items[{}] is a check, which only a transaction can use", i));
    }
  }
  if (!batch.puts.empty()) {
    auto written = co_await service_.set_many(Call{entry, context}, batch.puts);
    for (std::size_t i = 0; i < written.size(); ++i) {
      Result<Outcome>& result = results[batch.put_places[i]];
      if (written[i])
        result = outcome_of(batch.puts[i], std::move(*written[i]));
      else
        result = fail(std::move(written[i].error()));
    }
  }
  if (!batch.deletions.empty()) {
    auto deleted = co_await service_.erase_many(Call{entry, context}, batch.deletions);
    for (std::size_t i = 0; i < deleted.size(); ++i) {
      Result<Outcome>& result = results[batch.deletion_places[i]];
      if (deleted[i])
        result->existed = deleted[i]->existed;
      else
        result = fail(std::move(deleted[i].error()));
    }
  }
  co_return results;
}

Task<Result<std::vector<Outcome>>> V2::transact(StoreEntry& entry, CallContext context,
                                                std::vector<Command>& commands) {
  if (auto ok = check_commands(commands, "operations"); !ok) co_return fail(ok.error());
  default_to_session(entry, context);
  std::vector<Operation> operations;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (auto* put = std::get_if<PutCommand>(&commands[i])) {
      auto request = prepare(entry, *put);
      if (!request) {
        request.error().operation = static_cast<int>(i);
        co_return fail(std::move(request.error()));
      }
      operations.emplace_back(*request);
    } else if (auto* deletion = std::get_if<DeleteCommand>(&commands[i])) {
      operations.emplace_back(DeleteRequest{deletion->key, deletion->when.precondition()});
    } else {
      auto& check = std::get<CheckCommand>(commands[i]);
      operations.emplace_back(CheckRequest{check.key, check.when.precondition()});
    }
  }
  auto written = co_await service_.transact(Call{entry, context}, operations);
  if (!written) co_return fail(std::move(written.error()));
  std::vector<Outcome> outcomes(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i)
    if (const auto* put = std::get_if<SetRequest>(&operations[i]))
      outcomes[i] = outcome_of(*put, std::move((*written)[i]));
  co_return outcomes;
}

namespace {

bool has_all(const Pairs& pairs, const Pairs& wanted) {
  return std::ranges::all_of(wanted,
                             [&pairs](const auto& pair) { return std::ranges::find(pairs, pair) != pairs.end(); });
}

// Whether the records that a store gives have to be looked at: it knows nothing of tags, and looks up by one entry.
bool is_filtered(const ListCommand& command) { return !command.tags.empty() || command.indexes.size() > 1; }

bool passes(const Record& record, const ListCommand& command) {
  return !is_filtered(command) || (record.fields && has_all(record.fields->tags, command.tags) &&
                                   has_all(record.fields->indexes, command.indexes));
}

}  // namespace

Task<Result<service::Listing>> V2::list(StoreEntry& entry, CallContext context, ListCommand& command) {
  const Capabilities& can = entry.store->capabilities();
  if (command.like.empty() && !can.list)
    co_return fail(Errc::unsupported, fmt::format("state store {} cannot list its keys", entry.name));
  if (!command.tags.empty() && !can.record_fields)
    co_return fail(Errc::unsupported, fmt::format("state store {} keeps no tags", entry.name));
  if (!command.like.empty() && !command.prefix.empty())
    co_return fail(Errc::invalid_argument, "prefix and like exclude each other; a pattern may begin with the prefix");
  if (!command.like.empty() && !command.indexes.empty())
    co_return fail(Errc::invalid_argument, "like and index entries exclude each other; a prefix goes with both");
  if (auto ok = service::check_index_entries(command.indexes); !ok) co_return fail(std::move(ok.error()));
  // A cursor belongs to the entry that is looked up: it has to be the same on the next page, in whatever order they
  // come.
  std::ranges::sort(command.indexes);
  if (command.limit == 0) command.limit = kListLimitDefault;
  if (command.limit > kListLimitMax)
    co_return fail(Errc::invalid_argument,
                   fmt::format("limit is {}; at most {} are allowed", command.limit, kListLimitMax));
  default_to_session(entry, context);
  service::Listing listing{{}, command.cursor};
  std::size_t looked_at = 0;
  do {
    auto page = co_await list_some(entry, context, command, listing);
    if (!page) co_return fail(std::move(page.error()));
    looked_at += page->items.size();
    for (ListedRecord& item : page->items)
      if (passes(item.record, command)) listing.items.push_back(std::move(item));
    listing.cursor = std::move(page->cursor);
  } while (is_filtered(command) && !listing.cursor.empty() && listing.items.size() < command.limit &&
           looked_at < kLookedAtMax);
  co_return listing;
}

// The next page, without a look at tags and further entries: no more than are still wanted.
Task<Result<service::Listing>> V2::list_some(StoreEntry& entry, CallContext context, const ListCommand& command,
                                             const service::Listing& so_far) {
  const auto limit = static_cast<std::uint32_t>(command.limit - so_far.items.size());
  const bool want_fields = command.want_values || is_filtered(command);
  const ListRequest request{.prefix = command.prefix,
                            .cursor = so_far.cursor,
                            .limit = limit,
                            .want_values = command.want_values,
                            .want_fields = want_fields};
  if (!command.indexes.empty()) {
    const auto& [name, value] = command.indexes.front();
    co_return co_await service_.find(Call{entry, context}, {name, value, request});
  }
  if (command.like.empty()) co_return co_await service_.list(Call{entry, context}, request);
  const auto keys = co_await service_.keys_like(Call{entry, context},
                                                {.pattern = command.like, .cursor = so_far.cursor, .limit = limit});
  if (!keys) co_return fail(keys.error());
  std::vector<GetRequest> requests;
  for (const std::string& key : keys->keys)
    requests.push_back({.key = key, .want_value = command.want_values, .want_fields = want_fields});
  auto records = co_await service_.get_many(Call{entry, context}, requests);
  service::Listing page{{}, keys->cursor};
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (!records[i]) co_return fail(std::move(records[i].error()));
    if (*records[i]) page.items.push_back({keys->keys[i], std::move(**records[i])});  // it may be gone by now
  }
  co_return page;
}

Task<Result<ErasedPrefix>> V2::erase_prefix(StoreEntry& entry, CallContext context, std::string prefix, bool all,
                                            std::uint32_t limit) {
  if (prefix.empty() && !all)
    co_return fail(Errc::invalid_argument, "there is no prefix; to delete every record of the store say all=true");
  if (!prefix.empty() && all) co_return fail(Errc::invalid_argument, "prefix and all=true exclude each other");
  if (limit > kListLimitMax)
    co_return fail(Errc::invalid_argument, fmt::format("limit is {}; at most {} are allowed", limit, kListLimitMax));
  default_to_session(entry, context);
  if (limit == 0) {
    auto erased = co_await service_.erase_prefix(Call{entry, context}, prefix);
    if (!erased) co_return fail(std::move(erased.error()));
    co_return ErasedPrefix{*erased, false};
  }
  if (auto scope = Scope::enter(entry, context, {Right::list, Right::erase}); !scope) co_return fail(scope.error());
  auto page = co_await service_.list(Call{entry, context}, {.prefix = prefix, .cursor = {}, .limit = limit});
  if (!page) co_return fail(std::move(page.error()));
  std::vector<DeleteRequest> requests;
  for (const ListedRecord& item : page->items) requests.push_back({.key = item.key, .when = {}});
  const auto deleted = co_await service_.erase_many(Call{entry, context}, requests);
  ErasedPrefix erased{0, !page->cursor.empty()};
  for (const auto& one : deleted) {
    if (!one) co_return fail(one.error());
    if (one->existed.value_or(true)) ++erased.erased;
  }
  co_return erased;
}

}  // namespace holdfast::api
