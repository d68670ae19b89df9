// The listeners: HTTP, gRPC, the public port, metrics. One way in for each, over TCP or Unix sockets, with TLS where it
// is asked for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/flags.h"
#include "net/server.h"

namespace holdfast::daemon {

// What answers on each kind of port, one handler a loop.
struct PortHandlers {
  std::vector<net::Loop*> loops;
  std::vector<net::Handler*> api;
  std::vector<net::Handler*> open;  // the public port's
  net::Handler* metrics = nullptr;  // on the first loop; null: no metrics
};

// What the HTTP and gRPC ports listen on. `friendly`: loopback, where the flags do not say.
std::vector<std::string> listen_addresses(const config::Flags& flags, bool friendly);
// Whether nobody reaches them but from this machine.
bool listens_on_loopback_only(const config::Flags& flags, bool friendly);

// Lives on the main thread.
class Ports {
 public:
  struct Options {
    bool friendly = false;   // loopback, and free ports in place of those that are taken
    bool http2_on_http = true;
    bool asks_for_token = false;
    std::shared_ptr<net::TlsContext> tls;  // null: none
  };

  // Opens what the flags ask for, and writes the ports that were chosen back into them. Only the metrics may be missing
  // afterwards.
  static Result<std::unique_ptr<Ports>> open(config::Flags& flags, const PortHandlers& handlers, net::Budget& budget,
                                             Options options);
  // Stops listening, waits for requests in flight, and cuts what is left after `grace`.
  void drain(Milliseconds grace);
  bool has_metrics() const { return metrics_ != nullptr; }

 private:
  Ports(config::Flags& flags, Options options) : flags_(flags), options_(std::move(options)) {}
  Status open_api(const PortHandlers& handlers, net::Budget& budget);
  Status open_tcp();
  Status open_unix();
  Status open_public(const PortHandlers& handlers, net::Budget& budget);
  void open_metrics(const PortHandlers& handlers, net::Budget& budget);
  net::ServerOptions server_options() const;

  config::Flags& flags_;
  const Options options_;
  std::unique_ptr<net::Server> http_;
  std::unique_ptr<net::Server> grpc_;
  std::unique_ptr<net::Server> public_;
  std::unique_ptr<net::Server> metrics_;
};

}  // namespace holdfast::daemon
