#include "stores/memcached/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/number.h"
#include "wire/memcached/command.h"
#include "wire/memcached/scanner.h"

namespace holdfast::stores::memcached {
namespace {

using wire::Reply;
using Kind = Reply::Kind;

class Framing final : public net::ReplyFraming {
 public:
  Result<std::size_t> scan(std::string_view bytes) override { return scanner_.scan(bytes); }
  bool is_push(std::string_view) override { return false; }

 private:
  wire::Scanner scanner_;
};

// The whole time of an attempt is bounded by the connect timeout; a greeting needs no other.
constexpr SteadyTime kNoDeadline = SteadyTime::max();

// The first version whose meta commands are those of today: 1.6.0 to 1.6.9 write them differently.
constexpr std::array<std::uint32_t, 3> kOldest{1, 6, 10};
constexpr std::string_view kOldestText = "1.6.10";

// An item holds more than its value: 63 bytes and its key on 1.6.18, some more where it is cut into pieces.
constexpr std::uint64_t kItemOverhead = 512;
constexpr std::uint64_t kUsualItemBytes = 1 << 20;

bool is_too_old(std::string_view version) {
  std::array<std::uint32_t, 3> numbers{};
  for (std::uint32_t& number : numbers)
    if (!read_number(take_part(version, '.'), number)) return false;  // somebody's own: the commands will tell
  return numbers < kOldest;
}

std::string process_of(std::string_view stats) {
  std::uint64_t time = 0, uptime = 0, pid = 0;
  if (!read_number(wire::find_stat(stats, "time"), time) || !read_number(wire::find_stat(stats, "uptime"), uptime) ||
      !read_number(wire::find_stat(stats, "pid"), pid))
    return "";
  // Of one second there are as many processes as there are numbers for them: 22 bits on Linux.
  return fmt::format("{:x}", ((time - uptime) << 22) + pid);
}

}  // namespace

void append_greeting(std::string& out) {
  wire::append_version(out);
  wire::append_no_op(out);
  wire::append_stats(out, "");
  wire::append_stats(out, "settings");
}

Result<ServerFacts> read_greeting(const Place& place, std::string_view replies) {
  std::array<Reply, kGreetingReplies> said;
  for (Reply& reply : said) {
    auto read = Reply::read(replies);
    if (!read) return fail(std::move(read.error()));
    reply = *read;
  }
  const auto& [version, no_op, stats, settings] = said;
  if (version.kind != Kind::version) return fail(describe(place, "connect", version));
  ServerFacts facts;
  facts.version = version.text;
  if (no_op.kind != Kind::no_op || is_too_old(facts.version))
    return fail(
        Errc::unsupported,
        fmt::format("component \"{}\" (state.memcached): {} is memcached {}, which lacks the meta commands that "
                    "this store is made of. Use memcached {} or later.",
                    place.component, place.server, facts.version, kOldestText));
  if (stats.kind != Kind::stats) return fail(describe(place, "connect", stats));
  facts.process = process_of(stats.text);
  if (facts.process.empty())
    return fail(
        Errc::unsupported,
        fmt::format("component \"{}\" (state.memcached): {} does not say which process it is (stats: pid, time, "
                    "uptime), without which an etag could come back. Name the servers themselves, not a proxy.",
                    place.component, place.server));
  std::uint64_t item_bytes = kUsualItemBytes;
  if (settings.kind == Kind::stats) read_number(wire::find_stat(settings.text, "item_size_max"), item_bytes);
  facts.value_bytes_max = item_bytes - std::min(item_bytes, kItemOverhead);
  return facts;
}

net::PipelineOptions Server::options(const net::Endpoint& host) {
  net::PipelineOptions options;
  options.endpoint = host;
  options.name = fmt::format("component \"{}\" (state.memcached)", settings_.component);
  options.connect_timeout = settings_.timeout;
  options.reply_timeout = settings_.timeout;
  options.framing = [] { return std::make_unique<Framing>(); };
  options.greeting = [this](net::Pipeline& connected) { return greet(connected); };
  return options;
}

Server::Server(net::Loop& loop, const net::Endpoint& host, const MemcachedSettings& settings)
    : settings_(settings), text_(host.text()), pipeline_(loop, options(host)) {}

Task<Status> Server::greet(net::Pipeline& pipeline) {
  std::string request;
  append_greeting(request);
  auto answer = co_await pipeline.call_first(request, kGreetingReplies, kNoDeadline);
  if (!answer) co_return fail(std::move(answer.error()));
  auto facts = read_greeting(place(), *answer);
  if (!facts) co_return fail(std::move(facts.error()));
  const bool is_another = !facts_.process.empty() && facts_.process != facts->process;
  facts_ = std::move(*facts);
  // What waits fails with this; the next attempt finds the process that this one has found.
  if (is_another && numbered_ > 0)
    co_return fail(Errc::unavailable,
                   fmt::format("component \"{}\" (state.memcached): {} was restarted, and is empty. Read again.",
                               settings_.component, text_));
  co_return Status();
}

Task<Result<std::string_view>> Server::read(std::string_view request, std::uint32_t replies, SteadyTime deadline) {
  auto answer = co_await call(request, replies, deadline);
  const auto is_lost = [&answer] { return !answer && answer.error().code == Errc::outcome_unknown; };
  if (is_lost() && std::chrono::steady_clock::now() < deadline) answer = co_await call(request, replies, deadline);
  if (is_lost()) answer.error().code = Errc::unavailable;
  co_return answer;
}

}  // namespace holdfast::stores::memcached
