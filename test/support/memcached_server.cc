#include "support/memcached_server.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

constexpr const char* kVariable = "HOLDFAST_MEMCACHED";
// What ends an answer, so that it need not be taken apart: an answer that no data can hold.
constexpr std::string_view kLast = "mn\r\n", kLastAnswer = "MN\r\n";
constexpr timeval kPatience{.tv_sec = 20, .tv_usec = 0};

std::string expected_at() {
  const char* named = std::getenv(kVariable);
  return named != nullptr && *named != '\0' ? named : HOLDFAST_SOURCE_DIR "/.cache/servers/bin/memcached";
}

class Socket {
 public:
  explicit Socket(int domain) : fd_(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  }
  ~Socket() { ::close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  template <class Address>
  void connect(const Address& address) {
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("nobody listens");
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) throw std::runtime_error("the connection was lost while sending");
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  std::string read_to_last() {
    std::string answer;
    std::array<char, 16384> piece;
    while (!answer.ends_with(kLastAnswer)) {
      const ssize_t got = ::recv(fd_, piece.data(), piece.size(), 0);
      if (got <= 0) throw std::runtime_error("the connection was lost while waiting for an answer");
      answer.append(piece.data(), static_cast<std::size_t>(got));
    }
    answer.resize(answer.size() - kLastAnswer.size());
    return answer;
  }

 private:
  int fd_;
};

}  // namespace

std::string memcached_program() {
  const std::string path = expected_at();
  return ::access(path.c_str(), X_OK) == 0 ? path : "";
}

std::string missing_memcached() {
  return expected_at() + " is no program. tools/dev test fetches it where it can; " + kVariable + " may name another";
}

MemcachedServer::MemcachedServer(MemcachedOptions options) : options_(std::move(options)) { start(); }

std::string MemcachedServer::address() const {
  return options_.unix_socket ? folder_ / "socket" : "127.0.0.1:" + std::to_string(port());
}

void MemcachedServer::start() {
  const std::string program = memcached_program();
  if (program.empty()) throw std::runtime_error(missing_memcached());
  std::vector<std::string> line{program};
  if (options_.unix_socket) {
    ::unlink(address().c_str());
    line.insert(line.end(), {"-s", address()});
  } else {
    line.insert(line.end(), {"-l", "127.0.0.1", "-p", std::to_string(port())});
  }
  if (::geteuid() == 0) line.insert(line.end(), {"-u", "root"});  // it is root only where it is told to be
  line.insert(line.end(), options_.arguments.begin(), options_.arguments.end());
  paused_ = false;
  process_ = std::make_unique<ChildProcess>(line, folder_ / "log");
  const auto is_ready = [this] {
    try {
      exchange("");
      return true;
    } catch (const std::runtime_error&) {
      return false;  // nobody listens yet
    }
  };
  if (!eventually([&] { return !process_->is_running() || is_ready(); }) || !process_->is_running())
    throw std::runtime_error("the server " + address() + " did not start; its log:\n" + read_file(folder_ / "log"));
}

std::string MemcachedServer::exchange(std::string_view lines) {
  Socket socket(options_.unix_socket ? AF_UNIX : AF_INET);
  if (options_.unix_socket) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    const std::string path = address();
    if (path.size() >= sizeof to.sun_path) throw std::runtime_error(path + " is too long for a Unix socket");
    std::memcpy(to.sun_path, path.data(), path.size());
    socket.connect(to);
  } else {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port());
    socket.connect(to);
  }
  socket.send(std::string(lines).append(kLast));
  return socket.read_to_last();
}

void MemcachedServer::kill() { process_->kill(); }

void MemcachedServer::restart() {
  kill();
  start();
}

void MemcachedServer::pause() {
  process_->stop();
  paused_ = true;
}

void MemcachedServer::resume() {
  process_->signal(SIGCONT);
  paused_ = false;
}

std::string MemcachedServer::ask(std::string_view lines) {
  if (paused_) throw std::runtime_error(address() + " is paused and would never answer");
  return exchange(lines);
}

}  // namespace holdfast::test
