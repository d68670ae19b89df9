// Requests of one record each that share a Txn with others of their kind: what is asked while such Txns are on their
// way goes together once one of them is answered (state/gathering.h). Of one loop.
//
// Each has its own place in the Txn and its own part of the answer. A Txn happens as a whole: when the servers refuse
// it, nothing was done, and each goes again by itself, so that what is refused is told what it would be told alone.
#pragma once

#include <coroutine>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "state/gathering.h"
#include "stores/etcd/endpoints.h"

namespace holdfast::stores::etcd {

class Sharing {
 public:
  // Both outlive it.
  Sharing(net::Loop& loop, Endpoints& endpoints) : loop_(loop), endpoints_(endpoints) {}
  // With nobody waiting.
  ~Sharing();
  Sharing(const Sharing&) = delete;
  Sharing& operator=(const Sharing&) = delete;

  // How many operations the servers take in a Txn. Nothing is shared before that is known.
  void set_operations_max(std::uint32_t operations);

  // Operations without conditions, of one record: up to kReadingMost ranges, or kWritingMost others whose inner Txns
  // have up to kInnerMost. What they refer to lives until they are answered.
  struct Request {
    std::string_view key;  // of the record
    Access access = Access::read;
    std::span<const holdfast::etcd::Operation> operations;
    std::size_t bytes = 0;  // of keys and values, roughly
    std::string_view doing;
    // That of the component: those who have less time than others do not wait for them.
    SteadyTime deadline;
  };
  // Errors as Endpoints::call.
  Task<Result<Part>> call(Request request);

  static constexpr std::size_t kReadingMost = 3, kWritingMost = 2, kInnerMost = 8;

 private:
  struct Waiting {
    struct {
      std::string_view key;
      bool is_write = false;
    } sharing;
    std::size_t bytes = 0;
    static constexpr bool is_done = false;  // before it was sent
    const Request* request = nullptr;
    Result<Part> result;
    bool is_spoiled = false;
    std::coroutine_handle<> waiter;
  };
  using Gathering = state::Gathering<Waiting>;
  struct Kind {
    Access access;
    std::size_t most = 1;                // in a Txn
    std::vector<SteadyTime> began = {};  // of those in flight
    Gathering gathering = {};
  };

  Kind& kind_of(Access access) { return access == Access::read ? readings_ : writings_; }
  void share_soon();
  void share();
  Task<void> send(Kind& kind, Gathering::Batch batch);

  net::Loop& loop_;
  Endpoints& endpoints_;
  Kind readings_{Access::read};
  Kind writings_{Access::write};
  Scheduler::TimerId timer_ = 0;  // when what waits need not wait any more
  bool shares_soon_ = false;
};

}  // namespace holdfast::stores::etcd
