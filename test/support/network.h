// A network for the servers of a test: hosts that are network namespaces, with an address each, and links between them
// and this process that can be cut. What is sent over a cut link goes nowhere, and nobody is told, as where a cable was
// pulled: connections stay, and are silent.
//
// Needs root and the programs ip (iproute2) and nsenter (util-linux). A test begins with HOLDFAST_NEEDS_NETWORK, which
// skips it, and says why, where there can be none. Nobody but this process holds the namespaces, so that nothing of
// them is left behind whatever ends it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "support/child_process.h"

namespace holdfast::test {

// Used by one thread; what only reads, by any. What cannot be done throws std::runtime_error.
class Network {
 public:
  // This process, as the end of a link.
  static constexpr std::size_t kHere = static_cast<std::size_t>(-1);

  explicit Network(std::size_t hosts);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  std::size_t size() const { return hosts_.size(); }
  // As this process and the other hosts reach it.
  std::string address(std::size_t host) const;
  // The device of this process' link.
  std::string device_here() const { return "hf-test" + std::to_string(number_); }
  // The command that runs `command` there.
  std::vector<std::string> on_host(std::size_t host, const std::vector<std::string>& command) const;

  // Drops what one of them sends to the other; what comes the other way arrives.
  void cut_way(std::size_t from, std::size_t to);
  // Drops what they send to each other.
  void cut(std::size_t one, std::size_t other);
  // Both: from all other hosts; from them and from this process.
  void cut_from_hosts(std::size_t host);
  void cut_from_all(std::size_t host);
  void heal();

 private:
  // For as long as it is open here.
  class Namespace;

  void build(std::size_t hosts);
  static std::size_t number_of(std::size_t host);  // the last byte of its addresses
  std::string link_address(std::size_t host) const;
  std::vector<std::size_t> all_hosts() const;
  // Says where what `from` sends to these goes: to them or to nobody.
  void direct(std::size_t from, const std::vector<std::size_t>& to, bool to_nobody);
  // Commands of the program ip, on a host or (null) here.
  void ip(const Namespace* space, const std::string& commands) const;

  int claim_ = -1;  // an abstract Unix socket named after the number, which the kernel lets one process have
  std::size_t number_ = 0;
  TemporaryFolder folder_;
  std::unique_ptr<Namespace> middle_;  // where the bridge is that the links meet at
  std::vector<std::unique_ptr<Namespace>> hosts_;
};

// Why there can be no Network here; empty when there can.
std::string missing_network();

#define HOLDFAST_NEEDS_NETWORK() \
  if (const std::string why = ::holdfast::test::missing_network(); !why.empty()) GTEST_SKIP() << why

}  // namespace holdfast::test
