#include "api/watch.h"

#include "api/caller.h"

namespace holdfast::api {

namespace {

constexpr std::size_t kBatchBytes = 16 * 1024;
constexpr std::size_t kFirstBytes = 480;  // room for a few events

}  // namespace

// In the frame of run().
class WatchList::Entry {
 public:
  Entry(WatchList& list, service::Watch& watch, net::BodyStream& stream, WatchForm& form, const http::Request& request,
        Access& access)
      : list_(list), watch_(watch), stream_(stream), form_(form), request_(request), access_(access) {
    place_ = list_.entries_.size();
    list_.entries_.push_back(this);
    list_.arm();
    stream_.on_end([this] { end(End::server_drains); });
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry() {
    stream_.on_end(nullptr);
    list_.entries_.back()->place_ = place_;
    std::swap(list_.entries_[place_], list_.entries_.back());
    list_.entries_.pop_back();
    list_.arm();
  }

  // What there is, up to a bound. False when nothing more can be sent.
  bool send_batch() {
    std::string out;
    out.reserve(kFirstBytes);
    state::WatchEvent& event = list_.event_;
    while (out.size() < kBatchBytes && watch_.take(event)) form_.append(out, event);
    if (event.record && event.record->value.capacity() > kBatchBytes) event = {};
    quiet_ = false;
    return out.empty() || stream_.write(std::move(out), form_.content_type());
  }
  void end(End why) {
    why_ = why;
    watch_.cancel();
  }
  End why() const { return why_; }

  void pulse() {
    if (!still_admitted()) return end(End::token_changed);
    if (std::exchange(quiet_, true) && !form_.heartbeat().empty() && stream_.unsent() == 0)
      stream_.write(std::string(form_.heartbeat()), form_.content_type());
  }

 private:
  bool still_admitted() {
    if (!access_.asks_for_token()) return true;
    const auto now = access_.admit(request_.headers.find("dapr-api-token"));
    if (!now) return false;
    const service::Grant* before = grant_of(request_);
    return before == nullptr || *now == nullptr ? before == now->get() : *before == **now;
  }

  WatchList& list_;
  service::Watch& watch_;
  net::BodyStream& stream_;
  WatchForm& form_;
  const http::Request& request_;
  Access& access_;
  std::size_t place_ = 0;
  bool quiet_ = false;  // nothing was sent since the last pulse
  End why_ = End::store_gone;
};

WatchList::~WatchList() {
  if (timer_ != 0) loop_.cancel(timer_);
}

Task<WatchList::End> WatchList::run(service::Watch& watch, net::BodyStream& stream, WatchForm& form,
                                    const http::Request& request, Access& access) {
  Entry entry(*this, watch, stream, form, request, access);
  while (co_await watch.wait()) {
    if (!entry.send_batch()) co_return End::client_gone;
    if (stream.unsent() > kBatchBytes && !co_await stream.sent()) co_return End::client_gone;
  }
  co_return entry.why();
}

void WatchList::arm() {
  if (entries_.empty() && timer_ != 0) loop_.cancel(std::exchange(timer_, 0));
  if (entries_.empty() || timer_ != 0) return;
  timer_ = loop_.after(kWatchPulse, [this] {
    timer_ = 0;
    pulse();
    arm();
  });
}

// Ending one resumes nobody inside the call, so that the list stays as it is.
void WatchList::pulse() {
  for (Entry* entry : entries_) entry->pulse();
}

}  // namespace holdfast::api
