#include "bench/watch.h"

#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>

#include "bench/measure.h"
#include "bench/socket.h"

namespace holdfast::bench {

namespace {

constexpr int kConnections = 100;
constexpr int kStreams = 100;  // of one connection
constexpr int kServerSentWatchers = 500;
constexpr int kIdleWatchers = 1000;
// Two loads alternate, a few requests at a time, and the middle one of the differences counts: what else the machine
// does falls on few of them.
constexpr int kRounds = 100;
constexpr int kPairs = 500;
constexpr std::size_t kTogether = 20;  // events of one wake-up

class Sidecar {
 public:
  Sidecar(const SidecarProcess::Command& command, int core) : process_(command, core) {
    for (int i = 0; i < 100; ++i) fetch_http(load(), http_request("POST", "/v1.0/state/memory", body("k", 1)));
  }
  pid_t pid() const { return process_.pid(); }
  Load load() const { return {"127.0.0.1", process_.http(), 1, 1}; }
  Load grpc() const { return {"127.0.0.1", process_.grpc(), 1, 1}; }
  double kib() const { return resident_mib(pid()) * 1024; }
  // So many saves in one request, of keys that begin with `key`.
  static std::string body(std::string_view key, std::size_t items) {
    std::string out;
    for (std::size_t i = 0; i < items; ++i)
      out += fmt::format("{}{{\"key\":\"{}{}\",\"value\":{}}}", i == 0 ? "[" : ",", key, i, value_text());
    return out + "]";
  }

 private:
  SidecarProcess process_;
};

// Sends a request and reads what comes until `count` times `mark` has come.
class Conversation {
 public:
  explicit Conversation(const Load& load) : fd_(connect_to(load)) {}
  ~Conversation() { close(fd_); }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void send(std::string_view bytes) {
    if (::send(fd_, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("the sidecar does not take a request");
  }
  void read_until(std::string_view mark, std::size_t count) {
    while (count > 0) {
      for (std::size_t at = 0; count > 0 && (at = in_.find(mark)) != std::string::npos; --count)
        in_.erase(0, at + mark.size());
      if (count == 0) return;
      char chunk[65536];
      const ssize_t got = recv(fd_, chunk, sizeof chunk, 0);
      if (got <= 0) throw std::runtime_error("the sidecar has hung up");
      in_.append(chunk, static_cast<std::size_t>(got));
    }
  }

 private:
  int fd_;
  std::string in_;
};

std::unique_ptr<Conversation> watch_by_events(const Load& load, const std::string& prefix) {
  auto watcher = std::make_unique<Conversation>(load);
  watcher->send(http_request("GET", "/v2/state/memory:watch?prefix=" + prefix, ""));
  watcher->read_until("event: ready", 1);
  return watcher;
}

// A connection of HTTP/2 with kStreams watchers that have been told that they are in place.
class GrpcWatchers {
 public:
  GrpcWatchers(const Load& load, int number) : fd_(connect_to(load)) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t*, std::size_t, void* self) {
          ++static_cast<GrpcWatchers*>(self)->told_;
          return 0;
        });
    nghttp2_session_client_new(&h2_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, nullptr, 0);
    for (int i = 0; i < kStreams; ++i) requests_.push_back(request(fmt::format("w/{}/{}/", number, i)));
    for (std::string& one : requests_) ask(one);
    while (told_ < kStreams) exchange();
  }
  ~GrpcWatchers() {
    nghttp2_session_del(h2_);
    close(fd_);
  }
  GrpcWatchers(const GrpcWatchers&) = delete;
  GrpcWatchers& operator=(const GrpcWatchers&) = delete;

 private:
  // WatchRequest: store = 1, prefix = 2; in a gRPC frame.
  static std::string request(const std::string& prefix) {
    const std::string store = "memory";
    std::string message = "\x0a";
    message += static_cast<char>(store.size());
    message += store + "\x12";
    message += static_cast<char>(prefix.size());
    message += prefix;
    std::string frame(4, '\0');  // not compressed, and a length of four bytes
    frame += static_cast<char>(message.size());
    return frame + message;
  }
  void ask(std::string& body) {
    const auto field = [](const char* name, const char* value) {
      return nghttp2_nv{reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), std::strlen(name),
                        std::strlen(value), NGHTTP2_NV_FLAG_NONE};
    };
    const nghttp2_nv head[] = {
        field(":method", "POST"),
        field(":scheme", "http"),
        field(":path", "/holdfast.v2.State/Watch"),
        field(":authority", "localhost"),
        field("content-type", "application/grpc"),
        field("te", "trailers"),
        field("user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)"),
    };
    nghttp2_data_provider provider{};
    provider.source.ptr = &body;
    provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t, std::uint32_t* flags,
                                nghttp2_data_source* source, void*) {
      const auto& bytes = *static_cast<std::string*>(source->ptr);
      std::memcpy(to, bytes.data(), bytes.size());
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(bytes.size());
    };
    nghttp2_submit_request(h2_, nullptr, head, std::size(head), &provider, nullptr);
  }
  void exchange() {
    const std::uint8_t* data = nullptr;
    for (ssize_t n = 0; (n = nghttp2_session_mem_send(h2_, &data)) > 0;)
      if (send(fd_, data, static_cast<std::size_t>(n), 0) != n) throw std::runtime_error("a watcher cannot ask");
    std::uint8_t chunk[65536];
    const ssize_t got = recv(fd_, chunk, sizeof chunk, 0);
    if (got <= 0 || nghttp2_session_mem_recv(h2_, chunk, static_cast<std::size_t>(got)) < 0)
      throw std::runtime_error("a watcher is hung up on");
  }

  int fd_;
  nghttp2_session* h2_ = nullptr;
  std::vector<std::string> requests_;
  int told_ = 0;
};

struct Side {
  pid_t pid = 0;
  Load load;
};

// A client that saves, one request after the other.
class Writer {
 public:
  // So many records in one request; `key` is what their keys begin with.
  Writer(const Side& side, std::string_view key, std::size_t items)
      : pid_(side.pid),
        connection_(side.load),
        request_(http_request("POST", "/v1.0/state/memory", Sidecar::body(key, items))),
        items_(items) {}

  // CPU of the server for kRounds requests, in microseconds each. With a watcher, which reads what each has caused.
  double cost(Conversation* watcher) {
    const double before = cpu_seconds(pid_);
    for (int i = 0; i < kRounds; ++i) {
      connection_.send(request_);
      connection_.read_until("\r\n\r\n", 1);
      if (watcher != nullptr) watcher->read_until("event: put", items_);
    }
    return (cpu_seconds(pid_) - before) * 1e6 / kRounds;
  }

 private:
  const pid_t pid_;
  Conversation connection_;
  const std::string request_;
  const std::size_t items_;
};

// What a watcher adds for each event: saves that it is told of, and saves of other keys.
class EventCost {
 public:
  EventCost(const Side& side, std::size_t items)
      : items_(items),
        watcher_(watch_by_events(side.load, "k")),
        watched_(side, "k", items),
        unwatched_(side, "x", items) {}

  double once() {
    const double told = watched_.cost(watcher_.get());
    return (told - unwatched_.cost(nullptr)) / static_cast<double>(items_);
  }

 private:
  const std::size_t items_;
  std::unique_ptr<Conversation> watcher_;
  Writer watched_;
  Writer unwatched_;
};

double event_cost(const Side& side, std::size_t items) {
  EventCost cost(side, items);
  std::vector<double> costs;
  for (int turn = 0; turn < kPairs; ++turn) costs.push_back(cost.once());
  return middle(std::move(costs), fmt::format("{} events a wake-up, us each", items));
}

// The same of an event that is sent alone, and what a bare loop takes to send one.
struct Alone {
  double ours = 0;
  double bare = 0;
};
Alone alone_cost(const Side& side, const Side& floor) {
  EventCost cost(side, 1);
  EventCost bare_cost(floor, 1);
  std::vector<double> ours;
  std::vector<double> bare;
  for (int turn = 0; turn < kPairs; ++turn) {
    ours.push_back(cost.once());
    bare.push_back(bare_cost.once());
  }
  return {middle(std::move(ours), "an event alone, us"), middle(std::move(bare), "an event alone, bare, us")};
}

// A server that tells its one watcher canned bytes.
class BareServer {
 public:
  BareServer(const std::string& file, int core)
      : process_({"/proc/self/exe", "--floor", "watch", std::to_string(port_), file}, core, "") {
    wait_for_port(port_);
  }
  Side side() const { return {process_.pid(), {"127.0.0.1", port_, 1, 1}}; }

 private:
  const int port_ = free_port();
  Process process_;
};

// A save on the first over the same on the second.
double save_ratio(const Side& one, const Side& other) {
  Writer to_one(one, "k", 1);
  Writer to_other(other, "k", 1);
  std::vector<double> ratios;
  for (int turn = 0; turn < kPairs; ++turn) {
    const double first = to_one.cost(nullptr);
    ratios.push_back(first / to_other.cost(nullptr));
  }
  return middle(std::move(ratios), "idle watchers");
}

}  // namespace

void measure_watch(const std::function<std::vector<std::string>(int, int)>& command, int core,
                   const std::string& workspace, Report& report) {
  const auto bar = [&report](std::string name, double value, std::string unit, double limit) {
    report.facts.push_back({std::move(name), value, std::move(unit), limit, false});
  };
  {
    const Sidecar sidecar(command, core);
    const double before = sidecar.kib();
    std::vector<std::unique_ptr<GrpcWatchers>> watchers;
    for (int i = 0; i < kConnections; ++i) watchers.push_back(std::make_unique<GrpcWatchers>(sidecar.grpc(), i));
    bar("watch: 10,000 gRPC watchers on 100 connections, each", (sidecar.kib() - before) / kConnections / kStreams,
        "KiB", 4);
  }
  {
    const Sidecar sidecar(command, core);
    std::vector<std::unique_ptr<Conversation>> watchers;
    // What is there once and not for each of them.
    for (int i = 0; i < kServerSentWatchers / 10; ++i)
      watchers.push_back(watch_by_events(sidecar.load(), fmt::format("first/{}/", i)));
    const double before = sidecar.kib();
    for (int i = 0; i < kServerSentWatchers; ++i)
      watchers.push_back(watch_by_events(sidecar.load(), fmt::format("w/{}/", i)));
    bar("watch: 500 server-sent watchers, each", (sidecar.kib() - before) / kServerSentWatchers, "KiB", 4);
  }
  const Sidecar sidecar(command, core);
  const Side side{sidecar.pid(), sidecar.load()};
  const std::string event = workspace + "/event";
  std::ofstream(event) << "event: put\nid: 349493e8c284e1b7.1234567\n"
                          R"(data: {"key":"k0","etag":"\"123456789012345\""})"
                          "\n\n";
  const BareServer bare(event, core);
  const Alone alone = alone_cost(side, bare.side());
  bar("watch: an event that is sent alone", alone.ours, "us", 6);
  bar("watch: an event that a bare loop sends alone", alone.bare, "us", 0);
  bar("watch: an event of 20 that are sent together", event_cost(side, kTogether), "us", 1);

  const Sidecar watched(command, core);
  std::vector<std::unique_ptr<Conversation>> idle;
  for (int i = 0; i < kIdleWatchers; ++i)
    idle.push_back(watch_by_events(watched.load(), fmt::format("idle/{}/", i)));
  bar("watch: a save beside 1,000 idle watchers: CPU over one without",
      save_ratio({watched.pid(), watched.load()}, side), "x", 1.03);
}

}  // namespace holdfast::bench
