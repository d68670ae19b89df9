// An HTTP answer that goes on, for a person who looks at it: SIGINT and SIGTERM end it, and any pause. Blocking, a
// connection each time: for the command line only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "cli/http_client.h"

namespace holdfast::cli {

// Takes over both signals until it is destroyed.
class HttpStream {
 public:
  explicit HttpStream(Address address);
  HttpStream(const HttpStream&) = delete;
  HttpStream& operator=(const HttpStream&) = delete;

  // Hands the bytes of an answer 200 over as they come, until its end or until `take` answers false. Any other answer
  // is whole in what is returned. Errc::unavailable says why there is no answer, or why it broke off: also when nothing
  // has come for `silence_max`, or a signal.
  Result<HttpResponse> get(const HttpRequest& request, std::chrono::milliseconds silence_max,
                           const std::function<bool(std::string_view)>& take);
  // Ends early when a signal comes.
  void pause(std::chrono::milliseconds time);
  bool was_stopped() const { return stopped_; }

 private:
  using ErrorCode = boost::system::error_code;
  template <class Begin>
  ErrorCode finish(std::chrono::milliseconds limit, Begin begin);
  ErrorCode connect_and_write(const HttpRequest& request);
  void wait_for_signal();

  const Address address_;
  boost::asio::io_context context_{1};
  boost::asio::signal_set signals_{context_};
  std::optional<boost::beast::tcp_stream> stream_;
  bool stopped_ = false;
};

}  // namespace holdfast::cli
