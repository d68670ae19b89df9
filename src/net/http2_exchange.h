// The requests of an Http2Client and what has come of their answers, wherever they are. Knows no socket and no frame.
// Internal to net/.
//
// An Exchange is made for a Call or a stream, which holds it. It waits (Http2Client::Core), is then of one connection
// (Http2ClientSession), and is free for another when neither its holder nor its connection needs it any more. A caller
// that is resumed may call anything of the client, so callers are resumed last: what finishes an exchange only notes
// it, resume_all() tells.
#pragma once

#include <cassert>
#include <coroutine>
#include <memory>
#include <optional>
#include <vector>

#include "net/http2_client.h"

namespace holdfast::net {

class Http2ClientSession;

// The part that begins anew with every request.
struct Http2ExchangeState {
  std::size_t out_at = 0;      // what of `out` was framed
  std::size_t counted = 0;     // bytes of the request, as counted against bytes_max
  std::size_t head_bytes = 0;  // of the answer's fields, as RFC 9113 6.5.2 counts them
  SteadyTime deadline = SteadyTime::max();
  std::coroutine_handle<> waiter;
  Http2ClientSession* session = nullptr;  // null: it waits, or no connection needs it any more
  std::int32_t id = 0;
  bool is_stream = false;
  bool is_held = true;      // by a Call or a stream
  bool is_waiting = false;  // in Core's queue
  bool is_done = false;     // `result` is what came of it
  bool is_listed = false;   // about to be resumed
  bool is_sent = false;     // its head was framed
  bool out_ended = false;
  bool is_deferred = false;  // it had nothing more to send when it was asked
  bool has_head = false;     // of the answer
  bool was_reset = false;    // by the server
  bool has_ended = false;    // the answer
  // Whoever's list it is in, and those that are about to be resumed or free.
  Http2Exchange* previous = nullptr;
  Http2Exchange* next = nullptr;
  Http2Exchange* next_listed = nullptr;
};

struct Http2Exchange : Http2ExchangeState {
  void begin() {
    static_cast<Http2ExchangeState&>(*this) = {};
    head.clear();
    out.clear();
    answer.status = 0;
    answer.headers.clear();
    answer.body.clear();
    answer.trailers.clear();
    result = Status();
  }

  std::string method;
  http::HeaderBlock head;  // :path and what follows it
  std::string out;         // the request's body
  Http2Answer answer;
  Status result;
};

class Http2ExchangeList {
 public:
  bool empty() const { return first_ == nullptr; }
  Http2Exchange* first() const { return first_; }
  std::size_t size() const { return size_; }
  void push_back(Http2Exchange& exchange) {
    exchange.previous = last_;
    exchange.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &exchange;
    last_ = &exchange;
    ++size_;
  }
  void push_front(Http2Exchange& exchange) {
    exchange.previous = nullptr;
    exchange.next = first_;
    (first_ != nullptr ? first_->previous : last_) = &exchange;
    first_ = &exchange;
    ++size_;
  }
  void erase(Http2Exchange& exchange) {
    (exchange.previous != nullptr ? exchange.previous->next : first_) = exchange.next;
    (exchange.next != nullptr ? exchange.next->previous : last_) = exchange.previous;
    exchange.previous = exchange.next = nullptr;
    --size_;
  }

 private:
  Http2Exchange* first_ = nullptr;
  Http2Exchange* last_ = nullptr;
  std::size_t size_ = 0;
};

// All exchanges of one client.
class Http2Exchanges {
 public:
  Http2Exchanges() = default;
  ~Http2Exchanges() { assert(calls_ == 0 && held_ == 0); }
  Http2Exchanges(const Http2Exchanges&) = delete;
  Http2Exchanges& operator=(const Http2Exchanges&) = delete;

  static std::size_t bytes_of(const Http2Request& request);

  // Held by whoever asks.
  Http2Exchange& make(const Http2Request& request, bool is_stream);
  // What came of it. The first time counts.
  void finish(Http2Exchange& exchange, Status result);
  // Something has come for who waits for it.
  void wake(Http2Exchange& exchange);
  // Who held it lets go of it.
  void let_go(Http2Exchange& exchange);
  // Its connection needs it no more.
  void leave(Http2Exchange& exchange);
  // A part of an answer's body that nobody has yet.
  void hold(std::size_t bytes) { reply_bytes_ += bytes; }

  void resume_all();

  // Those that are not done.
  std::size_t calls() const { return calls_; }
  std::size_t streams() const { return streams_; }
  std::size_t bytes() const { return bytes_; }
  // Of calls' answers that have come in part.
  std::size_t reply_bytes() const { return reply_bytes_; }

 private:
  static constexpr std::size_t kSparesMax = 256;
  static constexpr std::size_t kSpareBytes = 4096;

  void free_if_unused(Http2Exchange& exchange);

  std::vector<std::unique_ptr<Http2Exchange>> spares_;
  Http2Exchange* first_listed_ = nullptr;
  Http2Exchange* last_listed_ = nullptr;
  std::size_t calls_ = 0;
  std::size_t streams_ = 0;
  std::size_t held_ = 0;
  std::size_t bytes_ = 0;
  std::size_t reply_bytes_ = 0;
};

}  // namespace holdfast::net
