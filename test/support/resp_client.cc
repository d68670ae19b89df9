#include "support/resp_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "wire/resp/command.h"
#include "wire/resp/scanner.h"

namespace holdfast::test {
namespace {

resp::Reply parsed(std::string_view bytes) {
  auto reply = resp::Reply::parse(bytes);
  if (!reply) throw std::runtime_error(reply.error().message);
  return std::move(*reply);
}

}  // namespace

Answer::Answer(std::string bytes)
    : bytes_(std::make_unique<const std::string>(std::move(bytes))), reply_(parsed(*bytes_)) {}

RespClient::RespClient(std::uint16_t port, std::chrono::milliseconds patience) : patience_(patience) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    throw std::runtime_error("nobody listens on port " + std::to_string(port));
  }
  const int yes = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

RespClient::~RespClient() { ::close(fd_); }

Answer RespClient::command(std::initializer_list<std::string_view> words) {
  std::string bytes;
  resp::append_command(bytes, words);
  send(bytes);
  return read();
}

Answer RespClient::command(const std::vector<std::string>& words) {
  std::string bytes;
  resp::begin_command(bytes, words.size());
  for (const std::string& word : words) resp::append_argument(bytes, word);
  send(bytes);
  return read();
}

void RespClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the connection was lost while sending");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

Answer RespClient::read() {
  resp::Scanner scanner;
  std::array<char, 16384> piece;
  while (true) {
    const auto length = scanner.scan(received_);
    if (!length) throw std::runtime_error(length.error().message);
    if (*length > 0) {
      Answer answer(received_.substr(0, *length));
      received_.erase(0, *length);
      return answer;
    }
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, static_cast<int>(patience_.count())) <= 0) throw std::runtime_error("no answer in time");
    const ssize_t got = ::recv(fd_, piece.data(), piece.size(), 0);
    if (got <= 0) throw std::runtime_error("the connection was lost while waiting for an answer");
    received_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace holdfast::test
