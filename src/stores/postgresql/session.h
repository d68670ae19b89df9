// A connection that one thread uses and waits on: for what is done once or seldom, and for opening those of the loops.
#pragma once

#include <atomic>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "stores/postgresql/errors.h"
#include "stores/postgresql/rows.h"
#include "stores/postgresql/settings.h"

namespace holdfast::stores::postgresql {

// Whom to speak to, where the connection string names several servers.
enum class Role : std::uint8_t { primary, standby };

class Session {
 public:
  // Waits, at most until `deadline`, and as long as `stopped`, where there is one, is false. Names are looked up, and
  // password files and certificates read, each time. Errc::unavailable or denied.
  static Result<Session> open(const PostgresqlSettings& settings, Role role, SteadyTime deadline,
                              const std::atomic<bool>* stopped = nullptr);

  // One statement, in a transaction of its own unless BEGIN came before.
  Result<Rows> run(std::string_view doing, const std::string& sql, const Values& values, SteadyTime deadline);
  Result<Rows> run(std::string_view doing, const std::string& sql, SteadyTime deadline) {
    return run(doing, sql, Values(), deadline);
  }
  // Of the last statement that failed.
  const Refusal& refusal() const { return refusal_; }
  void set_refusal(Refusal refusal) { refusal_ = std::move(refusal); }
  const Place& place() const { return place_; }
  int server_version() const { return libpq().serverVersion(connection_.get()); }
  // Hands the connection on.
  ConnectionHandle release() && { return std::move(connection_); }

 private:
  Session(ConnectionHandle connection, Place place, const std::atomic<bool>* stopped)
      : connection_(std::move(connection)), place_(std::move(place)), stopped_(stopped) {}
  Status connect(SteadyTime deadline);
  // False: the time was up, or stopped.
  bool wait(bool for_reading, SteadyTime deadline) const;
  Error lost(std::string_view doing, std::string_view why) const;

  ConnectionHandle connection_;
  Place place_;
  const std::atomic<bool>* stopped_;
  Refusal refusal_;
};

// A connection for a loop, with the settings that ours have.
Result<ConnectionHandle> open_for_loop(const PostgresqlSettings& settings, Role role, SteadyTime deadline,
                                       const std::atomic<bool>& stopped);

}  // namespace holdfast::stores::postgresql
