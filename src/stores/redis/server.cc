#include "stores/redis/server.h"

#include <fmt/format.h>

#include <charconv>

#include "base/encoding.h"
#include "stores/redis/synced_writes.h"
#include "wire/resp/command.h"
#include "wire/resp/reply.h"
#include "wire/resp/scanner.h"

namespace holdfast::stores::redis {
namespace {

using resp::Kind;
using resp::Value;

class Framing final : public net::ReplyFraming {
 public:
  Result<std::size_t> scan(std::string_view bytes) override { return scanner_.scan(bytes); }
  bool is_push(std::string_view reply) override { return resp::is_push(reply); }

 private:
  resp::Scanner scanner_;
};

// The whole time of an attempt is bounded by the connect timeout; a greeting needs no other.
constexpr SteadyTime kNoDeadline = SteadyTime::max();

// HELLO's modules are maps with a "name".
bool has_module(Value modules, std::string_view wanted) {
  for (const Value module : modules)
    for (std::size_t i = 0; i + 1 < module.size(); i += 2)
      if (module[i].text() == "name" && iequals(module[i + 1].text(), wanted)) return true;
  return false;
}

}  // namespace

ServerFacts facts_of(Value hello) {
  ServerFacts facts;
  for (std::size_t i = 0; i + 1 < hello.size(); i += 2) {
    const std::string_view name = hello[i].text();
    const Value value = hello[i + 1];
    if (name == "version") facts.version = value.text();
    if (name == "role") facts.is_primary = value.text() == "master";
    if (name == "mode") facts.is_cluster = value.text() == "cluster";
    if (name == "modules") {
      facts.has_json = has_module(value, "ReJSON");
      facts.has_search = has_module(value, "search");
    }
  }
  int major = 0;
  std::from_chars(facts.version.data(), facts.version.data() + facts.version.size(), major);
  if (major >= 7) facts.expiry = Expiry::at;
  return facts;
}

net::PipelineOptions connection_to(const Address& address, const RedisSettings& settings,
                                   std::shared_ptr<const net::TlsClientContext> tls) {
  net::PipelineOptions options;
  options.endpoint = address;
  options.tls = std::move(tls);
  options.name = fmt::format("component \"{}\" (state.redis)", settings.component);
  options.connect_timeout = settings.connect_timeout;
  options.reply_timeout = settings.read_timeout;
  options.framing = [] { return std::make_unique<Framing>(); };
  return options;
}

void append_hello(std::string& out, const Credentials& login) {
  if (login.password.empty()) return resp::append_command(out, {"HELLO", "3"});
  const std::string_view user = login.username.empty() ? std::string_view("default") : login.username;
  resp::append_command(out, {"HELLO", "3", "AUTH", user, login.password});
}

Server::Server(net::Loop& loop, Address address, Options options)
    : loop_(loop), address_(std::move(address)), text_(address_.text()), options_(std::move(options)) {}

Server::~Server() = default;

std::unique_ptr<net::Pipeline> Server::make_pipeline(std::string_view purpose) {
  net::PipelineOptions pipeline = connection_to(address_, options_.settings, options_.tls);
  pipeline.idle_close = options_.settings.idle_close;
  pipeline.greeting = [this, purpose](net::Pipeline& connected) { return greet(connected, purpose); };
  pipeline.on_lost = [this] {
    if (options_.on_lost) options_.on_lost();
  };
  return std::make_unique<net::Pipeline>(loop_, std::move(pipeline));
}

net::Pipeline& Server::pipeline(Work work) {
  auto& wanted = work == Work::hot ? hot_ : bulk_;
  if (wanted == nullptr) wanted = make_pipeline(work == Work::hot ? "hot" : "bulk");
  return *wanted;
}

Task<Result<std::string_view>> Server::read(std::string_view request, std::uint32_t replies, SteadyTime deadline) {
  auto answer = co_await call(Work::bulk, request, replies, deadline);
  const auto is_lost = [&answer] { return !answer && answer.error().code == Errc::outcome_unknown; };
  if (is_lost() && std::chrono::steady_clock::now() < deadline)
    answer = co_await call(Work::bulk, request, replies, deadline);
  if (is_lost()) answer.error().code = Errc::unavailable;
  co_return answer;
}

SyncedWrites& Server::synced() {
  if (synced_ == nullptr) {
    sync_ = make_pipeline("synced");
    synced_ = std::make_unique<SyncedWrites>(loop_, *sync_, options_.settings.wait_aof);
  }
  return *synced_;
}

Task<Status> Server::connect(SteadyTime deadline) { return pipeline(Work::hot).connect(deadline); }

void Server::found_written(SteadyTime asked, const std::optional<Replication>& found) {
  timeline_ = found && found->is_primary ? found->reached.timeline : 0;
  if (timeline_ != 0) written_lately_.add(asked, found->reached);
}

std::optional<state::Position::Reached> Server::written_by(std::string_view role) const {
  if (timeline_ == 0 || role.empty()) return std::nullopt;
  const auto reply = resp::Reply::parse(role);
  const auto offset = reply ? read_primary_offset(reply->root()) : std::nullopt;
  return offset ? std::optional(state::Position::Reached{timeline_, *offset}) : std::nullopt;
}

void Server::distrust(const std::string& reason) {
  timeline_ = 0;
  for (auto* pipeline : {&hot_, &bulk_, &sync_})
    if (*pipeline != nullptr) (*pipeline)->reset(reason);
}

Task<void> Server::close(SteadyTime deadline) {
  for (auto* pipeline : {&hot_, &bulk_, &sync_})
    if (*pipeline != nullptr) co_await (*pipeline)->close(deadline);
}

// HELLO says everything in one exchange (Redis 6 and later, Valkey). Older servers know no HELLO, and a user's list of
// permitted commands may lack it: then AUTH and RESP2 do.
Task<Status> Server::greet(net::Pipeline& pipeline, std::string_view purpose) {
  const std::string name = fmt::format("holdfast-{}-{}", options_.settings.component, purpose);
  std::string request;
  append_hello(request, options_.login);
  bool said_hello = true;
  {
    auto hello = co_await pipeline.call_first(request, 1, kNoDeadline);
    if (!hello) co_return fail(std::move(hello.error()));
    if (resp::is_error(*hello)) {
      const auto reply = resp::Reply::parse(*hello);
      if (!reply) co_return fail(reply.error());
      const Trouble trouble = trouble_of(reply->root().text());
      if (trouble == Trouble::wrong_password) co_return fail(describe(place(), "sign in", reply->root().text()));
      said_hello = false;
    } else if (auto fits = check(*hello); !fits) {
      co_return fits;
    }
  }
  if (!said_hello)
    if (auto greeted = co_await greet_old(pipeline); !greeted) co_return greeted;
  // A name is a help for whoever looks at CLIENT LIST: a user who may not set it goes without.
  request.clear();
  resp::append_command(request, {"CLIENT", "SETNAME", name});
  const bool selects = options_.select_database && options_.settings.database != 0;
  const std::string database = std::to_string(options_.settings.database);
  if (selects) resp::append_command(request, {"SELECT", database});
  const bool reads_replica = options_.wanted == Wanted::replica && facts_.is_cluster;
  if (reads_replica) resp::append_command(request, {"READONLY"});
  const std::uint32_t replies = 1U + (selects ? 1U : 0U) + (reads_replica ? 1U : 0U);
  auto answers = co_await pipeline.call_first(request, replies, kNoDeadline);
  if (!answers) co_return fail(std::move(answers.error()));
  std::string_view rest = *answers;
  resp::Reply reply;
  for (std::uint32_t i = 0; i < replies; ++i) {
    if (auto read = reply.read(rest); !read) co_return read;
    if (i == 0 || reply.root().kind() != Kind::error) continue;
    const bool of_select = selects && i == 1;
    co_return fail(describe(place(), of_select ? fmt::format("select database {}", database) : "read from a replica",
                            reply.root().text()));
  }
  co_return Status();
}

Task<Status> Server::greet_old(net::Pipeline& pipeline) {
  const Credentials& login = options_.login;
  std::string request;
  if (login.password.empty()) {
    // Also tells a server that wants a password.
    resp::append_command(request, {"PING"});
  } else if (login.username.empty()) {
    resp::append_command(request, {"AUTH", login.password});
  } else {
    resp::append_command(request, {"AUTH", login.username, login.password});
  }
  auto answer = co_await pipeline.call_first(request, 1, kNoDeadline);
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const Trouble trouble =
      reply->root().kind() == Kind::error ? trouble_of(reply->root().text()) : Trouble::none;
  // A user who may not PING may still do what we need.
  const bool refused = trouble != Trouble::none && !(login.password.empty() && trouble == Trouble::no_permission);
  if (refused) co_return fail(describe(place(), "sign in", reply->root().text()));
  facts_ = {};
  co_return Status();
}

Status Server::check(std::string_view hello) {
  const auto reply = resp::Reply::parse(hello);
  if (!reply) return fail(reply.error());
  facts_ = facts_of(reply->root());
  if (options_.wanted == Wanted::primary && !facts_.is_primary)
    return fail(Errc::unavailable,
                fmt::format("component \"{}\" (state.redis): {} is a replica now; the new primary is being looked for",
                            options_.settings.component, text_));
  return {};
}

}  // namespace holdfast::stores::redis
