#include "attempts.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace holdfast::detail {

namespace {

// gRPC's words for a connection that was never there, so that no request was sent on it.
constexpr std::array<std::string_view, 3> kNeverSent = {"failed to connect to all addresses", "DNS resolution failed",
                                                        "Name resolution failure"};
// The statuses that gRPC itself makes when a connection ends under a call.
constexpr std::array<Code, 4> kBroken = {Code::unavailable, Code::internal, Code::unknown, Code::cancelled};

}  // namespace

Fate fate_of(const Error& error) {
  if (dynamic_cast<const Unavailable*>(&error) != nullptr) {
    const bool is_never_sent =
        std::ranges::any_of(kNeverSent, [&error](auto words) { return error.message().starts_with(words); });
    return !error.reason().empty() || is_never_sent ? Fate::untouched : Fate::lost;
  }
  const bool is_broken = error.reason().empty() && std::ranges::count(kBroken, error.code()) > 0;
  return is_broken ? Fate::lost : Fate::final;
}

milliseconds delay_after(const Retry& retry, int attempt, double chance) {
  const double doubled = static_cast<double>(retry.first_delay.count()) * std::exp2(std::min(attempt - 1, 60));
  const double whole = std::min(static_cast<double>(retry.max_delay.count()), doubled);
  return milliseconds(static_cast<milliseconds::rep>(whole * (1 - chance / 2)));
}

Attempts::Attempts(Nature nature, Timeout timeout, Retry retry, Clock::time_point now)
    : nature_(nature), retry_(retry), deadline_(timeout ? std::optional(now + *timeout) : std::nullopt) {}

Timeout Attempts::begin(Clock::time_point now) {
  ++attempt_;
  if (!deadline_) return std::nullopt;
  return std::max(std::chrono::duration_cast<milliseconds>(*deadline_ - now), milliseconds(1));
}

Attempts::Next Attempts::failed(const ErrorPtr& error, Clock::time_point now, double chance) {
  const Fate fate = fate_of(*error);
  if (nature_ != Nature::read) is_lost_ = is_lost_ || fate == Fate::lost;
  const milliseconds pause = delay_after(retry_, attempt_, chance);
  const bool is_last = attempt_ >= retry_.attempts || (deadline_ && now + pause >= *deadline_) ||
                       error->code() == Code::cancelled;  // by who closed the client
  if (fate == Fate::final || is_last || (is_lost_ && nature_ == Nature::write)) return {.error = ended(error)};
  return {.pause = pause};
}

ErrorPtr Attempts::ended(const ErrorPtr& error) const { return is_lost_ ? outcome_unknown(error) : error; }

}  // namespace holdfast::detail
