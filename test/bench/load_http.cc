#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "bench/load.h"
#include "bench/process.h"
#include "bench/socket.h"

namespace holdfast::bench {

int connect_to(const Load& load) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(load.port));
  inet_pton(AF_INET, load.host.c_str(), &address.sin_addr);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw std::runtime_error("cannot connect to port " + std::to_string(load.port));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void send_all(int fd, const char* data, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::send(fd, data, bytes, MSG_NOSIGNAL);
    if (n <= 0) throw std::runtime_error("the server hung up");
    data += n;
    bytes -= static_cast<std::size_t>(n);
  }
}

double LoadResult::percentile_us(double p) {
  if (latencies_us.empty()) return 0;
  std::sort(latencies_us.begin(), latencies_us.end());
  return latencies_us[std::min(latencies_us.size() - 1,
                               static_cast<std::size_t>(p * static_cast<double>(latencies_us.size())))];
}

namespace {

struct Client {
  int fd = -1;
  std::string in;
  double asked = 0;
};

// The bytes of the first whole response in `in`, or 0.
std::size_t response_bytes(const std::string& in) {
  const std::size_t head = in.find("\r\n\r\n");
  if (head == std::string::npos) return 0;
  const std::size_t at = in.find("Content-Length: ");
  std::size_t body = 0;
  if (at != std::string::npos && at < head) body = std::strtoul(in.c_str() + at + 16, nullptr, 10);
  return in.size() >= head + 4 + body ? head + 4 + body : 0;
}

bool is_success(const std::string& in) { return in.size() > 9 && in[9] == '2'; }

}  // namespace

std::string fetch_http(const Load& load, const std::string& request) {
  const int fd = connect_to(load);
  send_all(fd, request.data(), request.size());
  std::string in;
  std::size_t whole = 0;
  while ((whole = response_bytes(in)) == 0) {
    char buffer[65536];
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) throw std::runtime_error("the server hung up");
    in.append(buffer, static_cast<std::size_t>(n));
  }
  close(fd);
  if (!is_success(in)) throw std::runtime_error("unexpected answer: " + in.substr(0, 300));
  return in.substr(0, whole);
}

LoadResult run_http(const Load& load, std::span<const std::string> requests) {
  LoadResult result;
  std::size_t asked = 0;
  const auto ask = [&](const Client& client) {
    const std::string& request = requests[asked++ % requests.size()];
    send_all(client.fd, request.data(), request.size());
  };
  std::vector<Client> clients(static_cast<std::size_t>(load.in_flight));
  const int poll = epoll_create1(0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].fd = connect_to(load);
    epoll_event event{EPOLLIN, {.u64 = i}};
    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
  }
  const double began = now_seconds();
  double now = began;
  for (Client& client : clients) {
    client.asked = now;
    ask(client);
  }
  std::vector<char> buffer(256 * 1024);
  while (now - began < load.seconds) {
    epoll_event events[256];
    const int ready = epoll_wait(poll, events, 256, 1000);
    now = now_seconds();
    for (int e = 0; e < ready; ++e) {
      Client& client = clients[events[e].data.u64];
      const ssize_t n = recv(client.fd, buffer.data(), buffer.size(), 0);
      if (n <= 0) throw std::runtime_error("the server hung up");
      client.in.append(buffer.data(), static_cast<std::size_t>(n));
      const std::size_t whole = response_bytes(client.in);
      if (whole == 0) continue;
      ++result.requests;
      if (!is_success(client.in)) ++result.errors;
      if (result.requests % 4 == 0 || load.in_flight == 1)
        result.latencies_us.push_back(static_cast<std::uint32_t>((now - client.asked) * 1e6));
      client.in.erase(0, whole);
      client.asked = now_seconds();
      ask(client);
    }
  }
  result.seconds = now_seconds() - began;
  for (const Client& client : clients) close(client.fd);
  close(poll);
  return result;
}

}  // namespace holdfast::bench
