#include "support/network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <stdexcept>
#include <thread>

#include "support/child_process.h"
#include "support/claim.h"

namespace holdfast::test {
namespace {

// Nets of 198.18.0.0/15, which no machine has: they are for tests of networks (RFC 2544).
constexpr std::size_t kNumbers = 250;
constexpr std::size_t kHostsMost = 200;
constexpr std::size_t kNumberOfHere = 254;
constexpr const char* kBridge = "bridge0";
constexpr const char* kOfHost = "link0";

std::string port_of(std::size_t number) { return "port" + std::to_string(number); }

// Of no device: a bridge passes it on, and whoever gets it drops it.
constexpr const char* kNobody = "02:68:66:ff:ff:ff";

}  // namespace

class Network::Namespace {
 public:
  Namespace() {
    int error = 0;
    // A thread moves alone, and ends.
    std::thread([&] {
      if (::unshare(CLONE_NEWNET) == 0) fd_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
      if (fd_ < 0) error = errno;
    }).join();
    if (fd_ < 0)
      throw std::runtime_error(std::string("there can be no network namespace, which needs CAP_SYS_ADMIN: ") +
                               std::strerror(error));
  }
  ~Namespace() { ::close(fd_); }
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  std::string path() const { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_); }

 private:
  int fd_ = -1;
};

Network::Network(std::size_t hosts) {
  if (hosts == 0 || hosts > kHostsMost) throw std::runtime_error("a network has 1 to 200 hosts");
  const unsigned start = std::random_device()();
  for (unsigned i = 0; i < kNumbers && claim_ < 0; ++i) {
    number_ = (start + i) % kNumbers;
    // The kernel may still be busy with one whose process has just ended.
    if (::if_nametoindex(device_here().c_str()) == 0) claim_ = claim("holdfast-test-network-" + std::to_string(number_));
  }
  if (claim_ < 0) throw std::runtime_error("all numbers of networks are taken");
  try {
    build(hosts);
  } catch (...) {
    ::close(claim_);
    throw;
  }
}

Network::~Network() {
  hosts_.clear();
  middle_.reset();
  ::close(claim_);
}

void Network::build(std::size_t hosts) {
  middle_ = std::make_unique<Namespace>();
  const std::string middle = middle_->path(), here = device_here();
  const auto plug = [](const std::string& port) { return "link set dev " + port + " master " + kBridge + " up\n"; };
  ip(nullptr, "link add name " + here + " address " + link_address(kHere) + " type veth peer name " +
                  port_of(kNumberOfHere) + " netns " + middle + "\naddr add " + address(kHere) + "/24 dev " + here +
                  "\nlink set dev " + here + " up\n");
  std::string in_middle = std::string("link add name ") + kBridge + " type bridge\nlink set dev " + kBridge + " up\n" +
                          plug(port_of(kNumberOfHere));
  for (std::size_t i = 0; i < hosts; ++i) {
    hosts_.push_back(std::make_unique<Namespace>());
    in_middle += "link add name " + port_of(number_of(i)) + " type veth peer name " + kOfHost + " address " +
                 link_address(i) + " netns " + hosts_[i]->path() + "\n" + plug(port_of(number_of(i)));
  }
  ip(middle_.get(), in_middle);
  for (std::size_t i = 0; i < hosts; ++i)
    ip(hosts_[i].get(),
       "link set dev lo up\naddr add " + address(i) + "/24 dev " + kOfHost + "\nlink set dev " + kOfHost + " up\n");
  heal();
}

std::size_t Network::number_of(std::size_t host) { return host == kHere ? kNumberOfHere : host + 1; }

std::string Network::address(std::size_t host) const {
  return "198.18." + std::to_string(number_) + "." + std::to_string(number_of(host));
}

std::string Network::link_address(std::size_t host) const {
  return fmt::format("02:68:66:00:{:02x}:{:02x}", number_, number_of(host));
}

std::vector<std::string> Network::on_host(std::size_t host, const std::vector<std::string>& command) const {
  std::vector<std::string> all{"nsenter", "--net=" + hosts_.at(host)->path(), "--"};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

void Network::ip(const Namespace* space, const std::string& commands) const {
  write_file(folder_ / "commands", commands);
  std::vector<std::string> line;
  if (space != nullptr) line = {"nsenter", "--net=" + space->path(), "--"};
  line.insert(line.end(), {"ip", "-batch", folder_ / "commands"});
  const std::string log = folder_ / "log";
  const int code = ChildProcess(line, log).wait();
  if (code == 127) throw std::runtime_error("there is no program ip (iproute2), or no nsenter (util-linux)");
  if (code != 0) throw std::runtime_error("ip failed: " + read_file(log) + "It was told:\n" + commands);
}

// Who lives where is told to each host once and for all: nobody asks (ARP), and what is cut stays cut.
void Network::direct(std::size_t from, const std::vector<std::size_t>& to, bool to_nobody) {
  std::string commands;
  for (const std::size_t one : to) {
    if (one == from) continue;
    commands += "neigh replace " + address(one) + " lladdr " + (to_nobody ? kNobody : link_address(one)) + " dev " +
                (from == kHere ? device_here() : kOfHost) + " nud permanent\n";
  }
  ip(from == kHere ? nullptr : hosts_.at(from).get(), commands);
}

std::vector<std::size_t> Network::all_hosts() const {
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < size(); ++i) all.push_back(i);
  return all;
}

void Network::cut_way(std::size_t from, std::size_t to) { direct(from, {to}, true); }

void Network::cut(std::size_t one, std::size_t other) {
  cut_way(one, other);
  cut_way(other, one);
}

void Network::cut_from_hosts(std::size_t host) {
  direct(host, all_hosts(), true);
  for (const std::size_t other : all_hosts())
    if (other != host) cut_way(other, host);
}

void Network::cut_from_all(std::size_t host) {
  cut(host, kHere);
  cut_from_hosts(host);
}

void Network::heal() {
  std::vector<std::size_t> all = all_hosts();
  all.push_back(kHere);
  for (const std::size_t from : all) direct(from, all, false);
}

std::string missing_network() {
  try {
    const Network tried(1);
    return "";
  } catch (const std::runtime_error& error) {
    return std::string("no network of namespaces here: ") + error.what();
  }
}

}  // namespace holdfast::test
