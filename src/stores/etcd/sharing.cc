#include "stores/etcd/sharing.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/parked.h"

namespace holdfast::stores::etcd {

namespace wire = holdfast::etcd;

namespace {

constexpr std::size_t kInFlight = 2;
// What takes longer holds nobody up.
constexpr Milliseconds kHeldUp{50};

// Whether a refusal may be for one of those who share, and nothing was done.
bool is_for_one(const Error& error) {
  const auto trouble = refusal_of(error);
  return trouble && is_undone(*trouble) && *trouble != Trouble::no_leader && *trouble != Trouble::overloaded;
}

}  // namespace

Sharing::~Sharing() {
  if (timer_ != 0) loop_.cancel(timer_);
}

void Sharing::set_operations_max(std::uint32_t operations) {
  readings_.most = std::max<std::size_t>(operations / kReadingMost, 1);
  writings_.most = operations > kInnerMost + kWritingMost ? (operations - kInnerMost) / kWritingMost : 1;
}

Task<Result<Part>> Sharing::call(Request request) {
  auto waiting = std::make_shared<Waiting>();
  waiting->sharing = {request.key, request.access == Access::write};
  waiting->bytes = request.bytes;
  waiting->request = &request;
  kind_of(request.access).gathering.add(waiting);
  share_soon();
  co_await Parked{waiting->waiter};
  if (!waiting->is_spoiled) co_return std::move(waiting->result);
  const wire::Txn txn{.compares = {}, .success = {request.operations.begin(), request.operations.end()}, .failure = {}};
  co_return co_await endpoints_.transact(
      txn, {.access = request.access, .doing = request.doing, .deadline = request.deadline});
}

// At the end of this turn of the loop, so that all that it has brought goes together.
void Sharing::share_soon() {
  if (std::exchange(shares_soon_, true)) return;
  loop_.post([this] {
    shares_soon_ = false;
    share();
  });
}

void Sharing::share() {
  const SteadyTime now = loop_.coarse_now();
  for (Kind* const kind : {&readings_, &writings_}) {
    const auto in_flight = [&] {
      return static_cast<std::size_t>(
          std::ranges::count_if(kind->began, [&](SteadyTime began) { return began + kHeldUp > now; }));
    };
    while (!kind->gathering.empty() && in_flight() < kInFlight) start(send(*kind, kind->gathering.take(kind->most)));
  }
  if (timer_ != 0 || (readings_.gathering.empty() && writings_.gathering.empty())) return;
  timer_ = loop_.after(kHeldUp, [this] {
    timer_ = 0;
    share();
  });
}

Task<void> Sharing::send(Kind& kind, Gathering::Batch batch) {
  if (batch.empty()) co_return;
  const SteadyTime began = loop_.coarse_now();
  kind.began.push_back(began);
  wire::Txn txn;
  SteadyTime deadline = batch.front()->request->deadline;
  for (const auto& each : batch) {
    txn.success.insert(txn.success.end(), each->request->operations.begin(), each->request->operations.end());
    deadline = std::max(deadline, each->request->deadline);
  }
  const bool is_write = kind.access == Access::write;
  const std::string doing = batch.size() == 1 ? std::string(batch.front()->request->doing)
                                              : fmt::format("{} {} records", is_write ? "write" : "read", batch.size());
  auto answer = co_await endpoints_.transact(txn, {.access = kind.access, .doing = doing, .deadline = deadline});
  kind.began.erase(std::ranges::find(kind.began, began));
  if (!kind.gathering.empty()) share_soon();
  if (answer && answer->replies.size() != txn.success.size())
    answer = fail(Errc::internal, "etcd has answered less than it was asked");
  std::size_t at = 0;
  for (const auto& each : batch) {
    each->is_spoiled = !answer && batch.size() > 1 && is_for_one(answer.error());
    each->result = answer;
    if (answer) {
      each->result->replies = answer->replies.subspan(at, each->request->operations.size());
      at += each->request->operations.size();
    }
    std::exchange(each->waiter, nullptr).resume();
  }
}

}  // namespace holdfast::stores::etcd
