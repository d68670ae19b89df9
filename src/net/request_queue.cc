#include "net/request_queue.h"

namespace holdfast::net {

void FinishedCalls::add(Pipeline::Call& call, Error why) {
  call.queue_ = nullptr;
  call.is_done_ = true;
  call.result_ = fail(std::move(why));
  if (!call.waiter_) return;
  call.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &call;
  last_ = &call;
}

void FinishedCalls::resume_all() {
  while (first_ != nullptr) {
    // It may be gone when it has gone on.
    Pipeline::Call& call = *std::exchange(first_, first_->next_);
    if (first_ == nullptr) last_ = nullptr;
    call.waiter_.resume();
  }
}

void RequestQueue::push(Call& call, std::string_view request, std::uint32_t replies) {
  if (size_ == ring_.size()) grow();
  call.queue_ = this;
  call.number_ = first_number_ + size_;
  ++size_;
  slot(size_ - 1) = {&call, queued_, replies};
  out_.append(request);
  queued_ += request.size();
  earliest_deadline_ = std::min(earliest_deadline_, call.deadline_);
}

void RequestQueue::grow() {
  std::vector<Slot> larger(std::max<std::size_t>(16, ring_.size() * 2));
  for (std::size_t i = 0; i < size_; ++i) larger[i] = slot(i);
  ring_ = std::move(larger);
  first_ = 0;
}

void RequestQueue::pop() {
  first_ = (first_ + 1) & (ring_.size() - 1);
  --size_;
  ++first_number_;
}

void RequestQueue::answer(std::string_view replies) {
  Call* const call = slot(0).call;
  pop();
  if (call == nullptr) return;
  call->queue_ = nullptr;
  call->is_done_ = true;
  if (call->waiter_) {
    call->result_ = replies;
    call->waiter_.resume();
  } else {
    call->kept_ = replies;
    call->result_ = call->kept_;
  }
}

void RequestQueue::finish(Slot& slot, const Error& why, FinishedCalls& finished) {
  if (slot.call != nullptr) finished.add(*std::exchange(slot.call, nullptr), why);
}

std::size_t RequestQueue::first_unsent() const {
  std::size_t i = 0;
  while (i < size_ && slot(i).begin < sent_) ++i;
  return i;
}

void RequestQueue::expire(SteadyTime now, const Error& if_sent, const Error& if_not, FinishedCalls& finished) {
  earliest_deadline_ = SteadyTime::max();
  const std::size_t unsent = first_unsent();
  bool unsent_expired = false;
  for (std::size_t i = 0; i < size_; ++i) {
    Slot& at = slot(i);
    if (at.call == nullptr) continue;
    if (at.call->deadline_ > now) {
      earliest_deadline_ = std::min(earliest_deadline_, at.call->deadline_);
      continue;
    }
    unsent_expired |= i >= unsent;
    finish(at, i < unsent ? if_sent : if_not, finished);
  }
  if (unsent_expired) remove_unsent_without_caller(unsent);
}

void RequestQueue::remove_unsent_without_caller(std::size_t from) {
  const std::string_view bytes = out_.view();
  const std::uint64_t start = sent_;
  const std::uint64_t end = queued_;
  ByteQueue kept;
  kept.append(bytes.substr(0, slot(from).begin - start));  // the rest of one that was sent in part
  std::size_t to = from;
  for (std::size_t i = from; i < size_; ++i) {
    const Slot at = slot(i);
    const std::uint64_t next = i + 1 < size_ ? slot(i + 1).begin : end;
    if (at.call == nullptr) continue;
    at.call->number_ = first_number_ + to;
    slot(to++) = {at.call, start + kept.size(), at.replies};
    kept.append(bytes.substr(at.begin - start, next - at.begin));
  }
  size_ = to;
  queued_ = start + kept.size();
  out_ = std::move(kept);
}

void RequestQueue::fail_sent(const Error& why, FinishedCalls& finished) {
  while (is_reply_due()) {
    finish(slot(0), why, finished);
    pop();
  }
  const std::uint64_t rest = (empty() ? queued_ : slot(0).begin) - sent_;
  sent(static_cast<std::size_t>(rest));
}

void RequestQueue::fail_all(const Error& if_sent, const Error& if_not, FinishedCalls& finished) {
  fail_sent(if_sent, finished);
  while (!empty()) {
    finish(slot(0), if_not, finished);
    pop();
  }
  sent(out_.size());
}

void RequestQueue::shrink() {
  if (!empty()) return;
  out_.shrink();
  if (ring_.size() <= kSlotsKept) return;
  ring_ = {};
  first_ = 0;
}

}  // namespace holdfast::net
