#include "stores/postgresql/session.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <vector>

#include "stores/postgresql/standbys.h"

namespace holdfast::stores::postgresql {
namespace {

// How long a wait goes on before it looks whether it is still wanted.
constexpr Milliseconds kLook{50};

// libpq takes the words of two strings as one list; of a name that stands twice the last is taken.
struct Words {
  std::vector<const char*> names;
  std::vector<const char*> values;

  void add(const char* name, const char* value) {
    names.push_back(name);
    values.push_back(value);
  }
};

}  // namespace

Result<Session> Session::open(const PostgresqlSettings& settings, Role role, SteadyTime deadline,
                              const std::atomic<bool>* stopped) {
  const auto library = Libpq::open();
  if (!library) return fail(with_context(library.error(), settings.place().text()));
  Words words;
  // Expanded where it stands; what follows goes over it.
  words.add("dbname", settings.connection.text.c_str());
  for (const auto& [name, value] : settings.overrides) words.add(name.c_str(), value.c_str());
  if (settings.has_several_hosts) words.add("target_session_attrs", role == Role::primary ? "read-write" : "standby");
  words.add("client_encoding", "UTF8");
  words.add("fallback_application_name", "holdfast");
  words.add(nullptr, nullptr);
  ConnectionHandle connection(libpq().connectStartParams(words.names.data(), words.values.data(), 1));
  if (connection == nullptr) return fail(Errc::overloaded, settings.place().text() + ": no memory for a connection");
  libpq().setNoticeReceiver(connection.get(), [](void*, const PGresult*) {}, nullptr);
  Session session(std::move(connection), settings.place(), stopped);
  if (auto connected = session.connect(deadline); !connected) return fail(std::move(connected.error()));
  return session;
}

Status Session::connect(SteadyTime deadline) {
  PGconn* const connection = connection_.get();
  constexpr std::string_view kDoing = "connect to";
  // libpq wants to be polled first when it can write.
  PostgresPollingStatusType state =
      libpq().status(connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) {
      // A refusal of the server's has no code here, only its words.
      const std::string said = said_by(connection);
      const bool is_denied = said.contains("authentication failed") || said.contains("no pg_hba.conf entry") ||
                             said.contains("no password supplied") || said.contains("does not exist") ||
                             said.contains("certificate");
      return fail(is_denied ? Errc::denied : Errc::unavailable,
                  fmt::format("{}: cannot connect to {}: {}", place_.text(), place_.server, said));
    }
    if (!wait(state == PGRES_POLLING_READING, deadline)) return fail(lost(kDoing, "the time was up"));
    state = libpq().connectPoll(connection);
  }
  libpq().setnonblocking(connection, 1);
  return {};
}

bool Session::wait(bool for_reading, SteadyTime deadline) const {
  pollfd watched{libpq().socket(connection_.get()), static_cast<short>(for_reading ? POLLIN : POLLIN | POLLOUT), 0};
  for (;;) {
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || (stopped_ != nullptr && *stopped_)) return false;
    // A descriptor that is none is an error that libpq finds by itself.
    if (::poll(&watched, 1, static_cast<int>(std::min(left, kLook).count())) != 0) return true;
  }
}

Error Session::lost(std::string_view doing, std::string_view why) const {
  return {Errc::unavailable, fmt::format("{}: cannot {} {}: {}. Try again.", place_.text(), doing, place_.server, why)};
}

Result<Rows> Session::run(std::string_view doing, const std::string& sql, const Values& values, SteadyTime deadline) {
  PGconn* const connection = connection_.get();
  Values::Arrays arrays;
  values.fill(arrays);
  refusal_ = {};
  if (libpq().sendQueryParams(connection, sql.c_str(), values.count(), nullptr, arrays.values.data(),
                              arrays.lengths.data(), arrays.formats.data(), 1) == 0)
    return fail(lost(doing, said_by(connection)));
  for (int unsent = 1; unsent == 1;) {
    unsent = libpq().flush(connection);
    if (unsent == 1 && (!wait(false, deadline) || libpq().consumeInput(connection) == 0))
      return fail(lost(doing, "the time was up, or the connection was lost"));
  }
  Rows rows;
  bool refused = false;
  for (;;) {
    while (libpq().isBusy(connection) != 0) {
      if (!wait(true, deadline)) return fail(lost(doing, "the time was up"));
      if (libpq().consumeInput(connection) == 0) return fail(lost(doing, said_by(connection)));
    }
    ResultHandle result(libpq().getResult(connection));
    if (result == nullptr) break;
    const ExecStatusType status = libpq().resultStatus(result.get());
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      rows = Rows(std::move(result));
    } else {
      refusal_ = Refusal::of(result.get());
      refused = true;
    }
  }
  if (refused) return fail(describe(place_, doing, refusal_));
  return rows;
}

// Statements that hang end by themselves, and what a server's or a user's defaults say of isolation changes nothing
// here.
Result<ConnectionHandle> open_for_loop(const PostgresqlSettings& settings, Role role, SteadyTime deadline,
                                       const std::atomic<bool>& stopped) {
  auto session = Session::open(settings, role, deadline, &stopped);
  if (!session) return fail(std::move(session.error()));
  const std::string timeout = std::to_string(settings.timeout.count());
  Values values;
  values.text(timeout);
  // CockroachDB knows no jit, and its own isolation is what it does best.
  const std::string_view more =
      settings.engine == Engine::cockroachdb
          ? ""
          : "set_config('default_transaction_isolation', 'read committed', false), "
            "set_config('jit', 'off', false), set_config('standard_conforming_strings', 'on', "
            "false), ";
  auto set = session->run("configure a connection to",
                          fmt::format("SELECT {}CASE WHEN current_setting('statement_timeout') = '0' THEN "
                                      "set_config('statement_timeout', $1::text, false) END",
                                      more),
                          values, deadline);
  if (!set) return fail(std::move(set.error()));
  if (settings.has_several_hosts && role == Role::primary)
    if (auto noted = note_timeline(*session, settings, deadline); !noted) return fail(std::move(noted.error()));
  return std::move(*session).release();
}

}  // namespace holdfast::stores::postgresql
