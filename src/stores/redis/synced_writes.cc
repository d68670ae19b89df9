#include "stores/redis/synced_writes.h"

#include <utility>

#include "stores/redis/exchange.h"

namespace holdfast::stores::redis {
namespace {

// How long the server may hold the connection. Replicas that are well answer in a millisecond.
constexpr Milliseconds kWaitMax{1000};

}  // namespace

SyncedWrites::Batch& SyncedWrites::batch_for(std::uint32_t replicas) {
  for (Batch& batch : batches_)
    if (batch.replicas == replicas) return batch;
  batches_.emplace_back().replicas = replicas;
  return batches_.back();
}

Task<Result<SyncedWrites::Answer>> SyncedWrites::write(std::string_view request, std::uint32_t replicas,
                                                       SteadyTime deadline, bool asks) {
  Waiting waiting{asks, {}};
  Batch& batch = batch_for(replicas);
  batch.requests += request;
  batch.replies += asks ? 2 : 1;
  batch.waiting.push_back(&waiting);
  batch.deadline = std::max(batch.deadline, deadline);
  flush_soon();
  co_return co_await waiting.arrival;
}

void SyncedWrites::flush_soon() {
  if (batches_.empty() || sending_ > 0 || std::exchange(flush_posted_, true)) return;
  loop_.post([this] { flush(); });
}

void SyncedWrites::flush() {
  flush_posted_ = false;
  std::vector<Batch> batches = std::move(batches_);
  batches_.clear();
  sending_ = batches.size();
  for (Batch& batch : batches) start(send(std::move(batch)));
}

Task<void> SyncedWrites::send(Batch batch) {
  if (and_files_) {
    append_wait_aof(batch.requests, batch.replicas, kWaitMax);
  } else {
    append_wait(batch.requests, batch.replicas, kWaitMax);
  }
  auto answered = co_await pipeline_.call(batch.requests, batch.replies + 1, batch.deadline);
  --sending_;
  flush_soon();
  if (!answered) {
    const Error error = std::move(answered.error());
    for (Waiting* const waiting : batch.waiting) waiting->arrival.set(fail(error));
    co_return;
  }
  // Those who wait are told one by one and may do anything then: the replies are taken apart before.
  std::string_view replies = *answered;
  std::vector<Answer> answers(batch.waiting.size());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (batch.waiting[i]->asks) take_reply(replies);
    answers[i].reply = take_reply(replies);
  }
  const std::string waiting(take_reply(replies));
  for (Answer& answer : answers) answer.waiting = waiting;
  for (std::size_t i = 0; i < answers.size(); ++i) batch.waiting[i]->arrival.set(std::move(answers[i]));
}

}  // namespace holdfast::stores::redis
