#include "net/pipeline.h"

#include <fmt/format.h>

#include "net/pipeline_core.h"

namespace holdfast::net {

Pipeline::Pipeline(Loop& loop, PipelineOptions options)
    : core_(std::make_unique<Core>(*this, loop, std::move(options))) {}
Pipeline::~Pipeline() = default;

Pipeline::Call Pipeline::call(std::string_view request, std::uint32_t replies, SteadyTime deadline) {
  return {*core_, Call::Turn::usual, request, replies, deadline};
}
Pipeline::Call Pipeline::call_first(std::string_view request, std::uint32_t replies, SteadyTime deadline) {
  return {*core_, Call::Turn::first, request, replies, deadline};
}
bool Pipeline::is_connected() const { return core_->is_connected(); }
std::size_t Pipeline::in_flight() const { return core_->in_flight(); }
Task<Status> Pipeline::connect(SteadyTime deadline) { return core_->connect(deadline); }
Task<void> Pipeline::close(SteadyTime deadline) { return core_->close(deadline); }
void Pipeline::reset(std::string reason) { core_->reset(std::move(reason)); }

Pipeline::Call::Call(Core& core, Turn turn, std::string_view request, std::uint32_t replies, SteadyTime deadline)
    : deadline_(deadline) {
  assert(replies > 0);
  core.add(*this, turn, request, replies);
}

Pipeline::Call::~Call() {
  if (queue_ != nullptr) queue_->forget(number_);
}

Pipeline::Core::Core(Pipeline& owner, Loop& loop, PipelineOptions options)
    : owner_(owner),
      loop_(loop),
      options_(std::move(options)),
      texts_(options_.name, options_.endpoint.text()),
      attempts_(loop, texts_, options_.backoff_min, options_.backoff_max),
      changes_(loop) {}

Pipeline::Core::~Core() { assert(!running_ && background_ == 0 && sweep_timer_ == 0); }

std::optional<Error> Pipeline::Core::refusal(std::size_t bytes, SteadyTime deadline) const {
  if (closing_) return texts_.closed();
  if (attempts_.has_failed()) return attempts_.unreachable();
  if (deadline <= loop_.coarse_now()) return texts_.late();
  if (usual_.empty()) return std::nullopt;
  if (usual_.size() >= options_.requests_max || usual_.bytes() + bytes > options_.bytes_max)
    return texts_.overloaded(usual_.size(), usual_.bytes());
  return std::nullopt;
}

void Pipeline::Core::add(Call& call, Call::Turn turn, std::string_view request, std::uint32_t replies) {
  const bool is_first = turn == Call::Turn::first;
  std::optional<Error> refused;
  if (!is_first) {
    attempts_.ask();
    refused = refusal(request.size(), call.deadline_);
  } else if (state_ != State::greeting || end_) {
    refused = Error(Errc::unavailable, end_ ? end_->why.message : texts_.about("there is nobody to greet"));
  }
  if (refused) {
    call.is_done_ = true;
    call.result_ = fail(std::move(*refused));
    return;
  }
  (is_first ? first_ : usual_).push(call, request, replies);
  if (is_first || state_ == State::up) {
    post_flush();
  } else {
    want_connection();
  }
  sweep_soon();
}

// Started from the loop, because connecting may fail at once and callers would hear of it inside their call.
void Pipeline::Core::want_connection() {
  attempts_.ask();
  if (std::exchange(running_, true)) return;
  state_ = State::connecting;
  loop_.post([this] { start(run()); });
}

Task<Status> Pipeline::Core::connect(SteadyTime deadline) {
  const Background here(background_, changes_);
  if (is_connected()) co_return Status();
  if (closing_) co_return fail(texts_.closed());
  want_connection();
  attempts_.skip_pause();
  ++connecting_;
  sweep_soon();
  const std::uint64_t failures = attempts_.failures();
  while (!is_connected() && !closing_ && attempts_.failures() == failures &&
         std::chrono::steady_clock::now() < deadline)
    co_await changes_;
  --connecting_;
  if (is_connected()) co_return Status();
  if (closing_) co_return fail(texts_.closed());
  if (attempts_.failures() != failures) co_return fail(attempts_.last_failure());
  co_return fail(Errc::deadline_exceeded,
                 texts_.about(fmt::format("the time was up before {} was connected to", options_.endpoint.text())));
}

Task<void> Pipeline::Core::close(SteadyTime deadline) {
  closing_ = true;
  close_deadline_ = std::min(close_deadline_, deadline);
  changes_.notify();
  attempts_.skip_pause();
  end_if_drained();
  if (running_) sweep_soon();
  while (running_ || background_ > 0) co_await changes_;
  if (sweep_timer_ != 0) loop_.cancel(std::exchange(sweep_timer_, 0));
  sweep_is_soon_ = false;
}

void Pipeline::Core::reset(std::string reason) {
  if (stream_) end(End::reset, Error(Errc::unavailable, std::move(reason)));
}

void Pipeline::Core::post_flush() {
  come_in_company_ = flush_posted_;
  if (std::exchange(flush_posted_, true)) return;
  ++background_;
  loop_.post([this] {
    // Where requests come in company, the loop has found more by now, which it has not come to: they go along.
    if (come_in_company_) return loop_.post([this] { flush_turn(); });
    flush_turn();
  });
}

void Pipeline::Core::flush_turn() {
  flush_posted_ = false;
  flush();
  --background_;
  if (closing_) changes_.notify();
}

bool Pipeline::Core::has_more_to_send() const {
  if (!stream_->can_write()) return false;
  return stream_->has_backlog() || !first_.unsent().empty() || (state_ == State::up && !usual_.unsent().empty());
}

void Pipeline::Core::flush() {
  if (!stream_ || end_ || flushing_rest_) return;
  send_all();
  if (has_more_to_send()) start(flush_rest());
}

void Pipeline::Core::send_all() {
  if (stream_->has_backlog()) stream_->write_now({});
  send(first_);
  if (state_ == State::up && first_.unsent().empty()) send(usual_);
}

void Pipeline::Core::send(RequestQueue& queue) {
  if (const std::string_view bytes = queue.unsent(); !bytes.empty()) queue.sent(stream_->write_now(bytes));
}

Task<void> Pipeline::Core::flush_rest() {
  const Background here(background_, changes_);
  flushing_rest_ = true;
  while (!end_ && has_more_to_send()) {
    co_await stream_->writable();
    if (!end_) send_all();
  }
  flushing_rest_ = false;
}

}  // namespace holdfast::net
