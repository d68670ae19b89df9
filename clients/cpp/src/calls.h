// A call from its request to its result, in both forms.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "attempts.h"
#include "holdfast/aio.h"
#include "session_tokens.h"
#include "transport.h"

namespace holdfast::detail {

// What all calls of a client share.
struct Settings {
  Timeout timeout;
  std::string token;
  std::string isolation;
  Retry retry;
  aio::Executor executor;
};

class Scope {
 public:
  std::shared_ptr<Transport> transport;
  Settings settings;
  std::shared_ptr<SessionTokens> session;
};
using ScopePtr = std::shared_ptr<Scope>;

// A method of the service, as gRPC has it for each form.
template <class Request, class Answer>
struct Method {
  grpc::Status (Stub::*blocking)(grpc::ClientContext*, const Request&, Answer*);
  std::unique_ptr<grpc::ClientAsyncResponseReader<Answer>> (Stub::*awaited)(grpc::ClientContext*, const Request&,
                                                                            grpc::CompletionQueue*);
};

// What is known beside the message of an answer.
struct Answered {
  std::optional<ConsistencyLevel> consistency = {};
  bool is_repeated = false;  // an earlier sending may have been applied
};

// A call of one verb. `read` makes its result of the answer; `absent` of an error, if that is no error here.
template <class Request, class Answer, class T>
struct Call {
  using Result = T;

  Method<Request, Answer> method;
  Request request;
  Nature nature;
  std::function<T(Answer&, const Answered&)> read;
  std::function<std::optional<T>(const Error&)> absent;
  Timeout timeout;
};

// Says in a call's metadata who calls; the session's tokens that were sent.
std::string introduce(grpc::ClientContext& context, const Scope& scope);

// What an answer's metadata told.
struct Told {
  std::string session;
  std::optional<ConsistencyLevel> consistency;
};
Told told_by(const grpc::ClientContext& context);

ErrorPtr error_of(const grpc::Status& status);

// A call without the waiting: `begin`, send, `end`, until `end` asks for no pause.
template <class Request, class Answer, class T>
class Trip {
 public:
  Trip(ScopePtr scope, Call<Request, Answer, T> call)
      : scope_(std::move(scope)),
        call_(std::move(call)),
        attempts_(call_.nature, call_.timeout ? call_.timeout : scope_->settings.timeout, scope_->settings.retry,
                  Clock::now()) {}

  // Before each sending. The context is valid until the next.
  grpc::ClientContext& begin() {
    answer_.Clear();
    context_ = std::make_unique<grpc::ClientContext>();
    sent_ = introduce(*context_, *scope_);
    if (const Timeout left = attempts_.begin(Clock::now()))
      context_->set_deadline(std::chrono::system_clock::now() + *left);
    return *context_;
  }
  // After each sending: how long to wait before the next; nothing when the result is known.
  std::optional<milliseconds> end(const grpc::Status& status) {
    const Told told = told_by(*context_);
    scope_->session->answered(sent_, told.session);
    if (status.ok()) {
      told_ = {told.consistency, attempts_.is_lost()};
      return std::nullopt;
    }
    last_ = error_of(status);
    Attempts::Next next = attempts_.failed(last_, Clock::now(), random_chance());
    if (!next.error) return next.pause;
    error_ = std::move(next.error);
    return std::nullopt;
  }
  // In the place of another sending.
  void give_up() { error_ = attempts_.ended(last_); }
  // The result, once it is known; throws what it failed with.
  T take() {
    if (!error_) return call_.read(answer_, told_);
    if (call_.absent && !attempts_.is_lost())
      if (std::optional<T> result = call_.absent(*error_)) return std::move(*result);
    error_->raise();
  }

  const Scope& scope() const { return *scope_; }
  const Method<Request, Answer>& method() const { return call_.method; }
  const Request& request() const { return call_.request; }
  Answer& answer() { return answer_; }

 private:
  ScopePtr scope_;
  Call<Request, Answer, T> call_;
  Attempts attempts_;
  Answer answer_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::string sent_;
  Answered told_;
  ErrorPtr last_;
  ErrorPtr error_;
};

// On the caller's thread.
template <class Request, class Answer, class T>
T call(Blocking, ScopePtr scope, Call<Request, Answer, T> what) {
  Canceller canceller(scope->transport);
  Trip trip(std::move(scope), std::move(what));
  while (true) {
    grpc::ClientContext& context = trip.begin();
    canceller.begin(context);
    const auto stub = trip.scope().transport->stub();
    const grpc::Status status = (stub.get()->*trip.method().blocking)(&context, trip.request(), &trip.answer());
    canceller.end();
    const auto pause = trip.end(status);
    if (!pause) return trip.take();
    if (canceller.pause(*pause)) continue;
    trip.give_up();
    return trip.take();
  }
}

// On the I/O thread, but for the beginning. Frees itself at its end.
template <class Request, class Answer, class T>
class AwaitedCall final : Event {
 public:
  static aio::Pending<T> start(ScopePtr scope, Call<Request, Answer, T> what) {
    auto promise = std::make_shared<aio::detail::Promise<T>>(scope->settings.executor);
    (new AwaitedCall(std::move(scope), std::move(what), promise))->send();
    return aio::Pending<T>(std::move(promise));
  }

 private:
  AwaitedCall(ScopePtr scope, Call<Request, Answer, T> what, std::shared_ptr<aio::detail::Promise<T>> promise)
      : promise_(std::move(promise)), trip_(scope, std::move(what)), canceller_(scope->transport) {}

  // The last thing to do with this object on the thread that calls it: the I/O thread may be done with it at once.
  void send() {
    reader_.reset();  // it lives in its context's memory
    grpc::ClientContext& context = trip_.begin();
    canceller_.begin(context);
    stub_ = trip_.scope().transport->stub();
    reader_ = (stub_.get()->*trip_.method().awaited)(&context, trip_.request(), &io_queue());
    reader_->StartCall();
    reader_->Finish(&trip_.answer(), &status_, this);
  }

  void happened(bool) noexcept override {
    if (is_paused_) {
      is_paused_ = false;
      if (!canceller_.is_cancelled()) return send();
      trip_.give_up();
      return finish();
    }
    canceller_.end();
    const auto pause = trip_.end(status_);
    if (!pause) return finish();
    is_paused_ = true;
    canceller_.pause(*pause, this);
  }

  void finish() {
    const auto promise = std::move(promise_);
    std::exception_ptr error;
    std::optional<T> result;
    try {
      result.emplace(trip_.take());
    } catch (...) {
      error = std::current_exception();
    }
    delete this;
    if (error)
      promise->fail(std::move(error));
    else
      promise->set(std::move(*result));
  }

  std::shared_ptr<aio::detail::Promise<T>> promise_;
  std::shared_ptr<Stub> stub_;
  Trip<Request, Answer, T> trip_;
  Canceller canceller_;
  std::unique_ptr<grpc::ClientAsyncResponseReader<Answer>> reader_;
  grpc::Status status_;
  bool is_paused_ = false;
};

template <class Request, class Answer, class T>
aio::Pending<T> call(aio::Awaited, ScopePtr scope, Call<Request, Answer, T> what) {
  return AwaitedCall<Request, Answer, T>::start(std::move(scope), std::move(what));
}

}  // namespace holdfast::detail
