#include "conformance/remote/http_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::conformance {

namespace {

constexpr timeval kAnswerTime{60, 0};
constexpr std::string_view kEndOfHead = "\r\n\r\n";

std::unexpected<Error> broken() { return fail(Errc::unavailable, "the daemon closed the connection"); }

// The fields after the status line.
void read_fields(std::string_view lines, HttpAnswer& answer) {
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(lines.size(), line.size() + 2));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    answer.headers.emplace_back(line.substr(0, colon), trim(line.substr(colon + 1)));
  }
}

}  // namespace

std::string_view HttpAnswer::header(std::string_view name) const {
  for (const auto& [field, value] : headers)
    if (iequals(field, name)) return value;
  return {};
}

int connect_to_loopback(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return -1;
  }
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kAnswerTime, sizeof kAnswerTime);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kAnswerTime, sizeof kAnswerTime);
  return fd;
}

Result<std::unique_ptr<HttpClient>> HttpClient::connect(std::uint16_t port) {
  const int fd = connect_to_loopback(port);
  if (fd < 0) return fail(Errc::unavailable, fmt::format("nobody listens on port {}", port));
  return std::make_unique<HttpClient>(fd);
}

HttpClient::~HttpClient() { ::close(fd_); }

bool HttpClient::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool HttpClient::read_some() {
  std::array<char, 16 * 1024> chunk;
  const ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
  if (n <= 0) return false;
  in_.append(chunk.data(), static_cast<std::size_t>(n));
  return true;
}

Result<HttpAnswer> HttpClient::read_head() {
  std::size_t end = 0;
  while ((end = in_.find(kEndOfHead)) == std::string::npos)
    if (!read_some()) return broken();
  HttpAnswer answer;
  const std::string_view head = std::string_view(in_).substr(0, end);
  const std::string_view line = head.substr(0, head.find("\r\n"));
  if (line.size() < 12 || !line.starts_with("HTTP/1.1 ") || !read_number(line.substr(9, 3), answer.status))
    return fail(Errc::internal, "the answer is not HTTP/1.1");
  read_fields(head.substr(line.size() + (head.size() > line.size() ? 2 : 0)), answer);
  in_.erase(0, end + kEndOfHead.size());
  return answer;
}

Result<HttpAnswer> HttpClient::begin(const HttpRequest& request) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", request.method, request.target);
  for (const auto& [name, value] : request.headers) out += fmt::format("{}: {}\r\n", name, value);
  out += fmt::format("Content-Length: {}\r\n\r\n", request.body.size());
  out += request.body;
  if (!write(out)) return broken();
  return read_head();
}

Status HttpClient::read_body(HttpAnswer& answer) {
  std::size_t size = 0;
  if (!read_number(answer.header("content-length"), size))
    return fail(Errc::internal, "the answer has no Content-Length");
  while (in_.size() < size)
    if (!read_some()) return broken();
  answer.body = in_.substr(0, size);
  in_.erase(0, size);
  return {};
}

Result<HttpAnswer> HttpClient::send(const HttpRequest& request) {
  auto answer = begin(request);
  if (!answer) return answer;
  const bool bodiless = request.method == "HEAD" || answer->status == 204 || answer->status == 304;
  if (bodiless) return answer;
  if (const Status read = read_body(*answer); !read) return fail(read.error());
  return answer;
}

// SIZE in hexadecimal, a line break, the bytes, a line break.
std::optional<std::string> HttpClient::read_chunk() {
  std::size_t end = 0;
  while ((end = in_.find("\r\n")) == std::string::npos)
    if (!read_some()) return std::nullopt;
  std::size_t size = 0;
  if (std::from_chars(in_.data(), in_.data() + end, size, 16).ptr != in_.data() + end || size == 0) return std::nullopt;
  const std::size_t all = end + 2 + size + 2;
  while (in_.size() < all)
    if (!read_some()) return std::nullopt;
  std::string chunk = in_.substr(end + 2, size);
  in_.erase(0, all);
  return chunk;
}

void HttpClient::shut_down() { ::shutdown(fd_, SHUT_RDWR); }

}  // namespace holdfast::conformance
