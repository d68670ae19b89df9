#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <stdexcept>

#include "base/clock.h"
#include "bench/load.h"
#include "bench/process.h"
#include "bench/socket.h"
#include "wire/resp/reply.h"
#include "wire/resp/scanner.h"

namespace holdfast::bench {

namespace {

struct Client {
  int fd = -1;
  std::string in;
  resp::Scanner scanner;
  std::uint32_t replies = 0;  // of the request that is being answered
  std::deque<double> asked;   // of each request under way
};

// The request as it is sent now.
class Stamped {
 public:
  explicit Stamped(RespRequest& request) : request_(request) {}
  const std::string& bytes() {
    if (request_.clocks.empty()) return request_.bytes;
    last_ = std::max(last_ + 1, Clock::system().wall().us);
    const std::string digits = std::to_string(last_);
    for (const std::size_t at : request_.clocks) request_.bytes.replace(at, digits.size(), digits);
    return request_.bytes;
  }

 private:
  RespRequest& request_;
  std::int64_t last_ = 0;
};

}  // namespace

LoadResult run_resp(const Load& load, RespRequest request, int depth) {
  LoadResult result;
  Stamped stamped(request);
  std::vector<Client> clients(static_cast<std::size_t>(std::max(1, load.in_flight / depth)));
  const int poll = epoll_create1(0);
  for (std::size_t i = 0; i < clients.size(); ++i) {
    clients[i].fd = connect_to(load);
    epoll_event event{EPOLLIN, {.u64 = i}};
    epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
  }
  const double began = now_seconds();
  double now = began;
  for (Client& client : clients) {
    std::string all;
    for (int i = 0; i < depth; ++i) {
      all += stamped.bytes();
      client.asked.push_back(now);
    }
    send_all(client.fd, all.data(), all.size());
  }
  std::vector<char> buffer(256 * 1024);
  while (now - began < load.seconds) {
    epoll_event events[256];
    const int ready = epoll_wait(poll, events, 256, 1000);
    now = now_seconds();
    for (int e = 0; e < ready; ++e) {
      Client& client = clients[events[e].data.u64];
      const ssize_t n = recv(client.fd, buffer.data(), buffer.size(), 0);
      if (n <= 0) throw std::runtime_error("Redis hung up");
      client.in.append(buffer.data(), static_cast<std::size_t>(n));
      std::size_t at = 0;
      std::string again;
      for (;;) {
        const std::string_view rest = std::string_view(client.in).substr(at);
        const auto length = client.scanner.scan(rest);
        if (!length) throw std::runtime_error(length.error().message);
        if (*length == 0) break;
        if (resp::is_error(rest)) ++result.errors;
        at += *length;
        if (++client.replies < request.replies) continue;
        client.replies = 0;
        ++result.requests;
        if (result.requests % 4 == 0 || load.in_flight == 1)
          result.latencies_us.push_back(static_cast<std::uint32_t>((now - client.asked.front()) * 1e6));
        client.asked.pop_front();
        again += stamped.bytes();
      }
      client.in.erase(0, at);
      if (again.empty()) continue;
      client.asked.resize(static_cast<std::size_t>(depth), now_seconds());
      send_all(client.fd, again.data(), again.size());
    }
  }
  result.seconds = now_seconds() - began;
  for (const Client& client : clients) close(client.fd);
  close(poll);
  return result;
}

}  // namespace holdfast::bench
