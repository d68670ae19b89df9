// How the contract maps to Redis. A record is Dapr's hash (`data`, `version`) with fields of ours beside it, or Dapr's
// document of RedisJSON. Every write is one script: it judges the condition, writes, counts the version up and sets the
// expiry in one step, so no etag is checked apart from its write and none is left half-done (scripts.h). The etag is
// the version; a fresh key starts at the server's time in microseconds, so that none comes back. A transaction is one
// script over all its keys, which in a cluster have to share a slot. Expiry is the server's own, in milliseconds. A
// write at strong or quorum waits for replicas on a connection of its own (synced_writes.h); a read at eventual may go
// to a replica, every other goes to the primary. Which server that is, the router knows; what happens when it changes
// or goes away meanwhile is in exchange.h. Watching is CLIENT TRACKING: servers tell which keys have changed, on a
// thread and connections of their own the records are read (follower.h).
#include "stores/redis/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/log.h"
#include "base/random.h"
#include "stores/redis/synced_writes.h"
#include "stores/redis/type.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::Capabilities;
using state::Consistency;
using state::Deleted;
using state::Record;
using state::Written;

namespace {

// What takes longer than a moment to send has a connection where nobody waits behind it.
constexpr std::size_t kLargeBytes = 64 * 1024;
constexpr std::size_t kManyOperations = 32;
constexpr Milliseconds kLongTimeout{2000};

SteadyTime now() { return std::chrono::steady_clock::now(); }

// Forty-eight random bits: eight characters.
std::string random_name() {
  std::array<unsigned char, 6> bytes{};
  random_fill(bytes);
  return base64url_encode({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Capabilities capabilities_of(const RedisSettings& settings, const Router& router) {
  const ServerRef primary = router.primary_of(0);
  const ServerFacts facts = primary == nullptr ? ServerFacts() : primary->facts();
  Capabilities can;
  can.etag = true;
  can.record_fields = true;
  can.reports_created = true;
  can.ttl = true;
  can.ttl_grain_ms = 1;
  can.transaction_ops_max = kTransactionOpsMax;
  can.list = true;
  can.keys_like = true;
  can.delete_prefix = true;
  // In a cluster a node finds its own documents only.
  can.query = !settings.indexes.empty() && facts.has_json && facts.has_search && !router.is_cluster();
  can.secondary_index = !router.is_cluster();
  // Who told its version speaks RESP3, in which servers tell of changes.
  can.watch = !facts.version.empty();
  can.watch_resume = can.watch;
  can.watch_coalesces = can.watch;
  can.query_sort_keys_max = 1;
  can.query_by_index = true;
  can.exact_json = !facts.has_json;
  can.key_bytes_max = 512ULL << 20;
  can.value_bytes_max = 512ULL << 20;
  for (std::size_t i = 0; i < state::kConsistencyCount; ++i) {
    const auto level = static_cast<Consistency>(i);
    // Every write goes to the primary, whose word is enough up to bounded staleness: no reading is of a replica that is
    // not known to be near.
    can.writes[i] = level == Consistency::unspecified ? Consistency::session : level;
    can.reads[i] = level == Consistency::unspecified || level == Consistency::quorum ? Consistency::strong : level;
  }
  // Of several streams of changes no replica shows a prefix.
  if (router.is_cluster()) can.reads[static_cast<std::size_t>(Consistency::consistent_prefix)] = Consistency::strong;
  can.session_positions = true;
  return can;
}

// The commands of a reading, by what mapping.h makes of the request.
class ReadCommands final : public Request {
 public:
  using Append = void (*)(std::string& out, const state::GetRequest& request, Expiry expiry);
  ReadCommands(const state::GetRequest& request, Append append, std::uint32_t count)
      : request_(request), append_(append) {
    replies = count;
  }
  Status append(std::string& out, const Server& server, const Try&) override {
    append_(out, request_, server.facts().expiry);
    return {};
  }

 private:
  const state::GetRequest& request_;
  const Append append_;
};

// Any write: what Context says may change from try to try.
template <class Append>
class WriteCommands final : public Request {
 public:
  WriteCommands(WriteContext context, Append append) : context(context), append_(std::move(append)) {}
  Status append(std::string& out, const Server& server, const Try& now) override {
    context.sending = now.sending;
    context.is_repeat = now.is_repeat;
    context.server_has_json = server.facts().has_json;
    return append_(out, context);
  }

  WriteContext context;

 private:
  Append append_;
};

}  // namespace

RedisCore::RedisCore(RedisSettings settings, Milliseconds init_timeout, const state::StoreEnvironment& environment)
    : settings_(std::move(settings)),
      init_timeout_(init_timeout),
      clock_(environment.clock),
      only_looks_(environment.only_look),
      process_(random_name()) {}

Result<std::shared_ptr<state::StoreCore>> RedisCore::make(RedisSettings settings, Milliseconds init_timeout,
                                                          const state::StoreEnvironment& environment) {
  std::shared_ptr<RedisCore> core(new RedisCore(std::move(settings), init_timeout, environment));
  const TlsSettings& tls = core->settings_.tls;
  if (tls.enabled) {
    auto context = net::TlsClientContext::make({.ca_pem = tls.ca_pem,
                                                .certificate_pem = tls.certificate_pem,
                                                .key_pem = tls.key_pem,
                                                .server_name = tls.server_name,
                                                .verify = tls.verify});
    if (!context)
      return fail(with_context(std::move(context.error()),
                               fmt::format("component \"{}\" (state.redis)", core->settings_.component)));
    core->tls_ = std::move(*context);
  }
  return core;
}

std::string RedisCore::next_write_id() {
  return process_ + std::to_string(writes_.fetch_add(1, std::memory_order_relaxed));
}

Task<Result<std::unique_ptr<state::StateStore>>> RedisCore::open(Scheduler& scheduler) {
  auto* const loop = dynamic_cast<net::Loop*>(&scheduler);
  if (loop == nullptr) co_return fail(Errc::internal, "state.redis needs a loop with sockets");
  const SteadyTime deadline = now() + init_timeout_;
  auto opened = co_await connect(*loop, deadline);
  if (!opened) co_return fail(std::move(opened.error()));
  std::unique_ptr<RedisStore> store = std::move(*opened);
  if (auto prepared = co_await store->prepare_queries(deadline); !prepared) {
    CallContext context;
    context.deadline = deadline;
    (void)co_await store->close(context);
    co_return fail(std::move(prepared.error()));
  }
  co_return std::move(store);
}

Task<Result<std::unique_ptr<RedisStore>>> RedisCore::connect(net::Loop& loop, SteadyTime deadline) {
  auto router = Router::make(loop, settings_, tls_);
  if (auto started = co_await router->start(deadline); !started) {
    co_await router->close(deadline);
    co_return fail(std::move(started.error()));
  }
  const ServerRef primary = router->primary_of(0);
  if (primary != nullptr) has_json_ = primary->facts().has_json;
  co_return std::make_unique<RedisStore>(*this, loop, std::move(router));
}

Follower& RedisCore::follower() {
  std::call_once(watched_, [this] { follower_ = std::make_unique<Follower>(*this, settings_, tls_); });
  return *follower_;
}

std::span<const std::string_view> RedisCore::dapr_features() const {
  if (has_json_) return kDaprFeaturesWithJson;
  return kDaprFeatures;
}

void RedisCore::warn_once(std::string_view message) {
  if (!warned_.exchange(true)) log::warn("holdfast.redis", "{}", message);
}

RedisStore::RedisStore(RedisCore& core, net::Loop& loop, std::unique_ptr<Router> router)
    : core_(core),
      settings_(core.settings()),
      loop_(loop),
      router_(std::move(router)),
      exchange_(loop, *router_, settings_),
      capabilities_(capabilities_of(settings_, *router_)) {}

RedisStore::~RedisStore() { end_watches(); }

void RedisStore::end_watches() {
  closed_ = true;
  if (listener_ != nullptr) std::exchange(listener_, nullptr)->close();
}

// The loop's time is half a second old at most, and free of charge.
SteadyTime RedisStore::deadline_of(const CallContext& context) const {
  const bool is_long = settings_.read_timeout >= kLongTimeout;
  return std::min(context.deadline, (is_long ? loop_.coarse_now() : now()) + settings_.read_timeout);
}

void RedisStore::prepare_read(Request& request, std::string_view key, const CallContext& context) const {
  request.verb = "read";
  request.key = key;
  request.is_read = true;
  place_read(request, key, context);
}

void RedisStore::place_read(Request& request, std::string_view key, const CallContext& context) const {
  place(request, key, context);
  request.may_read_replica = reads_any_replica(context.consistency);
}

void RedisStore::place(Request& request, std::string_view key, const CallContext& context) const {
  request.slot = router_->is_cluster() ? key_slot(key) : 0;
  request.deadline = deadline_of(context);
  if (context.position != nullptr && router_->has_replicas(request.slot)) request.position = context.position;
}

bool RedisStore::reads_any_replica(Consistency level) const {
  return level == Consistency::eventual || (level == Consistency::consistent_prefix && !router_->is_cluster());
}

void RedisStore::prepare_write(Request& request, std::string_view key, const CallContext& context) const {
  request.key = key;
  place(request, key, context);
  if (context.consistency < Consistency::quorum) return;
  const std::uint32_t replicas = router_->replicas_of(request.slot);
  // A majority of the primary and its replicas, less the primary.
  request.replicas = context.consistency == Consistency::strong ? replicas : (replicas + 1) / 2;
  request.is_synced = request.replicas > 0 || settings_.wait_aof;
}

WriteContext RedisStore::write_context(const CallContext& context, std::string_view write_id) const {
  WriteContext write;
  write.now = core_.clock().wall();
  write.principal = context.principal;
  write.write_id = write_id;
  write.lenient = settings_.dapr_lenient;
  write.default_ttl = settings_.default_ttl;
  write.keeps_index = capabilities_.secondary_index;
  return write;
}

Status RedisStore::confirm(const Request& request, const Answer& answer, std::string_view key) const {
  if (!request.is_synced) return {};
  const auto reply = resp::Reply::parse(answer.waiting);
  if (!reply) return fail(Errc::outcome_unknown, reply.error().message);
  const auto confirmed = read_wait(answer.server->place(), reply->root());
  if (!confirmed) {
    Error error = confirmed.error();
    error.code = Errc::replication_shortfall;  // the write stands on the primary, whatever went wrong with waiting
    return fail(std::move(error));
  }
  const bool lacks_file = settings_.wait_aof && confirmed->local_file == false;
  if (confirmed->replicas >= request.replicas && !lacks_file) return {};
  return fail(shortfall(answer.server->place(), key, request.replicas, *confirmed));
}

Task<Result<std::optional<Record>>> RedisStore::get(CallContext context, state::GetRequest request) {
  ReadCommands commands(request, append_get, kGetReplies);
  prepare_read(commands, request.key, context);
  Answer answer;
  if (auto asked = co_await ask(context, commands, answer); !asked) co_return fail(std::move(asked.error()));
  resp::Reply hash;
  resp::Reply expires;
  if (auto read = hash.read(answer.replies); !read) co_return fail(std::move(read.error()));
  if (auto read = expires.read(answer.replies); !read) co_return fail(std::move(read.error()));
  auto got = read_get(answer.server->place(), request, hash.root(), expires.root(), core_.clock().wall(),
                      answer.server->facts().expiry);
  if (!got) co_return fail(std::move(got.error()));
  if (got->is_other_type) co_return co_await get_other(context, request);
  co_return std::move(got->record);
}

Task<Result<std::optional<Record>>> RedisStore::get_other(CallContext context, state::GetRequest request) {
  ReadCommands commands(request, append_get_other, kGetOtherReplies);
  prepare_read(commands, request.key, context);
  Answer answer;
  if (auto asked = co_await ask(context, commands, answer); !asked) co_return fail(std::move(asked.error()));
  std::vector<resp::Reply> parsed(kGetOtherReplies);
  for (resp::Reply& reply : parsed)
    if (auto read = reply.read(answer.replies); !read) co_return fail(std::move(read.error()));
  std::vector<resp::Value> values;
  for (const resp::Reply& reply : parsed) values.push_back(reply.root());
  co_return read_get_other(answer.server->place(), request, values, core_.clock().wall(), answer.server->facts().expiry);
}

Task<Result<Written>> RedisStore::set(CallContext context, state::SetRequest request) {
  const std::string write_id = core_.next_write_id();
  WriteCommands commands(write_context(context, write_id), [&request](std::string& out, const WriteContext& write) {
    return append_set(out, request, write);
  });
  commands.verb = "save";
  commands.has_write_id = true;
  prepare_write(commands, request.key, context);
  if (request.value.size() > kLargeBytes) commands.work = Work::bulk;
  Answer answer;
  if (auto asked = co_await exchange_.run(commands, answer); !asked) co_return fail(std::move(asked.error()));
  const auto reply = resp::Reply::parse(answer.replies);
  if (!reply) co_return fail(reply.error());
  auto written = read_set(answer.server->place(), request, commands.context, reply->root());
  if (!written) co_return written;
  if (auto confirmed = confirm(commands, answer, request.key); !confirmed) co_return fail(std::move(confirmed.error()));
  co_return written;
}

Task<Result<Deleted>> RedisStore::erase(CallContext context, state::DeleteRequest request) {
  WriteCommands commands(write_context(context, {}), [&request](std::string& out, const WriteContext& write) {
    return append_erase(out, request, write);
  });
  commands.verb = "delete";
  prepare_write(commands, request.key, context);
  Answer answer;
  if (auto asked = co_await exchange_.run(commands, answer); !asked) co_return fail(std::move(asked.error()));
  const auto reply = resp::Reply::parse(answer.replies);
  if (!reply) co_return fail(reply.error());
  auto deleted = read_erase(answer.server->place(), request, reply->root());
  if (!deleted) co_return deleted;
  if (auto confirmed = confirm(commands, answer, request.key); !confirmed) co_return fail(std::move(confirmed.error()));
  co_return deleted;
}

Task<Result<std::vector<Written>>> RedisStore::transact(CallContext context,
                                                        std::span<const state::Operation> operations) {
  if (operations.empty()) co_return std::vector<Written>();
  if (router_->is_cluster())
    if (auto together = check_one_slot(settings_.component, operations); !together)
      co_return fail(std::move(together.error()));
  WriteCommands commands(write_context(context, {}), [operations](std::string& out, const WriteContext& write) {
    return append_transaction(out, operations, write);
  });
  commands.verb = "apply a transaction with";
  const std::string_view first = std::visit([](const auto& one) { return one.key; }, operations.front());
  prepare_write(commands, first, context);
  if (operations.size() > kManyOperations) commands.work = Work::bulk;
  Answer answer;
  if (auto asked = co_await exchange_.run(commands, answer); !asked) co_return fail(std::move(asked.error()));
  const auto reply = resp::Reply::parse(answer.replies);
  if (!reply) co_return fail(reply.error());
  auto written = read_transaction(answer.server->place(), operations, commands.context, reply->root());
  if (!written) co_return written;
  if (auto confirmed = confirm(commands, answer, first); !confirmed) co_return fail(std::move(confirmed.error()));
  co_return written;
}

Task<Status> RedisStore::ping(CallContext context) {
  for (const Shard& shard : std::vector<Shard>(router_->shards())) {
    if (shard.primary == nullptr) continue;
    std::string request;
    resp::append_command(request, {"PING"});
    auto answer = co_await shard.primary->call(Work::hot, request, 1, deadline_of(context));
    if (!answer) co_return fail(std::move(answer.error()));
    if (!resp::is_error(*answer)) continue;
    const auto reply = resp::Reply::parse(*answer);
    if (!reply) co_return fail(reply.error());
    if (trouble_of(reply->root().text()) != Trouble::no_permission)
      co_return fail(describe(shard.primary->place(), "reach the server", reply->root().text()));
  }
  co_return Status();
}

// The servers tell of the keys before the watch is said to be in place, so nothing that is written then is missed.
Task<Result<std::unique_ptr<state::Watcher>>> RedisStore::watch(CallContext context, state::WatchRequest request) {
  if (!capabilities_.watch) co_return co_await StateStore::watch(context, request);
  Follower& follower = core_.follower();
  if (auto covered = co_await follower.cover(std::string(request.prefix), request.want_values, loop_); !covered)
    co_return fail(std::move(covered.error()));
  if (closed_) co_return fail(Errc::unavailable, "the store was closed meanwhile");
  if (listener_ == nullptr) listener_ = std::make_shared<state::Listener>(follower.feed(), loop_);
  co_return listener_->watch(request, [] {});
}

Task<Status> RedisStore::close(CallContext context) {
  end_watches();
  co_await router_->close(std::min(context.deadline, now() + settings_.read_timeout));
  co_return Status();
}

Result<std::shared_ptr<state::StoreCore>> prepare_redis(const state::Component& component,
                                                        const state::StoreEnvironment& environment) {
  auto settings = RedisSettings::read(component);
  if (!settings) return fail(std::move(settings.error()));
  return RedisCore::make(std::move(*settings), component.init_timeout, environment);
}

}  // namespace holdfast::stores::redis
