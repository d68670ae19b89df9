#include "stores/redis/tracker.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/resp/command.h"
#include "wire/resp/reply.h"

namespace holdfast::stores::redis {
namespace {

constexpr std::string_view kDoing = "watch keys";

std::size_t common_bytes(std::string_view one, std::string_view other) {
  return static_cast<std::size_t>(std::ranges::mismatch(one, other).in1 - one.begin());
}

void append_tracking(std::string& out, std::span<const std::string> prefixes) {
  resp::begin_command(out, 4 + 2 * prefixes.size());
  for (const std::string_view word : {"CLIENT", "TRACKING", "ON", "BCAST"}) resp::append_argument(out, word);
  for (const std::string& prefix : prefixes) {
    resp::append_argument(out, "PREFIX");
    resp::append_argument(out, prefix);
  }
}

}  // namespace

bool PrefixCover::covers(std::string_view key) const {
  return std::ranges::any_of(prefixes_, [key](const std::string& prefix) { return key.starts_with(prefix); });
}

bool PrefixCover::add(std::string_view prefix) {
  if (covers(prefix)) return false;
  std::erase_if(prefixes_, [prefix](const std::string& one) { return one.starts_with(prefix); });
  prefixes_.emplace_back(prefix);
  if (prefixes_.size() <= kPrefixesMax) return true;
  std::string common = prefixes_.front();
  for (const std::string& one : prefixes_) common.resize(common_bytes(common, one));
  prefixes_ = {std::move(common)};
  return true;
}

// One connection to one primary.
struct Tracker::Line {
  Address address;
  std::string server;  // the address as text
  PrefixCover wanted;  // what the next greeting asks for
  PrefixCover told;    // what the server was asked to tell
  bool is_up = false;  // since arrange() has seen it connected
  std::unique_ptr<net::Pipeline> pipeline;
};

Tracker::Tracker(net::Loop& loop, Router& router, const RedisSettings& settings, Router::Tls tls, Heard heard)
    : loop_(loop), router_(router), settings_(settings), tls_(std::move(tls)), heard_(std::move(heard)) {}

Tracker::~Tracker() = default;

Place Tracker::place(const Line& line) const { return {settings_.component, line.server}; }

std::unique_ptr<Tracker::Line> Tracker::make_line(const Address& address) {
  auto line = std::make_unique<Line>();
  line->address = address;
  line->server = address.text();
  net::PipelineOptions options = connection_to(address, settings_, tls_);
  options.name += ", watch";
  options.greeting = [this, &line = *line](net::Pipeline& connected) { return greet(line, connected); };
  options.on_push = [this](std::string_view push) { hear(push); };
  options.on_lost = [this, &line = *line] {
    if (std::exchange(line.is_up, false)) heard_.lost();
    heard_.disturbed();
  };
  line->pipeline = std::make_unique<net::Pipeline>(loop_, std::move(options));
  return line;
}

Task<Status> Tracker::greet(Line& line, net::Pipeline& connected) {
  std::string request;
  append_hello(request, settings_.login);
  resp::append_command(request, {"CLIENT", "SETNAME", fmt::format("holdfast-{}-watch", settings_.component)});
  append_tracking(request, line.wanted.prefixes());
  auto answers = co_await connected.call_first(request, 3, SteadyTime::max());
  if (!answers) co_return fail(std::move(answers.error()));
  std::string_view rest = *answers;
  resp::Reply hello;
  resp::Reply named;
  resp::Reply tracking;
  for (resp::Reply* const reply : {&hello, &named, &tracking})
    if (auto read = reply->read(rest); !read) co_return read;
  for (const resp::Reply* const reply : {&hello, &tracking}) {
    if (reply->root().kind() != resp::Kind::error) continue;
    Error error = describe(place(line), kDoing, reply->root().text());
    if (error.code == Errc::unsupported || (reply == &tracking && error.code == Errc::internal)) {
      error.code = Errc::unsupported;
      error.message = fmt::format(
          "component \"{}\" (state.redis): cannot {}: {} knows no CLIENT TRACKING with prefixes. It takes Redis 6 or "
          "later, or Valkey.",
          settings_.component, kDoing, line.server);
    }
    co_return fail(std::move(error));
  }
  if (!facts_of(hello.root()).is_primary)
    co_return fail(Errc::unavailable, fmt::format("component \"{}\" (state.redis): cannot {}: {} is a replica now; the "
                                                  "new primary is being looked for",
                                                  settings_.component, kDoing, line.server));
  line.told = line.wanted;
  co_return Status();
}

// ["invalidate", [key...]], or null in place of the keys when all are gone (FLUSHALL).
void Tracker::hear(std::string_view push) {
  const auto reply = resp::Reply::parse(push);
  if (!reply || reply->root()[0].text() != "invalidate") return;
  const resp::Value keys = reply->root()[1];
  if (keys.is_null()) return heard_.lost();
  for (const resp::Value key : keys) heard_.changed(key.text());
}

Task<Status> Tracker::ask(Line& line, std::string_view request, SteadyTime deadline) {
  auto answer = co_await line.pipeline->call(request, 1, deadline);
  if (!answer) co_return fail(std::move(answer.error()));
  if (!resp::is_error(*answer)) co_return Status();
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  co_return fail(describe(place(line), kDoing, reply->root().text()));
}

Task<Status> Tracker::connect(Line& line, const PrefixCover& cover, SteadyTime deadline) {
  line.wanted = cover;
  auto connected = co_await line.pipeline->connect(deadline);
  if (!connected) co_return connected;
  // From before this moment nobody has told us anything.
  if (!std::exchange(line.is_up, true) && was_whole_) heard_.lost();
  co_return connected;
}

Task<Status> Tracker::bring(std::unique_ptr<Line>& line, const PrefixCover& cover, SteadyTime deadline) {
  if (auto connected = co_await connect(*line, cover, deadline); !connected) co_return connected;
  std::vector<std::string> missing;
  for (const std::string& prefix : cover.prefixes())
    if (!line->told.covers(prefix)) missing.push_back(prefix);
  std::string request;
  if (missing.empty()) {
    resp::append_command(request, {"PING"});
    auto answered = co_await ask(*line, request, deadline);
    // A user who may not PING may still watch.
    if (!answered && answered.error().code == Errc::denied) co_return Status();
    co_return answered;
  }
  // A prefix that others begin with cannot be added to them: a second connection takes over, and both tell for a
  // moment.
  const bool overlaps = std::ranges::any_of(line->told.prefixes(), [&](const std::string& told) {
    return std::ranges::any_of(missing, [&](const std::string& prefix) { return told.starts_with(prefix); });
  });
  if (overlaps) {
    auto next = make_line(line->address);
    next->is_up = true;  // no gap
    auto connected = co_await connect(*next, cover, deadline);
    if (connected) std::swap(line, next);
    next->is_up = false;
    co_await next->pipeline->close(deadline);
    co_return connected;
  }
  append_tracking(request, missing);
  if (auto added = co_await ask(*line, request, deadline); !added) co_return added;
  for (const std::string& prefix : missing) line->told.add(prefix);
  co_return Status();
}

Task<Status> Tracker::arrange(const PrefixCover& cover, SteadyTime deadline) {
  std::vector<Address> primaries;
  for (const Shard& shard : router_.shards())
    if (shard.primary != nullptr) primaries.push_back(shard.primary->address());
  if (primaries.empty()) co_return fail(router_.why());
  std::vector<std::unique_ptr<Line>> leaving;
  for (auto& line : lines_)
    if (std::ranges::find(primaries, line->address) == primaries.end()) leaving.push_back(std::move(line));
  std::erase(lines_, nullptr);
  for (auto& line : leaving) {
    // What it had still to tell is not heard any more.
    if (std::exchange(line->is_up, false)) heard_.lost();
    co_await line->pipeline->close(deadline);
  }
  for (const Address& address : primaries)
    if (std::ranges::none_of(lines_, [&](const auto& line) { return line->address == address; }))
      lines_.push_back(make_line(address));
  Status all;
  for (auto& line : lines_)
    if (auto brought = co_await bring(line, cover, deadline); !brought) all = std::move(brought);
  if (all) was_whole_ = true;
  co_return all;
}

Task<void> Tracker::close(SteadyTime deadline) {
  for (auto& line : lines_) {
    line->is_up = false;
    co_await line->pipeline->close(deadline);
  }
  lines_.clear();
}

}  // namespace holdfast::stores::redis
