#include "cli/http_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "base/encoding.h"
#include "cli/http_message.h"

namespace holdfast::cli {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;
using Parser = beast::http::response_parser<beast::http::string_body>;

std::string host_field(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", address.host, address.port) : fmt::format("{}:{}", address.host, address.port);
}

// Runs one asynchronous operation to its end: Beast's time limits exist only for those.
template <class Begin>
ErrorCode finish(asio::io_context& context, beast::tcp_stream& stream, std::chrono::milliseconds limit, Begin begin) {
  ErrorCode result;
  stream.expires_after(limit);
  begin([&result](ErrorCode error, auto&&...) { result = error; });
  context.restart();
  context.run();
  return result;
}

}  // namespace

HttpMessage message_of(const Address& address, const HttpRequest& request) {
  HttpMessage message;
  message.version(11);
  message.method_string(request.method);
  message.target(request.target);
  message.set(beast::http::field::host, host_field(address));
  message.set(beast::http::field::user_agent, "holdfast/" HOLDFAST_VERSION);
  message.keep_alive(false);
  for (const auto& [name, value] : request.headers) message.set(name, value);
  message.body() = request.body;
  message.prepare_payload();
  return message;
}

std::unexpected<Error> unreachable(const Address& address, const ErrorCode& error) {
  return fail(Errc::unavailable, fmt::format("no answer from a sidecar at {}: {}. Is it running there? --address or "
                                             "DAPR_HTTP_PORT say where to look",
                                             host_field(address), error.message()));
}

std::string_view HttpResponse::header(std::string_view name) const {
  const auto found = std::ranges::find_if(headers, [&](const auto& field) { return iequals(field.first, name); });
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

Result<Address> parse_address(std::string_view text) {
  const std::string given(text);
  const auto refuse = [&given](std::string_view why) {
    return fail(Errc::invalid_argument,
                fmt::format("\"{}\" is no address of a sidecar: {}; it looks like http://127.0.0.1:3500", given, why));
  };
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    if (!iequals(text.substr(0, scheme), "http")) return refuse("only http is spoken");
    text.remove_prefix(scheme + 3);
  }
  if (text.ends_with('/')) text.remove_suffix(1);
  Address address{{}, "80"};
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return refuse("a \"]\" is missing");
    address.host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (!text.empty() && !text.starts_with(':')) return refuse("something stands between host and port");
  } else {
    address.host = text.substr(0, text.find(':'));
    text.remove_prefix(address.host.size());
  }
  if (address.host.empty()) return refuse("the host is missing");
  if (address.host.find_first_of("/?#@ ") != std::string::npos) return refuse("it has more than a host and a port");
  if (text.empty()) return address;
  text.remove_prefix(1);
  if (text.empty() || text.size() > 5 || text.find_first_not_of("0123456789") != std::string_view::npos)
    return refuse("the port is not a number");
  address.port = text;
  return address;
}

Result<HttpResponse> send(const Address& address, const HttpRequest& request, std::chrono::milliseconds limit) {
  asio::io_context context(1);
  ErrorCode error;
  const auto endpoints = asio::ip::tcp::resolver(context).resolve(address.host, address.port, error);
  if (error) return unreachable(address, error);
  beast::tcp_stream stream(context);
  error = finish(context, stream, limit, [&](auto done) { stream.async_connect(endpoints, std::move(done)); });
  if (error) return unreachable(address, error);
  const HttpMessage message = message_of(address, request);
  error =
      finish(context, stream, limit, [&](auto done) { beast::http::async_write(stream, message, std::move(done)); });
  // A sidecar that refuses a body may answer before it has read all of it: the answer is what counts.
  const ErrorCode write_error = error;
  Parser parser;
  parser.body_limit(kAnswerBytesMax);
  parser.skip(request.method == "HEAD");
  beast::flat_buffer buffer;
  error = finish(context, stream, limit,
                 [&](auto done) { beast::http::async_read(stream, buffer, parser, std::move(done)); });
  if (error) return unreachable(address, write_error ? write_error : error);
  HttpResponse response = head_of(parser.get());
  response.body = std::move(parser.get().body());
  return response;
}

}  // namespace holdfast::cli
