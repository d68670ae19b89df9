// The connections of one loop to one server, by class of work, so that no work waits behind another kind.
//
//   hot     single records: nothing on it may block the server
//   synced  writes that wait for replicas: WAIT holds its connection until they have answered
//   bulk    listings, searches, many keys at once, values that take long to send
//
// Connections are made when they are first needed and made again when they are lost (net/pipeline.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/pipeline.h"
#include "net/tls.h"
#include "stores/redis/errors.h"
#include "stores/redis/mapping.h"
#include "stores/redis/replication.h"
#include "stores/redis/settings.h"

namespace holdfast::stores::redis {

class SyncedWrites;

// What a server says of itself when it is greeted.
struct ServerFacts {
  std::string version;  // empty: it did not say
  bool is_primary = true;
  bool is_cluster = false;
  bool has_json = false;
  bool has_search = false;
  Expiry expiry = Expiry::left;
};

// Of a reply to HELLO.
ServerFacts facts_of(resp::Value hello);

enum class Work : std::uint8_t { hot, bulk };

// What a server has to be for us to use it.
enum class Wanted : std::uint8_t { anything, primary, replica };

// What all connections of a component have in common.
net::PipelineOptions connection_to(const Address& address, const RedisSettings& settings,
                                   std::shared_ptr<const net::TlsClientContext> tls);
// HELLO with the credentials, if there are any: one reply.
void append_hello(std::string& out, const Credentials& login);

class Server {
 public:
  struct Options {
    const RedisSettings& settings;
    std::shared_ptr<const net::TlsClientContext> tls;
    Wanted wanted = Wanted::anything;
    // Another Credentials than settings.login: the sentinels'.
    const Credentials& login;
    bool select_database = true;
    // Called when a connection was lost or could not be made.
    std::function<void()> on_lost;
  };
  // Options::settings and login outlive it.
  Server(net::Loop& loop, Address address, Options options);
  // After close().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const Address& address() const { return address_; }
  Place place() const { return {options_.settings.component, text_}; }

  // As net::Pipeline::call. The views that come back are valid until the caller next waits.
  net::Pipeline::Call call(Work work, std::string_view request, std::uint32_t replies, SteadyTime deadline) {
    return pipeline(work).call(request, replies, deadline);
  }
  // The same for commands that change nothing, as bulk work: sent once more where the replies were lost.
  Task<Result<std::string_view>> read(std::string_view request, std::uint32_t replies, SteadyTime deadline);
  SyncedWrites& synced();

  // Connects the hot connection, if it is not; what the greeting found is in facts() then.
  Task<Status> connect(SteadyTime deadline);
  bool is_connected() const { return hot_ != nullptr && hot_->is_connected(); }
  const ServerFacts& facts() const { return facts_; }

  // Of a primary with replicas, as the last look found it: the history that it writes, 0 when that is not known, and
  // how far it had come when.
  std::uint64_t timeline() const { return timeline_; }
  const WrittenLately& written_lately() const { return written_lately_; }
  void found_written(SteadyTime asked, const std::optional<Replication>& found);
  // What a reply of ROLE says of how far it has come; nothing when it is no primary, or its history is not known.
  std::optional<state::Position::Reached> written_by(std::string_view role) const;

  // It is not what we took it for (it answered READONLY): its connections are given up and greeted anew.
  void distrust(const std::string& reason);
  Task<void> close(SteadyTime deadline);

 private:
  net::Pipeline& pipeline(Work work);
  std::unique_ptr<net::Pipeline> make_pipeline(std::string_view purpose);
  Task<Status> greet(net::Pipeline& pipeline, std::string_view purpose);
  Task<Status> greet_old(net::Pipeline& pipeline);
  Status check(std::string_view hello);

  net::Loop& loop_;
  const Address address_;
  const std::string text_;  // of the address
  const Options options_;
  ServerFacts facts_;
  std::uint64_t timeline_ = 0;
  WrittenLately written_lately_;
  std::unique_ptr<net::Pipeline> hot_, bulk_, sync_;
  std::unique_ptr<SyncedWrites> synced_;
};

}  // namespace holdfast::stores::redis
