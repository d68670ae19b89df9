#include "cli/http_stream.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <csignal>
#include <limits>

#include "cli/http_message.h"

namespace holdfast::cli {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;

constexpr std::size_t kPortionBytes = 16 * 1024;

}  // namespace

HttpStream::HttpStream(Address address) : address_(std::move(address)) {
  signals_.add(SIGINT);
  signals_.add(SIGTERM);
  wait_for_signal();
}

void HttpStream::wait_for_signal() {
  signals_.async_wait([this](ErrorCode error, int) {
    if (error) return;
    stopped_ = true;
    signals_.clear();  // the next one ends the process, whatever this does
    if (stream_) stream_->cancel();
  });
}

// Runs one asynchronous operation to its end. The wait for signals goes on behind it, so the context never runs out.
template <class Begin>
HttpStream::ErrorCode HttpStream::finish(std::chrono::milliseconds limit, Begin begin) {
  context_.poll();
  if (stopped_) return asio::error::operation_aborted;
  std::optional<ErrorCode> result;
  stream_->expires_after(limit);
  begin([&result](ErrorCode error, auto&&...) { result = error; });
  while (!result) context_.run_one();
  return *result;
}

HttpStream::ErrorCode HttpStream::connect_and_write(const HttpRequest& request) {
  ErrorCode error;
  const auto endpoints = asio::ip::tcp::resolver(context_).resolve(address_.host, address_.port, error);
  if (error) return error;
  stream_.emplace(context_);
  error = finish(kAnswerTime, [&](auto done) { stream_->async_connect(endpoints, std::move(done)); });
  if (error) return error;
  const HttpMessage message = message_of(address_, request);
  return finish(kAnswerTime, [&](auto done) { beast::http::async_write(*stream_, message, std::move(done)); });
}

Result<HttpResponse> HttpStream::get(const HttpRequest& request, std::chrono::milliseconds silence_max,
                                     const std::function<bool(std::string_view)>& take) {
  if (const ErrorCode error = connect_and_write(request)) return unreachable(address_, error);
  beast::flat_buffer buffer;
  beast::http::response_parser<beast::http::buffer_body> parser;
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  ErrorCode error = finish(
      kAnswerTime, [&](auto done) { beast::http::async_read_header(*stream_, buffer, parser, std::move(done)); });
  if (error) return unreachable(address_, error);
  HttpResponse response = head_of(parser.get());
  std::array<char, kPortionBytes> portion{};
  while (!parser.is_done()) {
    parser.get().body().data = portion.data();
    parser.get().body().size = portion.size();
    error = finish(silence_max,
                   [&](auto done) { beast::http::async_read_some(*stream_, buffer, parser, std::move(done)); });
    if (error == beast::http::error::need_buffer) error = {};
    if (error) return unreachable(address_, error);
    const std::string_view bytes(portion.data(), portion.size() - parser.get().body().size);
    if (response.status != 200) {
      response.body += bytes;
    } else if (!take(bytes)) {
      break;
    }
  }
  return response;
}

void HttpStream::pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(context_, time);
  bool is_over = false;
  timer.async_wait([&is_over](ErrorCode) { is_over = true; });
  while (!is_over && !stopped_) context_.run_one();
  timer.cancel();
  context_.poll();  // what is cancelled still refers to this frame
}

}  // namespace holdfast::cli
