// How the contract maps to etcd. A record is Dapr's key and value, with companions of ours in the same Txn (layout.h).
// The etag is the key's mod_revision, which never comes back. Every write is one Txn whose compares are the conditions
// and whose answer is looked at (writing.h); a transaction is one Txn over all its keys. TTL is a lease that many
// records share (leases.h), and the exact time, written in the record, by which it is judged. A read is linearizable,
// or what one member has where the level permits it; a session's position is a revision. Which member is asked, and
// when the next one is, is in endpoints.h.
#include "stores/etcd/store.h"

#include <fmt/format.h>

#include <algorithm>

#include "stores/etcd/type.h"
#include "stores/etcd/watching.h"

namespace holdfast::stores::etcd {

using state::CallContext;
using state::Capabilities;
using state::Consistency;
namespace wire = holdfast::etcd;

namespace {

constexpr std::uint64_t kKeyBytesMax = 4096;
// Of a request, beside its value: keys three times over, fields, and what a message of etcd's log has around it.
constexpr std::uint64_t kBesideValue = 24 * 1024;
constexpr std::uint32_t kOpsOfDefault = 128;
constexpr std::uint32_t kOpsLeast = 8;

SteadyTime now() { return std::chrono::steady_clock::now(); }

Capabilities capabilities_of(const EtcdSettings& settings, std::uint32_t transaction_ops_max) {
  Capabilities can;
  can.etag = true;
  can.record_fields = true;
  can.reports_created = true;
  can.ttl = true;
  can.ttl_grain_ms = 1;
  can.transaction_ops_max = transaction_ops_max;
  can.snapshot_read = true;
  can.list = true;
  can.ordered_list = true;
  can.snapshot_list = true;
  can.keys_like = true;
  can.delete_prefix = true;
  can.watch = true;
  can.watch_resume = true;
  can.exact_json = true;
  can.durable = true;
  can.key_bytes_max = kKeyBytesMax;
  can.value_bytes_max = settings.request_bytes_max - kBesideValue;
  can.session_positions = true;
  can.writes = Capabilities::always_strong();
  can.reads = Capabilities::always_strong();
  // What one member has is a prefix of what was written.
  for (const Consistency level : {Consistency::eventual, Consistency::consistent_prefix})
    can.reads[static_cast<std::size_t>(level)] = Consistency::consistent_prefix;
  can.reads[static_cast<std::size_t>(Consistency::session)] = Consistency::session;
  return can;
}

}  // namespace

Result<std::shared_ptr<state::StoreCore>> EtcdCore::make(const state::Component& component, Layout layout,
                                                         const state::StoreEnvironment& environment) {
  auto settings = EtcdSettings::read(component, layout);
  if (!settings) return fail(std::move(settings.error()));
  std::shared_ptr<EtcdCore> core(new EtcdCore(std::move(*settings), component.init_timeout, environment));
  if (!core->settings_.uses_tls) return core;
  auto tls = net::TlsClientContext::make({.ca_pem = core->settings_.ca_pem,
                                          .certificate_pem = core->settings_.certificate_pem,
                                          .key_pem = core->settings_.key_pem,
                                          .server_name = core->settings_.server_name,
                                          .verify = core->settings_.verify,
                                          .alpn = "h2"});
  if (!tls) return fail(with_context(std::move(tls.error()), core->settings_.place()));
  core->tls_ = std::move(*tls);
  return core;
}

Task<Result<std::unique_ptr<state::StateStore>>> EtcdCore::open(Scheduler& scheduler) {
  auto* const loop = dynamic_cast<net::Loop*>(&scheduler);
  if (loop == nullptr) co_return fail(Errc::internal, "state.etcd needs a loop with sockets");
  const SteadyTime deadline = now() + init_timeout_;
  auto store = std::make_unique<EtcdStore>(*this, *loop, tls_, handles_.fetch_add(1));
  if (Status connected = co_await store->connect(deadline); !connected) {
    CallContext context;
    context.deadline = deadline;
    (void)co_await store->close(context);
    co_return fail(std::move(connected.error()));
  }
  co_return std::move(store);
}

EtcdStore::EtcdStore(const EtcdCore& core, net::Loop& loop, std::shared_ptr<const net::TlsClientContext> tls,
                     std::size_t first)
    : settings_(core.settings()),
      clock_(core.clock()),
      loop_(loop),
      endpoints_(loop, settings_, std::move(tls), first),
      sharing_(loop, endpoints_),
      leases_(loop, endpoints_, settings_.place()),
      transaction_ops_max_(settings_.transaction_ops_max),
      capabilities_(capabilities_of(settings_, transaction_ops_max_)) {}

EtcdStore::~EtcdStore() = default;

// How many operations a Txn may have is told by nobody, so that many are tried, which read nothing.
Task<Status> EtcdStore::connect(SteadyTime deadline) {
  if (Status connected = co_await endpoints_.connect(deadline); !connected) co_return connected;
  const std::string key = Keys(settings_.key_prefix, "").record;
  while (true) {
    wire::Txn txn;
    txn.success.assign(transaction_ops_max_,
                       wire::Range{.key = key, .limit = 1, .serializable = true, .keys_only = true});
    std::string request;
    wire::append(request, txn);
    const auto answer =
        co_await endpoints_.call({.method = wire::kTxn, .request = request, .doing = "begin", .deadline = deadline});
    if (answer) break;
    if (!is_refusal(answer.error(), Trouble::too_many_operations) || transaction_ops_max_ <= kOpsLeast)
      co_return fail(answer.error());
    transaction_ops_max_ = transaction_ops_max_ > kOpsOfDefault ? kOpsOfDefault : transaction_ops_max_ / 2;
  }
  capabilities_ = capabilities_of(settings_, transaction_ops_max_);
  sharing_.set_operations_max(transaction_ops_max_);
  co_return Status();
}

SteadyTime EtcdStore::deadline_of(const CallContext& context) const {
  return std::min(context.deadline, now() + settings_.timeout);
}

Status EtcdStore::check_key(std::string_view key) const {
  if (key.size() <= kKeyBytesMax) return {};
  return fail(Errc::invalid_argument, fmt::format("{}: a key of {} bytes is longer than {} bytes", settings_.place(),
                                                  key.size(), kKeyBytesMax));
}

bool EtcdStore::may_be_behind(Consistency level) {
  return level == Consistency::eventual || level == Consistency::consistent_prefix || level == Consistency::session;
}

void EtcdStore::reach(const CallContext& context, const Header& header) {
  if (context.position != nullptr)
    context.position->reach({header.cluster, static_cast<std::uint64_t>(header.revision)});
}

// A session that has seen nothing of this cluster asks the cluster as a whole.
bool EtcdStore::is_far_enough(const CallContext& context, const Header& header) {
  if (context.consistency != Consistency::session) return true;
  if (context.position == nullptr) return false;
  const auto seen = context.position->on(header.cluster);
  return seen && static_cast<std::uint64_t>(header.revision) >= *seen;
}

Task<Status> EtcdStore::ping(CallContext context) {
  std::string request;
  const std::string key = Keys(settings_.key_prefix, "").record;
  wire::append(request, wire::Range{.key = key, .limit = 1, .keys_only = true});
  const auto answer = co_await endpoints_.call(
      {.method = wire::kRange, .request = request, .doing = "reach the cluster", .deadline = deadline_of(context)});
  if (!answer) co_return fail(answer.error());
  co_return Status();
}

Task<Status> EtcdStore::close(CallContext context) {
  closed_ = true;
  const SteadyTime deadline = deadline_of(context);
  for (EtcdWatcher* watcher : watchers_) watcher->cancel();
  co_await leases_.give_back(deadline);
  co_await endpoints_.close(deadline);
  co_return Status();
}

}  // namespace holdfast::stores::etcd
