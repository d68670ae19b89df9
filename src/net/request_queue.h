// What was asked over a Pipeline and not answered yet, in order, with the bytes of it that were not sent yet. Knows no
// socket. Internal to net/.
#pragma once

#include <vector>

#include "net/byte_queue.h"
#include "net/pipeline.h"

namespace holdfast::net {

// Calls that have their result and wait to be told. Telling them comes last: a caller that goes on may call anything.
class FinishedCalls {
 public:
  FinishedCalls() = default;
  FinishedCalls(const FinishedCalls&) = delete;
  FinishedCalls& operator=(const FinishedCalls&) = delete;

  // A call that nobody awaits yet has its result and is not listed: it may be gone before resume_all().
  void add(Pipeline::Call& call, Error why);
  void resume_all();

 private:
  Pipeline::Call* first_ = nullptr;
  Pipeline::Call* last_ = nullptr;
};

class RequestQueue {
 public:
  using Call = Pipeline::Call;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // Of all requests in it, sent or not.
  std::size_t bytes() const { return empty() ? 0 : queued_ - slot(0).begin; }

  void push(Call& call, std::string_view request, std::uint32_t replies);

  std::string_view unsent() const { return out_.view(); }
  void sent(std::size_t bytes) {
    out_.consume(bytes);
    sent_ += bytes;
  }

  // Whether the oldest request has been sent, in part at least.
  bool is_reply_due() const { return !empty() && slot(0).begin < sent_; }
  // Whether a part of it was sent and a part was not.
  bool is_oldest_on_its_way() const { return is_reply_due() && sent_ < (size_ > 1 ? slot(1).begin : queued_); }
  std::uint64_t sent_bytes() const { return sent_; }
  // One reply to the oldest request has come. Whether it was its last.
  bool count_reply() { return --slot(0).replies == 0; }
  // Takes the oldest request out and gives its caller the replies, who goes on inside this call.
  void answer(std::string_view replies);

  // False when no deadline has passed: what looks at all of them need not.
  bool may_be_late(SteadyTime now) const { return now >= earliest_deadline_; }
  // Finishes the calls whose deadline has passed. Those that were sent keep their place, for the replies to come; the
  // others leave it, and their bytes are never sent.
  void expire(SteadyTime now, const Error& if_sent, const Error& if_not, FinishedCalls& finished);
  // The connection is gone: finishes what was sent, and forgets the rest of a request that was sent in part.
  void fail_sent(const Error& why, FinishedCalls& finished);
  void fail_all(const Error& if_sent, const Error& if_not, FinishedCalls& finished);

  // Nobody waits for this one any more.
  void forget(std::uint64_t number) { slot(static_cast<std::size_t>(number - first_number_)).call = nullptr; }

  // Gives memory back, when nothing is in it.
  void shrink();

 private:
  struct Slot {
    Call* call = nullptr;     // null: nobody waits
    std::uint64_t begin = 0;  // where the request begins in the stream of all requests
    std::uint32_t replies = 0;
  };
  static constexpr std::size_t kSlotsKept = 1024;

  Slot& slot(std::size_t index) { return ring_[(first_ + index) & (ring_.size() - 1)]; }
  const Slot& slot(std::size_t index) const { return ring_[(first_ + index) & (ring_.size() - 1)]; }
  void grow();
  void pop();
  static void finish(Slot& slot, const Error& why, FinishedCalls& finished);
  std::size_t first_unsent() const;
  void remove_unsent_without_caller(std::size_t from);

  std::vector<Slot> ring_;  // a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::uint64_t first_number_ = 0;
  // Positions in the stream of all requests.
  std::uint64_t sent_ = 0;
  std::uint64_t queued_ = 0;
  ByteQueue out_;  // from sent_ to queued_
  // No call's deadline is earlier.
  SteadyTime earliest_deadline_ = SteadyTime::max();
};

}  // namespace holdfast::net
