#include "watch.h"

#include "verbs.h"

namespace holdfast::detail {

WatchCore::WatchCore(ScopePtr scope, pb::WatchRequest request)
    : scope_(std::move(scope)),
      request_(std::move(request)),
      canceller_(scope_->transport),
      resume_(request_.resume()) {}

aio::Pending<WatchCore::Next> WatchCore::next() {
  auto promise = std::make_shared<aio::detail::Promise<Next>>(scope_->settings.executor);
  if (!is_wanted_ || is_over_) {
    promise->set(std::nullopt);
    return aio::Pending<Next>(std::move(promise));
  }
  waiter_ = promise;
  if (stream_)
    read();
  else
    open();
  return aio::Pending<Next>(std::move(promise));
}

void WatchCore::cancel() {
  is_wanted_ = false;
  canceller_.cancel();
}

std::string WatchCore::resume() const {
  const std::lock_guard lock(resume_mutex_);
  return resume_;
}

// open() and read() hand this object to the I/O thread, and do nothing with it afterwards.
void WatchCore::open() {
  self_ = shared_from_this();
  request_.set_resume(resume());
  context_ = std::make_unique<grpc::ClientContext>();
  introduce(*context_, *scope_);
  canceller_.begin(*context_);
  stub_ = scope_->transport->watch_stub();
  stream_ = stub_->PrepareAsyncWatch(context_.get(), request_, &io_queue());
  step_ = Step::opening;
  stream_->StartCall(this);
}

void WatchCore::read() {
  self_ = shared_from_this();
  step_ = Step::reading;
  stream_->Read(&message_, this);
}

void WatchCore::happened(bool is_ok) noexcept {
  const auto self = std::move(self_);
  switch (step_) {
    case Step::opening:
    case Step::reading:
      if (is_ok) return step_ == Step::opening ? read() : take_event();
      self_ = self;
      step_ = Step::finishing;
      return stream_->Finish(&status_, this);
    case Step::finishing:
      return take_end();
    case Step::paused:
      if (canceller_.is_cancelled()) return give_up(error_of_status(Code::cancelled, "the client was closed", {}));
      return open();
  }
}

std::optional<EventKind> WatchCore::kind_of_message() const {
  switch (message_.kind()) {
    case pb::WatchEvent::KIND_READY:
      if (!has_begun_) return EventKind::ready;
      // A stream that took the place of another: it went on where that one was, or began anew.
      return request_.resume().empty() ? std::optional(EventKind::resync) : std::nullopt;
    case pb::WatchEvent::KIND_PUT:
      return EventKind::put;
    case pb::WatchEvent::KIND_DELETE:
      return EventKind::deleted;
    case pb::WatchEvent::KIND_EXPIRE:
      return EventKind::expired;
    case pb::WatchEvent::KIND_RESYNC:
      return EventKind::resync;
    default:
      return std::nullopt;  // of a newer sidecar
  }
}

void WatchCore::take_event() {
  failures_ = 0;
  const auto kind = kind_of_message();
  {
    const std::lock_guard lock(resume_mutex_);
    resume_ = message_.resume();
  }
  if (!kind) return read();
  has_begun_ = true;
  give(event_of(message_, *kind));
}

void WatchCore::take_end() {
  canceller_.end();
  stream_.reset();
  context_.reset();
  stub_.reset();
  const ErrorPtr error = error_of(status_);
  if (canceller_.is_cancelled()) return give_up(error);
  // A stream has no end of its own.
  const bool is_final = !status_.ok() && fate_of(*error) == Fate::final;
  if (is_final || (!has_begun_ && failures_ + 1 >= scope_->settings.retry.attempts)) return give_up(error);
  self_ = shared_from_this();
  step_ = Step::paused;
  canceller_.pause(delay_after(scope_->settings.retry, ++failures_, random_chance()), this);
}

void WatchCore::give(Next event) {
  const auto waiter = std::move(waiter_);
  waiter->set(std::move(event));
}

void WatchCore::give_up(const ErrorPtr& error) {
  is_over_ = true;
  if (!is_wanted_) return give(std::nullopt);
  const auto waiter = std::move(waiter_);
  try {
    error->raise();
  } catch (...) {
    waiter->fail(std::current_exception());
  }
}

}  // namespace holdfast::detail
