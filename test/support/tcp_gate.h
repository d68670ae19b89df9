// A TCP proxy between a client and a server on 127.0.0.1, which does to the bytes what networks do: cuts, stalls,
// splits, refuses. For tests of clients: "the connection is lost at every byte of every command".
#pragma once

#include <poll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/port.h"

namespace holdfast::test {

enum class Way : std::uint8_t { to_server, to_client };

// Runs on a thread of its own until it is destroyed. Methods may be called from any other thread, and what they ask for
// is the case when they return. A client whose server cannot be reached is reset.
class TcpGate {
 public:
  explicit TcpGate(std::uint16_t server_port);
  ~TcpGate();
  TcpGate(const TcpGate&) = delete;
  TcpGate& operator=(const TcpGate&) = delete;

  std::uint16_t port() const { return port_.number(); }

  // Ends all connections with a reset, on both sides.
  void cut();
  // Passes exactly so many more bytes that way, of all connections together, then cuts as above. Once; what was asked
  // for before is forgotten. What passed is received, unless its receiver lets so much lie unread that its buffer is
  // full.
  void cut_after(Way way, std::uint64_t bytes);
  // Forgets cut_after().
  void spare();

  // Passes nothing either way; connections stay, and new ones are accepted and stay silent.
  void stall(bool stalled);
  // Passes one byte at a time, each only when the one before has left; the reader may still find two together.
  void split(bool single_bytes);
  // New connections are refused, as where no server listens.
  void refuse(bool refused);

  // Since the start.
  std::uint64_t passed(Way way) const { return passed_[static_cast<std::size_t>(way)]; }
  std::size_t accepted() const { return accepted_; }
  std::size_t connections() const { return connections_; }
  // How often cut_after() has cut.
  std::size_t cuts() const { return cuts_; }

 private:
  struct Side {
    int fd = -1;
    std::string waiting;  // what came from this side and has not been passed on
    bool ended = false;   // it will send no more
  };
  struct Link {
    std::array<Side, 2> sides;  // the client, the server: indexed by the Way that their bytes go
    bool broken = false;
  };

  void listen();
  void run();
  // Runs `work` on the thread, between two rounds, and waits for it.
  void apply(const std::function<void()>& work);
  void run_applied();

  void accept();
  void read(Link& link, Way way, short events);
  void pass(Link& link, Way way);
  std::size_t passable(Way way, std::size_t waiting) const;
  void forget_ended();
  void cut_links();
  std::vector<pollfd> watched() const;
  void look(const std::vector<pollfd>& found);

  const std::uint16_t server_port_;
  Port port_;

  std::mutex mutex_;  // over work_
  std::function<void()> work_;
  std::atomic<bool> done_ = false;
  int wake_ = -1;

  // Of the thread.
  int listener_ = -1;
  std::list<Link> links_;
  bool stalled_ = false;
  bool single_bytes_ = false;
  std::array<std::optional<std::uint64_t>, 2> left_;  // until a cut

  std::array<std::atomic<std::uint64_t>, 2> passed_{};
  std::atomic<std::size_t> accepted_ = 0, connections_ = 0, cuts_ = 0;
  std::thread thread_;
};

}  // namespace holdfast::test
