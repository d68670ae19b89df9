#include "stores/postgresql/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/random.h"

namespace holdfast::stores::postgresql {
namespace {

constexpr Milliseconds kSweep{20};
constexpr Milliseconds kIdleSweep{5000};
constexpr Milliseconds kBackoffMin{8};
constexpr Milliseconds kBackoffMax{250};
constexpr Milliseconds kConnectTimeout{5000};
// Beyond what a statement may take by the server's own clock.
constexpr Milliseconds kGrace{1000};
constexpr int kTriesMax = 8;
// Transactions of one kind that many share: while one is at the disk, the next one is read and judged.
constexpr std::size_t kSharedInFlight = 2;
// How long before a deadline a commit that still waits is cancelled.
constexpr SteadyTime::duration kCancelMin = Milliseconds(50);
constexpr SteadyTime::duration kCancelMax = Milliseconds(1000);

SteadyTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

Pool::Pool(net::Loop& loop, const PostgresqlSettings& settings, WorkerPool& openers, PoolOptions options)
    : loop_(loop),
      settings_(settings),
      openers_(openers),
      options_(options),
      place_(settings.place()),
      changed_(loop) {}

Pool::~Pool() {
  if (sweep_timer_ != 0) loop_.cancel(sweep_timer_);
}

void Pool::adopt(ConnectionHandle handle) {
  ++alive_;
  const auto ended = [this] {
    --alive_;
    forget_ended();
    share_soon();
    changed_.ring();
  };
  connections_.push_back(
      Connection::start(loop_, std::move(handle), settings_.prepares, {[this] { share_soon(); }, ended}));
  sweep_soon();
}

Task<Answer> Pool::run(std::span<const Execution> executions, SteadyTime deadline, Kind kind, Sharing sharing) {
  // Which of them would be cancelled?
  if (options_.cancels_late) sharing = {};
  for (int tries = 1;; ++tries) {
    auto exchange = std::make_shared<Exchange>();
    exchange->executions = executions;
    exchange->sharing = sharing;
    exchange->deadline = deadline;
    if (options_.cancels_late)
      exchange->cancel_at = deadline - std::clamp((deadline - now()) / 4, kCancelMin, kCancelMax);
    for (const Execution& execution : executions) exchange->bytes += execution.values.bytes_in_all();
    co_await ask(exchange);
    Answer answer = std::move(exchange->answer);
    const auto may_repeat = [&] { return tries < kTriesMax && now() < deadline && !closed_; };
    if (answer.is_spoiled) {
      // By itself it spoils nothing and nothing spoils it.
      sharing = {};
      if (may_repeat()) continue;
      answer.was_sent = false;
      answer.lost = Error(Errc::deadline_exceeded, place_.text() + ": the time was up, and nothing was done");
      co_return answer;
    }
    if (answer.refusal) {
      if (!may_repeat() || !is_worth_repeating(*answer.refusal)) co_return answer;
    } else if (!answer.lost || !may_repeat() || answer.lost->code != Errc::unavailable || !answer.was_sent ||
               kind == Kind::writing) {
      co_return answer;
    }
  }
}

// Until the exchange is done.
Task<void> Pool::ask(std::shared_ptr<Exchange> exchange) {
  struct Done {
    Exchange& exchange;
    bool await_ready() const noexcept { return exchange.is_done; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { exchange.waiter = waiter; }
    void await_resume() const noexcept {}
  };
  const auto refuse = [&](Errc code, std::string why) {
    exchange->answer.lost = Error(code, fmt::format("{}: {}", place_.text(), why));
  };
  if (closed_) co_return refuse(Errc::unavailable, "the store was closed");
  if (exchanges_ >= options_.exchanges_max || (bytes_ + exchange->bytes > options_.bytes_max && exchanges_ > 0))
    co_return refuse(Errc::overloaded, "too many requests wait for " + place_.server + " already; try again later");
  ++exchanges_;
  bytes_ += exchange->bytes;
  const bool dispatched = dispatch(exchange);
  if (!dispatched && last_failure_ && (now() < next_attempt_ || opening_ > 0))
    // Whoever made the attempt waits for it, nobody else: it may take long.
    exchange->answer.lost = last_failure_, exchange->finish();
  else if (!dispatched)
    waiting_.push_back(exchange);
  if (!shares_soon_) grow();
  sweep_soon();
  co_await Done{*exchange};
  --exchanges_;
  bytes_ -= exchange->bytes;
  if (closed_) changed_.ring();
}

bool Pool::is_connected() {
  if (usable() > 0) return true;
  grow();
  return false;
}

std::size_t Pool::usable() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(connections_, [](const auto& each) { return each->is_usable(); }));
}

Connection* Pool::least_busy() {
  const SteadyTime at = connections_.size() > 1 ? now() : SteadyTime();
  const auto burden = [at](const Connection& each) { return std::pair(each.is_held_up(at), each.in_flight()); };
  Connection* best = nullptr;
  for (const auto& each : connections_)
    if (each->is_usable() && (best == nullptr || burden(*each) < burden(*best))) best = each.get();
  return best;
}

// One attempt at a time: a server that does not answer is not asked by many.
void Pool::grow() {
  if (closed_ || opening_ > 0 || usable() >= options_.connections_max || now() < next_attempt_) return;
  const Connection* const best = least_busy();
  if (best != nullptr && best->in_flight() <= 1 && !best->is_held_up(now())) return;
  start(open());
}

Task<void> Pool::open() {
  ++opening_;
  const SteadyTime deadline = now() + kConnectTimeout;
  const auto job = [this, deadline]() -> Result<ConnectionHandle> {
    return open_for_loop(settings_, options_.role, deadline, stopped_);
  };
  auto opened = co_await offload(openers_, loop_, job);
  --opening_;
  if (closed_) {
    fail_waiting({Errc::unavailable, place_.text() + ": the store was closed"});
    co_return changed_.ring();
  }
  if (opened) {
    if (last_failure_) log::info("holdfast.postgresql", "{}: connected to {} again", place_.text(), place_.server);
    last_failure_.reset();
    backoff_ = Milliseconds(0);
    adopt(std::move(*opened));
    serve_waiting();
    co_return grow();
  }
  if (!last_failure_) log::warn("holdfast.postgresql", "{}", opened.error().message);
  last_failure_ = std::move(opened.error());
  backoff_ = std::clamp(backoff_ * 2, kBackoffMin, kBackoffMax);
  next_attempt_ = now() + backoff_ / 2 + Milliseconds(random_u64() % static_cast<std::uint64_t>(backoff_.count()));
  if (usable() == 0) fail_waiting(*last_failure_);
}

void Pool::serve_waiting() {
  while (!waiting_.empty()) {
    const auto exchange = waiting_.front();
    if (!exchange->is_done && !dispatch(exchange)) return;
    waiting_.pop_front();
  }
}

// False: there is no connection.
bool Pool::dispatch(const std::shared_ptr<Exchange>& exchange) {
  if (exchange->sharing.kind != nullptr) {
    if (usable() == 0) return false;
    gather(exchange);
    share_soon();
    return true;
  }
  Connection* const connection = least_busy();
  if (connection != nullptr) connection->send({exchange});
  return connection != nullptr;
}

void Pool::gather(std::shared_ptr<Exchange> exchange) {
  const void* const kind = exchange->sharing.kind;
  auto gathering = std::ranges::find(gatherings_, kind, &Gathering::kind);
  if (gathering == gatherings_.end()) gathering = gatherings_.emplace(gathering, kind);
  gathering->add(std::move(exchange));
}

// At the end of this turn of the loop, so that all that it has brought goes together.
void Pool::share_soon() {
  if (shares_soon_ || std::ranges::all_of(gatherings_, &Gathering::empty)) return;
  shares_soon_ = true;
  loop_.post([this] {
    shares_soon_ = false;
    share();
    if (closed_) changed_.ring();
  });
}

void Pool::share() {
  for (Gathering& gathering : gatherings_) {
    while (!gathering.empty()) {
      Connection* const connection = least_busy();
      if (connection == nullptr) return stop_gathering();
      if (in_flight_of(gathering.kind()) >= kSharedInFlight) break;
      if (Batch batch = gathering.take(); !batch.empty()) connection->send(std::move(batch));
    }
  }
  grow();
}

// There is no connection: what would share one waits for it with the others.
void Pool::stop_gathering() {
  for (Gathering& gathering : gatherings_)
    while (!gathering.empty()) std::ranges::move(gathering.take(), std::back_inserter(waiting_));
  if (!waiting_.empty()) grow();
}

// What is held up holds nobody up.
std::size_t Pool::in_flight_of(const void* kind) const {
  const SteadyTime at = now();
  std::size_t count = 0;
  for (const auto& each : connections_)
    if (each->is_usable() && !each->is_held_up(at)) count += each->in_flight_of(kind);
  return count;
}

void Pool::fail_waiting(const Error& error) {
  stop_gathering();
  for (auto failed = std::exchange(waiting_, {}); const auto& exchange : failed) {
    if (exchange->is_done) continue;
    exchange->answer.lost = error;
    exchange->finish();
    exchange->resume();
  }
}

void Pool::forget_ended() {
  std::erase_if(connections_, [](const auto& each) { return !each->is_usable(); });
}

void Pool::sweep_soon() {
  const bool is_busy = exchanges_ > 0;
  if (closed_ || (sweep_timer_ != 0 && (sweep_is_soon_ || !is_busy))) return;
  if (sweep_timer_ != 0) loop_.cancel(sweep_timer_);
  sweep_is_soon_ = is_busy;
  sweep_timer_ = loop_.after(is_busy ? kSweep : kIdleSweep, [this] {
    sweep_timer_ = 0;
    sweep();
  });
}

void Pool::sweep() {
  const SteadyTime at = now();
  // A copy: what is told may open and close connections.
  bool was_silent = false;
  for (const auto& each : std::vector(connections_)) {
    const bool was_usable = each->is_usable();
    each->sweep(at, at - settings_.timeout - kGrace);
    was_silent |= was_usable && !each->is_usable();
  }
  if (was_silent && usable() == 0) {
    last_failure_ = Error(Errc::unavailable, fmt::format("{}: {} has been silent for too long; try again later",
                                                         place_.text(), place_.server));
    log::warn("holdfast.postgresql", "{}", last_failure_->message);
    // So that no caller has to make the attempt, and to wait for it.
    grow();
  }
  Batch late;
  const auto note_late = [&](const auto& waiting) {
    for (const auto& exchange : waiting)
      if (!exchange->is_done && exchange->deadline <= at) late.push_back(exchange);
  };
  note_late(waiting_);
  for (const Gathering& gathering : gatherings_) note_late(gathering.waiting());
  for (const auto& exchange : late) {
    exchange->answer.lost =
        last_failure_.value_or(Error(Errc::deadline_exceeded, place_.text() +
                                                                  ": the time was up before it could be "
                                                                  "sent to " +
                                                                  place_.server));
    exchange->finish();
    exchange->resume();
  }
  std::erase_if(waiting_, [](const auto& exchange) { return exchange->is_done; });
  if (!waiting_.empty()) grow();
  share_soon();
  cancel_late(at);
  close_idle(at);
  if (exchanges_ > 0 || connections_.size() > 1) sweep_soon();
}

// On another thread, because it takes a connection of its own.
void Pool::cancel_late(SteadyTime now) {
  if (!options_.cancels_late) return;
  for (const auto& each : connections_) {
    PGcancel* const cancel = each->cancel_late(now);
    if (cancel == nullptr) continue;
    const bool accepted = openers_.submit([cancel] {
      char why[256];
      libpq().cancel(cancel, why, sizeof why);
      libpq().freeCancel(cancel);
    });
    if (!accepted) libpq().freeCancel(cancel);
  }
}

// The last one stays.
void Pool::close_idle(SteadyTime now) {
  std::size_t count = usable();
  for (const auto& each : std::vector(connections_)) {
    if (count <= 1) return;
    if (!each->is_usable() || each->in_flight() > 0) continue;
    const auto age_max = settings_.connection.age_max;
    const bool is_old = age_max && now - each->opened_at() > *age_max;
    if (!is_old && now - each->busy_at() <= settings_.idle_max) continue;
    each->close("nobody used it");
    --count;
  }
}

Task<void> Pool::close(SteadyTime deadline) {
  closed_ = true;
  while (exchanges_ > 0 && now() < deadline)
    co_await changed_.wait(std::max(std::chrono::ceil<Milliseconds>(deadline - now()), Milliseconds(1)));
  stopped_ = true;
  fail_waiting({Errc::unavailable, place_.text() + ": the store was closed"});
  for (const auto& each : std::vector(connections_)) each->close("the store was closed");
  while (alive_ > 0 || opening_ > 0 || exchanges_ > 0 || shares_soon_) co_await changed_.wait(kSweep);
}

}  // namespace holdfast::stores::postgresql
