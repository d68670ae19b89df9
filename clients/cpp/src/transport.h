// Connections to one sidecar, and how calls on them are ended from outside.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "attempts.h"
#include "holdfast/v2/state.grpc.pb.h"
#include "target.h"

namespace holdfast::detail {

namespace pb = ::holdfast::v2;
using Stub = pb::State::Stub;

// Something that waits for gRPC: `happened` is called on the I/O thread, once for each operation that was begun with
// it.
class Event {
 public:
  virtual void happened(bool is_ok) noexcept = 0;

 protected:
  ~Event() = default;
};

// The queue of the one thread that takes answers of awaited calls and watches. It is started when it is first asked for
// and lives as long as the process: whoever destroys a client on it has nothing to wait for.
grpc::CompletionQueue& io_queue();

class Canceller;

// Connections are made by the first call, and by the first after `close`. Any thread.
class Transport {
 public:
  // The sidecar takes 100 streams a connection; further ones would wait unseen. Watches have connections of their own,
  // so that they never stand in the way of calls, and some room, as one that ends is not gone at once.
  static constexpr long kWatchesPerConnection = 90;

  explicit Transport(Target target) : target_(std::move(target)) {}

  // For calls.
  std::shared_ptr<Stub> stub();
  // For one watch, which gives its place back by giving up the pointer, and does not copy it.
  std::shared_ptr<Stub> watch_stub();
  // Cancels what is under way.
  void close();
  // Waits for as long, or until calls have a connection; whether they have. gRPC goes on with connecting while somebody
  // waits for it, and but every five seconds otherwise: a blocking caller that slept would find no connection.
  bool connect_within(milliseconds duration);

 private:
  friend class Canceller;
  std::shared_ptr<grpc::Channel> connect(bool is_own) const;

  const Target target_;
  std::mutex mutex_;
  std::shared_ptr<grpc::Channel> channel_;
  std::shared_ptr<Stub> stub_;
  std::vector<std::weak_ptr<Stub>> watch_stubs_;
  std::list<Canceller*> under_way_;
};

// Ends one call, wherever it is: sent, or in a pause. Any thread.
class Canceller {
 public:
  explicit Canceller(std::shared_ptr<Transport> transport);
  ~Canceller();
  Canceller(const Canceller&) = delete;
  Canceller& operator=(const Canceller&) = delete;

  void cancel();
  bool is_cancelled() const;

  // The context of what is being sent; it stays until `end`. Cancelled at once if all is.
  void begin(grpc::ClientContext& context);
  void end();
  // Waits; false if it was cancelled.
  bool pause(milliseconds duration);
  // The event happens after this time, or when it is cancelled. On the I/O thread.
  void pause(milliseconds duration, Event* event);

 private:
  const std::shared_ptr<Transport> transport_;
  std::list<Canceller*>::iterator place_;
  mutable std::mutex mutex_;
  std::condition_variable cancelled_;
  bool is_cancelled_ = false;
  grpc::ClientContext* context_ = nullptr;
  std::optional<grpc::Alarm> alarm_;
};

// From 0 to 1.
double random_chance();

}  // namespace holdfast::detail
