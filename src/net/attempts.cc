#include "net/attempts.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/parked.h"
#include "base/random.h"

namespace holdfast::net {

namespace {
constexpr auto kInterest = std::chrono::seconds(10);
}

std::string PeerTexts::about(std::string_view text) const {
  return name_.empty() ? std::string(text) : fmt::format("{}: {}", name_, text);
}

Error PeerTexts::sent_and(std::string_view why) const {
  return {Errc::outcome_unknown, about(fmt::format("a request was sent to {} and not answered, so that it may or may "
                                                   "not have taken effect: {}",
                                                   endpoint_, why))};
}

Error PeerTexts::late() const {
  return {Errc::deadline_exceeded, about(fmt::format("the time was up before the request was sent to {}", endpoint_))};
}

Error PeerTexts::overloaded(std::size_t requests, std::size_t bytes) const {
  return {Errc::overloaded, about(fmt::format("{} requests of {} bytes wait for {} already; try again later", requests,
                                              bytes, endpoint_))};
}

Error PeerTexts::closed() const {
  return {Errc::unavailable,
          about(fmt::format("the connection to {} was closed, because it is not needed any more", endpoint_))};
}

bool Attempts::is_wanted(SteadyTime now) {
  look(now);
  return now - last_asked_ < kInterest;
}

void Attempts::lose_interest() { last_asked_ = std::chrono::steady_clock::now() - kInterest; }

void Attempts::forget() {
  has_failed_ = false;
  backoff_ = Milliseconds(0);
}

Error Attempts::unreachable() const {
  Error why = last_failure_;
  why.code = Errc::unavailable;
  return why;
}

void Attempts::fail(const Error& why) {
  last_failure_ = why;
  last_failure_.message = texts_.about(fmt::format("cannot connect to {}: {}", texts_.endpoint(), why.message));
  ++failures_;
  if (!std::exchange(has_failed_, true)) log::warn("holdfast.net", "{}", last_failure_.message);
}

void Attempts::succeed() {
  if (std::exchange(has_failed_, false))
    log::info("holdfast.net", "{}", texts_.about(fmt::format("connected to {} again", texts_.endpoint())));
}

void Attempts::space_out(bool is_no_better) {
  backoff_ = is_no_better ? std::clamp(backoff_ * 2, backoff_min_, backoff_max_) : Milliseconds(0);
}

Task<void> Attempts::pause() {
  const auto share = static_cast<Milliseconds::rep>(random_u64() % 1024);
  pause_timer_ = loop_.after(backoff_ / 2 + backoff_ * share / 2048, [this] {
    pause_timer_ = 0;
    std::exchange(paused_, nullptr).resume();
  });
  co_await Parked{paused_};
}

void Attempts::skip_pause() {
  if (!paused_) return;
  loop_.cancel(std::exchange(pause_timer_, 0));
  loop_.post([waiter = std::exchange(paused_, nullptr)] { waiter.resume(); });
}

}  // namespace holdfast::net
