#include "support/postgresql_servers.h"

#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

constexpr const char* kVariable = "HOLDFAST_POSTGRESQL";
const std::string kTools = HOLDFAST_SOURCE_DIR "/tools/lib";

std::string expected_folder() {
  const char* named = std::getenv(kVariable);
  return named != nullptr && *named != '\0' ? named : HOLDFAST_SOURCE_DIR "/.cache/servers/bin";
}

std::string program(const std::string& name) {
  const std::string folder = postgresql_programs();
  if (folder.empty()) throw std::runtime_error(missing_postgresql());
  return folder + "/" + name;
}

// PostgreSQL refuses to be root, as whom a test may run; what it makes is then another user's.
std::vector<std::string> not_root(std::vector<std::string> command) {
  command.insert(command.begin(), kTools + "/not-root");
  return command;
}

// Data that no server has used yet, made once.
const std::string& fresh_data() {
  static const TemporaryFolder folder;
  static const std::string data = [] {
    run_program(not_root({kTools + "/postgresql-data", postgresql_programs(), folder / "data"}), folder / "log");
    return folder / "data";
  }();
  return data;
}

void write_before(const std::string& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  write_file(path, text + read_file(path));
}

// A server that was killed leaves its segment of System V's shared memory behind, and a machine has 4096 of them.
void give_back_memory(const std::string& data, const std::string& log) {
  std::istringstream lines(read_file(data + "/postmaster.pid"));  // the seventh line is its key and its number
  std::string line, key, segment;
  for (int i = 0; i < 7; ++i) std::getline(lines, line);
  if (std::istringstream(line) >> key >> segment) ChildProcess(not_root({"ipcrm", "-m", segment}), log).wait();
}

}  // namespace

std::string postgresql_programs() {
  const std::string folder = expected_folder();
  return ::access((folder + "/postgres").c_str(), X_OK) == 0 ? folder : "";
}

std::string missing_postgresql() {
  return expected_folder() + "/postgres is no program. tools/dev test fetches it where it can; " + kVariable +
         " may name another folder that has it";
}

PostgresqlServer::PostgresqlServer(PostgresqlOptions options) : options_(std::move(options)) {
  program("postgres");
  run_program(not_root({"cp", "-a", fresh_data(), data()}), folder_ / "log");
  configure("");
  start();
}

PostgresqlServer::PostgresqlServer(PostgresqlServer& primary, const std::string& name, PostgresqlOptions options)
    : options_(std::move(options)), name_(name) {
  run_program(not_root({program("pg_basebackup"), "-D", data(), "-c", "fast", "--no-sync", "-d",
                        primary.superuser_connection_string()}),
              folder_ / "log");
  write_file(data() + "/standby.signal", "");
  configure("primary_conninfo = '" + primary_conninfo(primary.port()) + "'\n");
  start();
}

PostgresqlServer::~PostgresqlServer() {
  try {
    end();
  } catch (const std::exception&) {
    // A process that cannot be ended: ChildProcess waits for the one that matters.
  }
}

// At once, and orderly if it can be: it takes its processes along and gives its memory back.
void PostgresqlServer::end() {
  client_.reset();
  if (answers()) process_->signal(SIGQUIT);
  if (paused_ || !eventually([this] { return !is_running(); }, std::chrono::seconds(10))) kill();
  if (::access((data() + "/postmaster.pid").c_str(), F_OK) == 0) give_back_memory(data(), folder_ / "log");
}

std::string PostgresqlServer::connection_string() const {
  return "host=127.0.0.1 port=" + std::to_string(port()) + " user=" + kUser + " password=" + kPassword +
         " dbname=" + kDatabase;
}

std::string PostgresqlServer::superuser_connection_string() const {
  return "host=" + folder_.path() + " port=" + std::to_string(port()) + " user=" + kSuperuser + " dbname=" + kDatabase;
}

std::string PostgresqlServer::primary_conninfo(std::uint16_t primary_port) const {
  return "host=127.0.0.1 port=" + std::to_string(primary_port) + " user=" + kSuperuser +
         " password=" + kSuperuserPassword + " application_name=" + name_;
}

void PostgresqlServer::configure(const std::string& more) {
  std::string text = more;
  if (options_.fsync) text += "fsync = on\n";
  if (options_.certificates != nullptr) {
    text += "ssl = on\nssl_cert_file = '" + options_.certificates->server_file + "'\nssl_key_file = '" +
            options_.certificates->server_key_file + "'\nssl_ca_file = '" + options_.certificates->authority_file +
            "'\n";
  }
  for (const std::string& line : options_.settings) text += line + "\n";
  const std::string path = data() + "/postgresql.conf";
  write_file(path, read_file(path) + text);
  write_before(data() + "/pg_hba.conf", options_.access);
}

void PostgresqlServer::start() {
  const std::string log = folder_ / "log";
  process_ = std::make_unique<ChildProcess>(
      not_root({program("postgres"), "-D", data(), "-p", std::to_string(port()), "-k", folder_.path()}), log);
  const bool answers = eventually([this] { return !process_->is_running() || is_ready(); });
  if (!answers || !process_->is_running())
    throw std::runtime_error("the server " + address() + " did not start; its log:\n" + read_file(log));
}

bool PostgresqlServer::is_ready() {
  try {
    client();
    return true;
  } catch (const std::runtime_error&) {
    return false;  // nobody listens yet, or it is starting up
  }
}

void PostgresqlServer::kill() {
  client_.reset();
  if (is_running()) kill_tree(pid());
  process_->kill();
  paused_.reset();
}

void PostgresqlServer::restart() {
  kill();
  start();
}

void PostgresqlServer::stop_fast() {
  client_.reset();
  process_->signal(SIGINT);
  require_eventually("the end of the server " + address(), [this] { return !is_running(); });
}

void PostgresqlServer::pause() {
  if (!paused_) paused_.emplace(pid());
}

void PostgresqlServer::resume() { paused_.reset(); }

void PostgresqlServer::promote() {
  if (value("SELECT pg_promote(true, 60)") != "t") throw std::runtime_error(address() + " was not promoted");
}

void PostgresqlServer::follow(std::uint16_t primary_port) {
  must("ALTER SYSTEM SET primary_conninfo = '" + primary_conninfo(primary_port) + "'");
  must("SELECT pg_reload_conf()");
}

PostgresqlClient& PostgresqlServer::client() {
  if (paused_) throw std::runtime_error(address() + " is paused and would never answer");
  if (client_ && !client_->is_open()) client_.reset();
  if (!client_) client_.emplace(superuser_connection_string());
  return *client_;
}

Rows PostgresqlServer::query(const std::string& sql, const Row& parameters) { return client().query(sql, parameters); }

std::string PostgresqlServer::value(const std::string& sql, const Row& parameters) {
  return client().value(sql, parameters);
}

PostgresqlGroup::PostgresqlGroup(std::size_t standby_count, const std::string& synchronous, PostgresqlOptions options) {
  // Also of the standbys, for when they are promoted.
  options.settings.push_back("synchronous_standby_names = '" + synchronous + "'");
  servers_.push_back(std::make_unique<PostgresqlServer>(options));
  for (std::size_t i = 1; i <= standby_count; ++i)
    servers_.push_back(std::make_unique<PostgresqlServer>(primary(), "s" + std::to_string(i), options));
  wait_until_linked();
}

std::vector<PostgresqlServer*> PostgresqlGroup::followers() {
  std::vector<PostgresqlServer*> found;
  for (std::size_t i = 1; i < servers_.size(); ++i)
    if (i != primary_) found.push_back(servers_[i].get());
  return found;
}

void PostgresqlGroup::wait_until_linked() {
  const std::size_t count = followers().size();
  const std::string written = primary().value("SELECT pg_current_wal_lsn()");
  const std::string synchronous = primary().value("SHOW synchronous_standby_names");
  require_eventually("standbys in step with " + primary().address(), [&] {
    const Rows rows = primary().query(
        "SELECT count(*), count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) FROM pg_stat_replication "
        "WHERE state = 'streaming' AND replay_lsn >= $1",
        {written});
    return rows[0][0] == std::to_string(count) && (synchronous.empty() || rows[0][1] != "0");
  });
}

void PostgresqlGroup::promote(std::size_t index) {
  standby(index).promote();
  primary_ = index + 1;
  for (PostgresqlServer* follower : followers()) follower->follow(primary().port());
  wait_until_linked();
}

}  // namespace holdfast::test
