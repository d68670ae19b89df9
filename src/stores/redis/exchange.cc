#include "stores/redis/exchange.h"

#include <fmt/format.h>

#include <algorithm>

#include "stores/redis/synced_writes.h"
#include "wire/resp/command.h"
#include "wire/resp/reply.h"
#include "wire/resp/scanner.h"

namespace holdfast::stores::redis {
namespace {

// MOVED after MOVED happens while a cluster takes itself apart; more than this is a loop.
constexpr std::uint32_t kTriesMost = 16;
constexpr Milliseconds kShortest{10};
constexpr Milliseconds kLongest{200};
constexpr std::size_t kScratchKept = 256 * 1024;

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::string describe(const Request& request) {
  return request.key.empty() ? std::string(request.verb) : fmt::format("{} \"{}\"", request.verb, request.key);
}

// ASKING is about the one command behind it.
std::string with_asking(std::string_view commands) {
  std::string out;
  while (!commands.empty()) {
    resp::append_command(out, {"ASKING"});
    out += take_reply(commands);  // commands have the form of replies
  }
  return out;
}

// The replies without those to ASKING, which stand before each.
std::string without_asking(std::string_view replies) {
  std::string out;
  while (!replies.empty()) {
    take_reply(replies);
    out += take_reply(replies);
  }
  return out;
}

// The error, if any, that says what became of the request. A key may leave its node between two commands of a reading:
// then the last says so, which is a line of its own (the replies to several commands end with a number).
std::string_view telling_error(std::string_view replies, std::uint32_t count) {
  if (resp::is_error(replies)) return replies;
  if (count < 2 || replies.size() < 3) return {};
  const std::string_view last = replies.substr(replies.rfind('\n', replies.size() - 3) + 1);
  return resp::is_error(last) ? last : std::string_view();
}

}  // namespace

std::string_view take_reply(std::string_view& bytes) {
  if (bytes.empty()) return {};
  resp::Scanner scanner;
  // What the connection let pass is whole.
  const std::size_t length = scanner.scan(bytes).value_or(bytes.size());
  const std::string_view reply = bytes.substr(0, length);
  bytes.remove_prefix(length);
  return reply;
}

ServerRef Exchange::route(const Request& request) {
  if (request.may_read_replica)
    if (ServerRef replica = router_.replica_of(request.slot)) return replica;
  return router_.primary_of(request.slot);
}

Error Exchange::nobody(const Request& request) const {
  Error error = router_.why();
  error.code = Errc::unavailable;
  return with_context(std::move(error),
                      fmt::format("component \"{}\" (state.redis): cannot {}: no server serves the key",
                                  settings_.component, describe(request)));
}

Status Exchange::append(Request& request, const Answer& answer, const Try& now, bool asks) {
  scratch_.clear();
  if (scratch_.capacity() > kScratchKept) scratch_.shrink_to_fit();
  auto appended = request.append(scratch_, *answer.server, now);
  if (appended && asks) scratch_ = with_asking(scratch_);
  return appended;
}

Task<Status> Exchange::send_hot(Request& request, Answer& answer, bool asks) {
  const std::uint32_t own = request.replies * (asks ? 2 : 1);
  const bool follows = request.position != nullptr;
  if (follows) append_role(scratch_);
  auto replies = co_await answer.server->call(request.work, scratch_, own + (follows ? 1 : 0), request.deadline);
  answer.replies = replies.value_or(std::string_view());
  if (!replies) co_return fail(std::move(replies.error()));
  if (follows) {
    std::string_view role = answer.replies;
    for (std::uint32_t i = 0; i < own; ++i) take_reply(role);
    answer.replies.remove_suffix(role.size());
    follow(request, answer, role);
  }
  if (asks) answer.replies = answer.kept = without_asking(answer.replies);
  co_return Status();
}

Task<Status> Exchange::send_synced(Request& request, Answer& answer, bool asks) {
  auto synced = co_await answer.server->synced().write(scratch_, request.replicas, request.deadline, asks);
  if (!synced) co_return fail(std::move(synced.error()));
  answer.kept = std::move(synced->reply);
  answer.replies = answer.kept;
  answer.waiting = std::move(synced->waiting);
  if (request.position == nullptr) co_return Status();
  std::string asking;
  append_role(asking);
  const auto role = co_await answer.server->call(Work::hot, asking, 1, request.deadline);
  follow(request, answer, role.value_or(std::string_view()));
  co_return Status();
}

// Asked after the request, so that what it has seen or written is behind that offset.
void Exchange::follow(Request& request, const Answer& answer, std::string_view role) {
  if (const auto written = answer.server->written_by(role)) (void)request.position->reach(*written);
}

Exchange::Next Exchange::after_loss(Request& request, const Answer& answer, Try& now, Error& error) {
  // What was sent first may stand, whatever became of asking about it.
  const bool was_repeat = now.is_repeat;
  const Errc code = error.code;
  if (code == Errc::outcome_unknown && request.is_read) error.code = Errc::unavailable;
  if (was_repeat) error.code = Errc::outcome_unknown;
  const bool is_lost_write = code == Errc::outcome_unknown && !request.is_read;
  if (is_lost_write && (!request.has_write_id || request.is_synced)) return Next::done;
  if (code != Errc::unavailable && code != Errc::outcome_unknown) return Next::done;
  now.is_repeat = was_repeat || is_lost_write;
  router_.doubt();
  // A reading that a replica could not answer goes to the primary.
  request.may_read_replica = false;
  if (++now.losses > std::max<std::uint32_t>(settings_.retries_max, 1)) return Next::done;
  const bool is_still_down = code == Errc::unavailable && now.losses > 1 && !answer.server->is_connected();
  return is_still_down && answer.server == route(request) ? Next::done : Next::again;
}

Exchange::Next Exchange::after_reply(const Request& request, const Answer& answer, Try& now, ServerRef& redirected,
                                     bool& asks) {
  std::string_view rest = telling_error(answer.replies, request.replies);
  if (rest.empty()) return Next::done;
  resp::Reply reply;
  if (!reply.read(rest)) return Next::done;
  const std::string_view words = reply.root().text();
  const Trouble trouble = trouble_of(words);
  switch (trouble) {
    case Trouble::no_script:
      now.sending = Sending::in_full;
      return Next::again;
    case Trouble::moved:
    case Trouble::ask:
      if (!request.may_follow) return Next::done;
      if (const auto redirect = parse_redirect(words); redirect && router_.is_cluster()) {
        redirected = router_.follow(*redirect, *answer.server);
        asks = redirect->is_ask;
        return Next::again;
      }
      return Next::done;
    case Trouble::read_only:
      answer.server->distrust("it answered that it is a replica");
      router_.doubt();
      return Next::again_later;
    default:
      if (!is_passing(trouble)) return Next::done;
      router_.doubt();
      return Next::again_later;
  }
}

Task<Status> Exchange::run(Request& request, Answer& answer) {
  Try attempt;
  ServerRef redirected;
  bool asks = false;
  Status status;
  for (std::uint32_t tries = 0; tries < kTriesMost; ++tries) {
    const bool asks_now = std::exchange(asks, false);
    Next next = Next::again_later;
    answer.server = redirected != nullptr ? std::exchange(redirected, nullptr) : route(request);
    if (answer.server == nullptr) {
      status = fail(nobody(request));
      if (attempt.is_repeat) status.error().code = Errc::outcome_unknown;
      router_.doubt();
    } else {
      if (status = append(request, answer, attempt, asks_now); !status) co_return status;
      status =
          co_await (request.is_synced ? send_synced(request, answer, asks_now) : send_hot(request, answer, asks_now));
      next = status ? after_reply(request, answer, attempt, redirected, asks)
                    : after_loss(request, answer, attempt, status.error());
      if (next == Next::done) co_return status;
    }
    if (now() >= request.deadline) break;
    if (next == Next::again_later) {
      if (attempt.waits++ >= settings_.retries_max) break;
      co_await sleep_for(loop_, std::min(kShortest * (1 << std::min(attempt.waits - 1, 8U)), kLongest));
    }
  }
  // A reply that is an error stays for the caller to put into words.
  co_return status;
}

}  // namespace holdfast::stores::redis
