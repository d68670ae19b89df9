#include "support/redis_servers.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

struct Program {
  const char* variable;
  std::string_view name;  // in .cache/servers/bin
};

Program program_of(ServerKind kind) {
  switch (kind) {
    case ServerKind::redis_stack:
      return {"HOLDFAST_REDIS_STACK", "redis-stack"};
    case ServerKind::valkey:
      return {"HOLDFAST_VALKEY_SERVER", "valkey-server"};
    default:
      return {"HOLDFAST_REDIS_SERVER", "redis-server"};
  }
}

std::string expected_at(const Program& program) {
  const char* named = std::getenv(program.variable);
  if (named != nullptr && *named != '\0') return named;
  return std::string(HOLDFAST_SOURCE_DIR "/.cache/servers/bin/").append(program.name);
}

void replace_all(std::string& text, std::string_view word, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += by.size())
    text.replace(at, word.size(), by);
}

}  // namespace

std::string server_program(ServerKind kind) {
  const std::string path = expected_at(program_of(kind));
  return ::access(path.c_str(), X_OK) == 0 ? path : "";
}

std::string missing_server(ServerKind kind) {
  const Program program = program_of(kind);
  return expected_at(program) + " is no program. tools/dev test fetches it where it can; " + program.variable +
         " may name another";
}

RedisServer::RedisServer(RedisOptions options) : options_(std::move(options)) {
  for (const auto& [name, text] : options_.files) write_file(folder_ / name, filled_in(text));
  if (!options_.configuration.empty()) write_file(folder_ / "redis.conf", filled_in(options_.configuration));
  start();
}

std::string RedisServer::filled_in(std::string text) const {
  replace_all(text, "{port}", std::to_string(port()));
  replace_all(text, "{folder}", folder_.path());
  return text;
}

std::vector<std::string> RedisServer::command_line() {
  const std::string program = server_program(options_.kind);
  if (program.empty()) throw std::runtime_error(missing_server(options_.kind));
  std::vector<std::string> line{program};
  if (options_.configuration.empty()) {
    const std::vector<std::string> ours{"--port",
                                        "{port}",
                                        "--bind",
                                        "127.0.0.1",
                                        "--dir",
                                        "{folder}",
                                        "--unixsocket",
                                        "{folder}/redis.sock",
                                        "--save",
                                        "",
                                        "--appendonly",
                                        "no",
                                        "--enable-debug-command",
                                        "local",
                                        "--repl-diskless-sync-delay",
                                        "0"};
    line.insert(line.end(), ours.begin(), ours.end());
  } else {
    line.push_back("{folder}/redis.conf");
  }
  line.insert(line.end(), options_.arguments.begin(), options_.arguments.end());
  for (std::string& word : line) word = filled_in(std::move(word));
  return line;
}

void RedisServer::start() {
  const std::string log = folder_ / "log";
  paused_ = false;
  process_ = std::make_unique<ChildProcess>(command_line(), log);
  const bool answers = eventually([this] { return !process_->is_running() || is_ready(); });
  if (!answers || !process_->is_running())
    throw std::runtime_error("the server " + address() + " did not start; its log:\n" + read_file(log));
}

bool RedisServer::is_ready() {
  try {
    const Answer answer = RespClient(port()).command({"PING"});
    return !answer.is_error() || resp::error_word(answer.text()) != "LOADING";
  } catch (const std::runtime_error&) {
    return false;  // nobody listens yet
  }
}

void RedisServer::kill() {
  client_.reset();
  process_->kill();
}

void RedisServer::restart() {
  kill();
  start();
}

void RedisServer::pause() {
  process_->signal(SIGSTOP);
  paused_ = true;
}

void RedisServer::resume() {
  process_->signal(SIGCONT);
  paused_ = false;
}

RespClient& RedisServer::client() {
  if (client_) return *client_;
  client_.emplace(port());
  if (!options_.password.empty()) client_->command({"AUTH", options_.user, options_.password});
  return *client_;
}

Answer RedisServer::command(std::initializer_list<std::string_view> words) {
  return command(std::vector<std::string>(words.begin(), words.end()));
}

Answer RedisServer::command(const std::vector<std::string>& words) {
  const bool kept = client_.has_value();
  try {
    return client().command(words);
  } catch (const std::runtime_error&) {
    client_.reset();
    if (!kept) throw;
  }
  return client().command(words);
}

Answer RedisServer::must(const std::vector<std::string>& words) {
  Answer answer = command(words);
  if (answer.is_error()) throw std::runtime_error(address() + ": " + words.at(0) + ": " + answer.text());
  return answer;
}

std::string RedisServer::info(std::string_view section, std::string_view field) {
  const std::string text = "\n" + command({"INFO", section}).text();
  const std::string key = "\n" + std::string(field) + ":";
  const std::size_t found = text.find(key);
  if (found == std::string::npos) return "";
  const std::size_t begin = found + key.size();
  return text.substr(begin, text.find('\r', begin) - begin);
}

RedisGroup::RedisGroup(std::size_t replica_count, const RedisOptions& options) {
  servers_.push_back(std::make_unique<RedisServer>(options));
  for (std::size_t i = 0; i < replica_count; ++i) {
    servers_.push_back(std::make_unique<RedisServer>(options));
    servers_.back()->must({"REPLICAOF", "127.0.0.1", std::to_string(primary().port())});
  }
  wait_until_linked();
}

void RedisGroup::wait_until_linked() {
  require_eventually("replicas in step with " + primary().address(), [this] {
    for (std::size_t i = 0; i < replica_count(); ++i)
      if (replica(i).info("replication", "master_link_status") != "up") return false;
    // WAIT is about what had been written, by anybody, when this client's last command ended.
    primary().must({"PING"});
    return primary().must({"WAIT", std::to_string(replica_count()), "100"}).root().integer() ==
           static_cast<std::int64_t>(replica_count());
  });
}

const std::string_view kStoreRules =
    "~* &* -@all +hello +auth +ping +select +client|setname +client|tracking +readonly +info +role +cluster|slots "
    "+cluster|nodes "
    "+cluster|getkeysinslot +eval +evalsha +script|load +get +type +exists +hget +hmget +hgetall +hset +hdel +hincrby "
    "+del "
    "+unlink +pexpire +pexpiretime +persist +pttl +time +scan +wait +watch +multi +exec +zadd +zrangebylex +zrem";

SecuredRedis::SecuredRedis(std::string_view rules, std::string_view clients) : certificates_(folder_.path()) {
  RedisOptions options;
  options.user = "admin";
  options.password = "admin-password";
  options.files.emplace_back("users.acl", "user default off\nuser admin on >admin-password ~* &* +@all\nuser " +
                                              std::string(kUser) + " on >" + std::string(kPassword) + " " +
                                              std::string(rules) + "\n");
  options.arguments = {
      "--aclfile",          "{folder}/users.acl",         "--tls-port",         std::to_string(tls_port()),
      "--tls-cert-file",    certificates_.server_file,    "--tls-key-file",     certificates_.server_key_file,
      "--tls-ca-cert-file", certificates_.authority_file, "--tls-auth-clients", std::string(clients)};
  server_.emplace(std::move(options));
}

}  // namespace holdfast::test
