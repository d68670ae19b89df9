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

}  // namespace

std::string_view Replies::next() {
  if (rest_.empty()) return {};
  resp::Scanner scanner;
  // What the connection let pass is whole.
  const std::size_t length = scanner.scan(rest_).value_or(rest_.size());
  const std::string_view reply = rest_.substr(0, length);
  rest_.remove_prefix(length);
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
  return with_context(std::move(error), fmt::format("component \"{}\" (state.redis): cannot {}: no server serves the key",
                                                    settings_.component, request.doing));
}

Task<Status> Exchange::send(Request& request, Answer& answer, const Try& now, bool asks) {
  scratch_.clear();
  if (scratch_.capacity() > kScratchKept) scratch_.shrink_to_fit();
  if (asks) resp::append_command(scratch_, {"ASKING"});
  if (auto appended = request.append(scratch_, *answer.server, now); !appended) co_return appended;
  if (request.is_synced) {
    auto synced = co_await answer.server->synced().write(scratch_, request.replicas, request.deadline, asks);
    if (!synced) co_return fail(std::move(synced.error()));
    answer.kept = std::move(synced->reply);
    answer.replies = answer.kept;
    answer.waiting = std::move(synced->waiting);
    co_return Status();
  }
  auto replies = co_await answer.server->call(request.work, scratch_, request.replies + (asks ? 1 : 0),
                                              request.deadline);
  if (!replies) co_return fail(std::move(replies.error()));
  answer.replies = *replies;
  if (asks) answer.replies.remove_prefix(Replies(answer.replies).next().size());
  co_return Status();
}

Exchange::Next Exchange::after_loss(const Request& request, Try& now, Error& error) {
  switch (error.code) {
    case Errc::unavailable:
      break;  // nothing was sent
    case Errc::outcome_unknown:
      if (request.is_read) {
        error.code = Errc::unavailable;
      } else if (request.has_write_id && !request.is_synced) {
        now.is_repeat = true;
      } else {
        return Next::done;
      }
      break;
    default:
      return Next::done;
  }
  router_.doubt();
  return Next::again;
}

Exchange::Next Exchange::after_reply(const Answer& answer, Try& now, ServerRef& redirected, bool& asks) {
  if (!resp::is_error(answer.replies)) return Next::done;
  const auto reply = resp::Reply::parse(Replies(answer.replies).next());
  if (!reply) return Next::done;
  const std::string_view words = reply->root().text();
  const Trouble trouble = trouble_of(words);
  switch (trouble) {
    case Trouble::no_script:
      now.sending = Sending::in_full;
      return Next::again;
    case Trouble::moved:
    case Trouble::ask:
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
  Milliseconds pause = kShortest;
  Status status;
  std::uint32_t waited = 0;
  std::uint32_t lost = 0;
  for (std::uint32_t tries = 0; tries < kTriesMost; ++tries) {
    const bool asks_now = std::exchange(asks, false);
    answer.server = redirected != nullptr ? std::exchange(redirected, nullptr) : route(request);
    Next next = Next::again_later;
    if (answer.server == nullptr) {
      status = fail(nobody(request));
      router_.doubt();
    } else if (status = co_await send(request, answer, attempt, asks_now); status) {
      next = after_reply(answer, attempt, redirected, asks);
      if (next == Next::done) co_return status;
    } else {
      const bool was_repeat = attempt.is_repeat;
      next = after_loss(request, attempt, status.error());
      // What was sent first may stand, whatever became of asking about it.
      if (was_repeat) status.error().code = Errc::outcome_unknown;
      if (next == Next::done || ++lost > std::max<std::uint32_t>(settings_.retries_max, 1)) co_return status;
      // A reading that a replica could not answer goes to the primary.
      request.may_read_replica = false;
      const bool fails_fast = answer.server == route(request) && !answer.server->is_connected() &&
                              status.error().code == Errc::unavailable && lost > 1;
      if (fails_fast) co_return status;
    }
    if (now() >= request.deadline) break;
    if (next == Next::again_later) {
      if (waited++ >= settings_.retries_max) break;
      co_await sleep_for(loop_, pause);
      pause = std::min(2 * pause, kLongest);
    }
  }
  // A reply that is an error stays for the caller to put into words.
  co_return status;
}

}  // namespace holdfast::stores::redis
