// "Nobody waits for this any more": set by a request's owner, polled between steps of long work. One loop's.
#pragma once

namespace holdfast {

struct Cancellation {
  bool requested = false;
};

}  // namespace holdfast
