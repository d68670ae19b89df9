// How the contract maps to memcached. A record is an item: its value, and client flags that say its shape and when it
// expires (mapping.h). The etag is the compare-and-set number that the server gives every change of an item, with the
// process that gave it, because another process counts from 1 again. One etag is one command (`ms ... C`, `md ... C`),
// first-write is `ms ... ME` and "any record" `ms ... MR`, so the server judges and writes in one step. Several etags,
// and the wish to keep the expiry, are read, judged and written with the number that was read, again if somebody was
// quicker. Expiry is the server's, in seconds. Which of several servers has a key follows from the key alone; none
// stands in for another. There is one connection a server and loop, shared by all calls. What was sent and not answered
// is not sent again, but for readings.
#include "stores/memcached/store.h"

#include <algorithm>
#include <limits>

#include "stores/memcached/type.h"

namespace holdfast::stores::memcached {

using state::CallContext;
using state::Deleted;
using state::Precondition;
using state::Record;
using state::Written;
using wire::Reply;

namespace {

constexpr std::size_t kChunkKeys = 128;
constexpr int kRoundsMax = 16;

SteadyTime now() { return std::chrono::steady_clock::now(); }

// Of a condition that one command can say; nothing where no item can satisfy it.
std::optional<Guard> guard_of(const Precondition& when, std::string_view process) {
  switch (when.kind) {
    case Precondition::Kind::any:
      return Guard{};
    case Precondition::Kind::absent:
      return Guard{.mode = wire::Mode::add};
    case Precondition::Kind::present:
      return Guard{.mode = wire::Mode::replace};
    case Precondition::Kind::one_of:
      break;
  }
  const auto cas = read_etag(when.etags.front(), process);
  return cas ? std::optional(Guard{.cas = cas}) : std::nullopt;
}

}  // namespace

Task<Result<std::unique_ptr<state::StateStore>>> MemcachedCore::open(Scheduler& scheduler) {
  auto* const loop = dynamic_cast<net::Loop*>(&scheduler);
  if (loop == nullptr) co_return fail(Errc::internal, "state.memcached needs a loop with sockets");
  const SteadyTime deadline = now() + init_timeout_;
  auto store = std::make_unique<MemcachedStore>(*this, *loop);
  if (auto connected = co_await store->connect(deadline); !connected) {
    CallContext context;
    context.deadline = deadline;
    (void)co_await store->close(context);
    co_return fail(std::move(connected.error()));
  }
  co_return std::move(store);
}

MemcachedStore::MemcachedStore(MemcachedCore& core, net::Loop& loop) : core_(core) {
  for (const net::Endpoint& host : core.settings().hosts)
    servers_.push_back(std::make_unique<Server>(loop, host, core.settings()));
}

Task<Status> MemcachedStore::connect(SteadyTime deadline) {
  std::uint64_t value_bytes_max = std::numeric_limits<std::uint64_t>::max();
  for (const auto& server : servers_) {
    if (auto connected = co_await server->connect(deadline); !connected) co_return connected;
    value_bytes_max = std::min(value_bytes_max, server->facts().value_bytes_max);
  }
  capabilities_.etag = true;
  capabilities_.ttl = true;
  capabilities_.ttl_grain_ms = 3000;  // rounded up to a second twice, and the server's clock
  capabilities_.exact_json = true;
  capabilities_.key_bytes_max = wire::kKeyBytesMax;
  capabilities_.value_bytes_max = value_bytes_max;
  // One copy of each record.
  capabilities_.reads = capabilities_.writes = state::Capabilities::always_strong();
  co_return Status();
}

SteadyTime MemcachedStore::deadline_of(const CallContext& context) const {
  return std::min(context.deadline, now() + core_.settings().timeout);
}

Task<Result<std::optional<Item>>> MemcachedStore::item_of(CallContext context, state::GetRequest request) {
  Server& server = server_of(request.key);
  std::string command;
  append_get(command, request);
  auto answer = co_await server.read(command, 1, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = Reply::read(*answer);
  if (!reply) co_return fail(reply.error());
  co_return read_get(server.place(), request, *reply, server.facts().process, core_.clock().wall());
}

Task<Result<std::optional<Record>>> MemcachedStore::get(CallContext context, state::GetRequest request) {
  if (auto usable = check_key(core_.settings().component, request.key); !usable) co_return fail(usable.error());
  auto item = co_await item_of(context, request);
  if (!item) co_return fail(std::move(item.error()));
  if (!*item) co_return std::nullopt;
  co_return std::move((**item).record);
}

Task<Result<Written>> MemcachedStore::set(CallContext context, state::SetRequest request) {
  const std::string_view component = core_.settings().component;
  if (auto usable = check_key(component, request.key); !usable) co_return fail(usable.error());
  const ServerFacts& facts = server_of(request.key).facts();
  // What is declared, and what the server says that may have been started anew since.
  const std::uint64_t bytes_max = std::min(capabilities_.value_bytes_max, facts.value_bytes_max);
  if (auto fits = check_value(component, request.key, request.value.size(), bytes_max); !fits)
    co_return fail(fits.error());
  if (request.keep_expiry || request.when.etags.size() > 1) co_return co_await set_after_reading(context, request);
  const auto guard = guard_of(request.when, facts.process);
  if (!guard) co_return fail(refusal(server_of(request.key).place(), request.key));
  co_return co_await set_guarded(context, request, *guard, lifetime_of(request.ttl, core_.clock().wall()));
}

Task<Result<Written>> MemcachedStore::set_guarded(CallContext context, state::SetRequest request, Guard guard,
                                                  Lifetime lifetime) {
  Server& server = server_of(request.key);
  std::optional<Server::Numbered> numbered;
  if (guard.cas) numbered.emplace(server);
  std::string command;
  append_set(command, request, guard, lifetime);
  auto answer = co_await server.call(command, 1, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = Reply::read(*answer);
  if (!reply) co_return fail(reply.error());
  co_return read_set(server.place(), request, *reply, server.facts().process, lifetime);
}

Task<Result<Written>> MemcachedStore::set_after_reading(CallContext context, state::SetRequest request) {
  const Place place = server_of(request.key).place();
  for (int round = 0; round < kRoundsMax; ++round) {
    auto item = co_await item_of(context, {.key = request.key, .want_value = false});
    if (!item) co_return fail(std::move(item.error()));
    const std::string_view etag = *item ? std::string_view((**item).record.etag) : std::string_view();
    if (!request.when.holds(*item ? &etag : nullptr)) co_return fail(refusal(place, request.key, etag));
    const WallTime wall = core_.clock().wall();
    Lifetime lifetime = lifetime_of(request.ttl, wall);
    if (request.keep_expiry && !request.ttl)
      lifetime = lifetime_until(*item ? (**item).record.expires_at : std::nullopt, wall);
    Guard guard{.mode = wire::Mode::add};
    if (*item) guard = {.cas = (**item).cas};
    auto written = co_await set_guarded(context, request, guard, lifetime);
    if (written || written.error().code != Errc::precondition_failed) co_return written;
  }
  co_return fail(Errc::conflict, "component \"" + core_.settings().component + "\" (state.memcached): \"" +
                                     std::string(request.key) + "\" is written to too often by others; try again");
}

Task<Result<Deleted>> MemcachedStore::erase(CallContext context, state::DeleteRequest request) {
  if (auto usable = check_key(core_.settings().component, request.key); !usable) co_return fail(usable.error());
  Server& server = server_of(request.key);
  if (request.when.kind == Precondition::Kind::one_of) co_return co_await erase_one_of(context, request);
  if (request.when.kind == Precondition::Kind::absent) {
    const auto item = co_await item_of(context, {.key = request.key, .want_value = false});
    if (!item) co_return fail(item.error());
    if (*item) co_return fail(refusal(server.place(), request.key, (**item).record.etag));
    co_return Deleted();
  }
  std::string command;
  wire::append_delete(command, request.key);
  auto answer = co_await server.call(command, 1, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = Reply::read(*answer);
  if (!reply) co_return fail(reply.error());
  const auto existed = read_erase(server.place(), request.key, *reply);
  if (!existed) co_return fail(existed.error());
  const bool is_refused = request.when.kind == Precondition::Kind::present && !*existed;
  if (is_refused) co_return fail(refusal(server.place(), request.key));
  co_return Deleted();
}

// One command for each etag: only the one that matches deletes something.
Task<Result<Deleted>> MemcachedStore::erase_one_of(CallContext context, state::DeleteRequest request) {
  Server& server = server_of(request.key);
  const Server::Numbered numbered(server);
  std::string commands;
  std::uint32_t count = 0;
  for (const std::string_view etag : request.when.etags)
    if (const auto cas = read_etag(etag, server.facts().process)) {
      wire::append_delete(commands, request.key, cas);
      ++count;
    }
  if (count == 0) co_return fail(refusal(server.place(), request.key));
  auto answer = co_await server.call(commands, count, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  Error failure = refusal(server.place(), request.key);
  bool was_deleted = false;
  while (!answer->empty()) {
    const auto reply = Reply::read(*answer);
    if (!reply) co_return fail(reply.error());
    const auto existed = read_erase(server.place(), request.key, *reply);
    if (existed && *existed) was_deleted = true;
    if (!existed && existed.error().code != Errc::precondition_failed) failure = existed.error();
  }
  if (!was_deleted) co_return fail(std::move(failure));
  co_return Deleted();
}

Task<void> MemcachedStore::get_chunk(CallContext context, Server& server, std::span<const state::GetRequest> requests,
                                     std::vector<std::size_t> places, std::span<OneResult> results) {
  std::string commands;
  for (const std::size_t place : places) append_get(commands, requests[place]);
  auto answer = co_await server.read(commands, static_cast<std::uint32_t>(places.size()), deadline_of(context));
  const WallTime wall = core_.clock().wall();
  for (const std::size_t place : places) {
    if (!answer) {
      results[place] = fail(answer.error());
      continue;
    }
    const auto reply = Reply::read(*answer);
    if (!reply) {
      results[place] = fail(reply.error());
      continue;
    }
    auto item = read_get(server.place(), requests[place], *reply, server.facts().process, wall);
    if (!item)
      results[place] = fail(std::move(item.error()));
    else if (*item)
      results[place] = std::move((**item).record);
  }
}

// The readings of one server leave in one request, and all servers are asked in one turn of the loop.
Task<std::vector<Result<std::optional<Record>>>> MemcachedStore::get_many(CallContext context,
                                                                          std::span<const state::GetRequest> requests) {
  std::vector<OneResult> results(requests.size());
  std::vector<std::vector<std::size_t>> by_server(servers_.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (auto usable = check_key(core_.settings().component, requests[i].key); !usable)
      results[i] = fail(usable.error());
    else
      by_server[host_of(requests[i].key, servers_.size())].push_back(i);
  }
  std::size_t open = 1;
  Arrival<bool> done;
  const auto finish = [&open, &done] {
    if (--open == 0) done.set(true);
  };
  for (std::size_t i = 0; i < servers_.size(); ++i)
    for (std::size_t at = 0; at < by_server[i].size(); at += kChunkKeys) {
      const auto begin = by_server[i].begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(kChunkKeys, by_server[i].size() - at));
      ++open;
      start(get_chunk(context, *servers_[i], requests, std::vector<std::size_t>(begin, end), results), finish);
    }
  finish();
  co_await done;
  co_return results;
}

Task<Status> MemcachedStore::ping(CallContext context) {
  for (const auto& server : servers_) {
    std::string command;
    wire::append_no_op(command);
    auto answer = co_await server->read(command, 1, deadline_of(context));
    if (!answer) co_return fail(std::move(answer.error()));
    const auto reply = Reply::read(*answer);
    if (!reply) co_return fail(reply.error());
    if (reply->kind != Reply::Kind::no_op) co_return fail(describe(server->place(), "reach the server", *reply));
  }
  co_return Status();
}

Task<Status> MemcachedStore::close(CallContext context) {
  const SteadyTime deadline = deadline_of(context);
  for (const auto& server : servers_) co_await server->close(deadline);
  co_return Status();
}

Result<std::shared_ptr<state::StoreCore>> prepare_memcached(const state::Component& component,
                                                            const state::StoreEnvironment& environment) {
  auto settings = MemcachedSettings::read(component);
  if (!settings) return fail(std::move(settings.error()));
  return std::make_shared<MemcachedCore>(std::move(*settings), component.init_timeout, environment.clock);
}

}  // namespace holdfast::stores::memcached
