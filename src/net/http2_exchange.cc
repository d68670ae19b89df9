#include "net/http2_exchange.h"

namespace holdfast::net {

namespace {

void add_fields(http::HeaderBlock& head, Http2Fields fields) {
  for (const auto& [name, value] : fields) head.add_lower(name, value);
}

std::size_t bytes_of_fields(Http2Fields fields) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : fields) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

std::size_t Http2Exchanges::bytes_of(const Http2Request& request) {
  return request.path.size() + bytes_of_fields(request.fields) + bytes_of_fields(request.more_fields) +
         request.body_prefix.size() + request.body.size();
}

Http2Exchange& Http2Exchanges::make(const Http2Request& request, bool is_stream) {
  std::unique_ptr<Http2Exchange> made;
  if (spares_.empty()) {
    made = std::make_unique<Http2Exchange>();
  } else {
    made = std::move(spares_.back());
    spares_.pop_back();
  }
  Http2Exchange& exchange = *made.release();  // free_if_unused() takes it back
  exchange.begin();
  exchange.method = request.method;
  exchange.head.add_lower(":path", request.path);
  add_fields(exchange.head, request.fields);
  add_fields(exchange.head, request.more_fields);
  exchange.out.append(request.body_prefix).append(request.body);
  exchange.is_stream = is_stream;
  exchange.out_ended = !is_stream;
  exchange.counted = bytes_of(request);
  ++held_;
  ++(is_stream ? streams_ : calls_);
  bytes_ += exchange.counted;
  return exchange;
}

void Http2Exchanges::finish(Http2Exchange& exchange, Status result) {
  if (std::exchange(exchange.is_done, true)) return;
  exchange.result = std::move(result);
  --(exchange.is_stream ? streams_ : calls_);
  bytes_ -= exchange.counted;
  if (!exchange.is_stream) reply_bytes_ -= exchange.answer.body.size();
  if (!exchange.result && !exchange.is_stream) exchange.answer.body = {};
  wake(exchange);
}

void Http2Exchanges::wake(Http2Exchange& exchange) {
  if (!exchange.waiter || std::exchange(exchange.is_listed, true)) return;
  exchange.next_listed = nullptr;
  (last_listed_ != nullptr ? last_listed_->next_listed : first_listed_) = &exchange;
  last_listed_ = &exchange;
}

void Http2Exchanges::resume_all() {
  while (first_listed_ != nullptr) {
    Http2Exchange& exchange = *first_listed_;
    first_listed_ = exchange.next_listed;
    if (first_listed_ == nullptr) last_listed_ = nullptr;
    exchange.is_listed = false;
    std::exchange(exchange.waiter, nullptr).resume();
  }
}

void Http2Exchanges::let_go(Http2Exchange& exchange) {
  assert(exchange.is_held && !exchange.is_listed);
  exchange.is_held = false;
  --held_;
  exchange.waiter = nullptr;
  free_if_unused(exchange);
}

void Http2Exchanges::leave(Http2Exchange& exchange) {
  exchange.session = nullptr;
  free_if_unused(exchange);
}

void Http2Exchanges::free_if_unused(Http2Exchange& exchange) {
  if (exchange.is_held || exchange.is_waiting || exchange.session != nullptr) return;
  std::unique_ptr<Http2Exchange> owned(&exchange);
  const std::size_t kept = exchange.out.capacity() + exchange.answer.body.capacity();
  if (spares_.size() < kSparesMax && kept < kSpareBytes) spares_.push_back(std::move(owned));
}

}  // namespace holdfast::net
