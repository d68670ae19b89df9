// The servers of one etcd cluster, as one loop sees them: each call goes to one of them, and to the next where that is
// safe.
//
// Sent again, to another server: what was not sent, what a server says it did not do, and reads in every case. A write
// whose answer was lost is outcome_unknown: etcd gives no way to find out. Where there are users we sign in, and again
// when a token is refused. Of one loop.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/task.h"
#include "net/grpc_client.h"
#include "net/loop.h"
#include "net/tls.h"
#include "stores/etcd/errors.h"
#include "stores/etcd/settings.h"
#include "wire/etcd/messages.h"

namespace holdfast::stores::etcd {

// What a Txn has answered, or the part of it that one of those who share it has asked for.
struct Part {
  struct Whole {
    std::string bytes;  // what the reply refers to
    holdfast::etcd::TxnReply reply;
  };
  std::shared_ptr<const Whole> of;
  std::span<const holdfast::etcd::OperationReply> replies;
  const holdfast::etcd::Header& header() const { return of->reply.header; }
  bool succeeded() const { return of->reply.succeeded; }
};

class Endpoints {
 public:
  // `first` is the server that is asked first. `settings` outlives it.
  Endpoints(net::Loop& loop, const EtcdSettings& settings, std::shared_ptr<const net::TlsClientContext> tls,
            std::size_t first);

  // Until a server can be used, and we are signed in: Errc::unavailable or denied, with the reasons.
  Task<Status> connect(SteadyTime deadline);
  Task<void> close(SteadyTime deadline);

  struct Call {
    std::string_view method = {};
    std::string_view request = {};
    Access access = Access::read;
    std::string_view doing;  // for messages: save "cart/42"
    SteadyTime deadline;
    bool needs_leader = true;  // false: a member that lost its leader may answer from what it has
  };
  // The reply's bytes. What `call` refers to lives until then. Error::backend_message has the words of a server that
  // refused it.
  Task<Result<std::string>> call(Call call);

  // By `txn`, which is the request. What is larger than the servers take is refused: Errc::invalid_argument.
  Task<Result<Part>> transact(const holdfast::etcd::Txn& txn, Call call);

  // A stream to the server that is asked at present. After a failure: move_on().
  std::unique_ptr<net::GrpcStream> open(std::string_view method);
  // Signs in, where that is to be done, before a stream is opened.
  Task<Status> prepare(SteadyTime deadline);
  void move_on(std::size_t from);
  std::size_t current() const { return current_; }

 private:
  Task<Status> sign_in(SteadyTime deadline);
  std::vector<std::pair<std::string_view, std::string_view>> metadata(bool needs_leader) const;

  const EtcdSettings& settings_;
  std::deque<net::GrpcClient> servers_;
  std::size_t current_ = 0;
  std::string token_;
};

// The trouble of a refusal that `call` has answered with; nothing when no server has said anything.
std::optional<Trouble> refusal_of(const Error& error);
bool is_refusal(const Error& error, Trouble trouble);

}  // namespace holdfast::stores::etcd
