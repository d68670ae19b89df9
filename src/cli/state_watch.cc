#include "cli/state_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/http_stream.h"
#include "cli/output.h"
#include "cli/state_show.h"

namespace holdfast::cli {

namespace {

// A sidecar that has nothing to tell says so every 15 seconds.
constexpr std::chrono::seconds kSilenceMax{45};
constexpr std::chrono::milliseconds kFirstPause{100};
constexpr std::chrono::milliseconds kLongestPause{2000};

class Watching {
 public:
  Watching(const StateCommand& command, Address address)
      : command_(command), resume_(command.after), stream_(std::move(address)) {}

  int run() {
    for (;;) {
      const auto answer = listen();
      if (stream_.was_stopped()) return print_how_to_go_on(kDone);
      if (is_broken_) return print_how_to_go_on(kFailed);
      if (!may_try_again(answer)) return print_how_to_go_on(complain_of(answer));
      say_that_it_is_tried_again(answer);
      stream_.pause(pause_);
      pause_ = std::min(2 * pause_, kLongestPause);
    }
  }

 private:
  Result<HttpResponse> listen() {
    http::EventStream events;
    return stream_.get(watch_request(command_, resume_), kSilenceMax, [&](std::string_view bytes) {
      if (!events.feed(bytes)) return give_up("an event is too long to be shown");
      while (const auto event = events.next())
        if (!show(*event)) return false;
      return true;
    });
  }

  bool give_up(std::string_view why) {
    is_broken_ = true;
    complain(why, kFailed);
    return false;
  }

  // That the watch is in place again, with nothing lost, is no news. Where the store cannot go on from where it was,
  // what happened meanwhile is lost.
  bool show(http::ServerEvent event) {
    pause_ = kFirstPause;
    is_outage_told_ = false;
    if (event.kind == "ready" && std::exchange(is_in_place_, true)) {
      if (!resume_.empty()) return true;
      event.kind = "resync";
    }
    is_in_place_ = true;
    resume_ = event.id;
    const auto text = event_text(event, command_.values, command_.json);
    if (!text) return give_up(text.error().message);
    return print(*text) || give_up("cannot write to standard output");
  }

  // Not before it was in place: a wrong address is to be told at once.
  bool may_try_again(const Result<HttpResponse>& answer) const {
    return is_in_place_ && (!answer || answer->status == 200 || answer->status == 503 || answer->status == 504);
  }

  void say_that_it_is_tried_again(const Result<HttpResponse>& answer) {
    if (std::exchange(is_outage_told_, true)) return;
    const std::string why = !answer                 ? answer.error().message
                            : answer->status == 200 ? "the sidecar has ended the watch"
                                                    : failure_text(*answer);
    complain(why + "\nIt is tried again until it is there", kFailed);
  }

  static int complain_of(const Result<HttpResponse>& answer) {
    if (!answer) return complain(answer.error().message, kFailed);
    if (answer->status == 200) return complain("the sidecar has ended the watch", kFailed);
    return complain(failure_text(*answer), exit_code_of(*answer));
  }

  int print_how_to_go_on(int code) const {
    if (!resume_.empty() && is_in_place_)
      complain(fmt::format("--after {} goes on from here", printable(resume_)), code);
    return code;
  }

  const StateCommand& command_;
  std::string resume_;  // the id of the last event that was shown
  HttpStream stream_;
  std::chrono::milliseconds pause_ = kFirstPause;
  bool is_in_place_ = false;     // it was, once
  bool is_outage_told_ = false;  // since the last event
  bool is_broken_ = false;
};

}  // namespace

int run_watch(const StateCommand& command, Address address) { return Watching(command, std::move(address)).run(); }

}  // namespace holdfast::cli
