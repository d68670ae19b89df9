#include <array>

#include "conformance/loop_instance.h"
#include "stores/memcached/testing.h"
#include "support/memcached_server.h"

namespace holdfast::conformance {
namespace {

using test::MemcachedServer;

Subject subject(std::string name, std::function<std::string()> hosts, std::string column = {}) {
  Subject subject;
  subject.name = std::move(name);
  subject.column = std::move(column);
  subject.start = [hosts = std::move(hosts)] {
    return std::make_shared<LoopInstance>(stores::memcached::core_of({{"hosts", hosts()}}));
  };
  subject.keys_hold_blanks = false;
  return subject;
}

Subject one_server() {
  return subject(
      "one_server",
      [] {
        static MemcachedServer server;
        return server.address();
      },
      "memcached");
}

// Two of them keep values of 4 MiB, and the third, which has a Unix socket, of 1.
Subject three_servers() {
  return subject("three_servers", [] {
    static std::array<MemcachedServer, 3> servers{MemcachedServer({.arguments = {"-I", "4m"}}),
                                                  MemcachedServer({.unix_socket = true}),
                                                  MemcachedServer({.arguments = {"-I", "4m"}})};
    return servers[0].address() + "," + servers[1].address() + "," + servers[2].address();
  });
}

HOLDFAST_CONFORMANCE(Memcached, one_server(), three_servers());

}  // namespace
}  // namespace holdfast::conformance
