#include "net/dial.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

namespace holdfast::net {

namespace {

using Tcp = asio::ip::tcp;
using Resolver = asio::ip::basic_resolver<Tcp, Executor>;

std::string text_of(const asio::generic::stream_protocol::endpoint& address) {
  Tcp::endpoint tcp;
  tcp.resize(address.size());
  std::memcpy(tcp.data(), address.data(), address.size());
  return tcp.address().to_string();
}

}  // namespace

std::string reason(const ErrorCode& error) {
  std::string text = error.message();
  const bool is_acronym = text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z';
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' && !is_acronym)
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

struct Dialler::Resolution {
  explicit Resolution(Executor executor) : resolver(executor) {}
  Resolver resolver;
  std::coroutine_handle<> waiter;
  ErrorCode error;
  std::vector<Address> found;
};

class Dialler::Resolving {
 public:
  Resolving(std::shared_ptr<Resolution> state, const Endpoint& endpoint)
      : state_(std::move(state)), endpoint_(endpoint) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    state_->waiter = waiter;
    state_->resolver.async_resolve(endpoint_.host, std::to_string(endpoint_.port), Tcp::resolver::numeric_service,
                                   [state = state_](ErrorCode error, const Tcp::resolver::results_type& results) {
                                     if (!state->waiter) return;  // given up meanwhile
                                     state->error = error;
                                     for (const auto& entry : results) state->found.emplace_back(entry.endpoint());
                                     std::exchange(state->waiter, nullptr).resume();
                                   });
  }
  void await_resume() const noexcept {}

 private:
  std::shared_ptr<Resolution> state_;
  const Endpoint& endpoint_;
};

class Dialler::Connecting {
 public:
  Connecting(Socket& socket, const Address& address) : socket_(socket), address_(address) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    socket_.async_connect(address_, [this, waiter](ErrorCode error) {
      error_ = error;
      waiter.resume();
    });
  }
  ErrorCode await_resume() const noexcept { return error_; }

 private:
  Socket& socket_;
  const Address& address_;
  ErrorCode error_;
};

Task<Result<std::vector<Dialler::Address>>> Dialler::addresses() {
  std::vector<Address> found;
  if (!endpoint_.unix_path.empty()) {
    if (endpoint_.unix_path.size() >= sizeof(sockaddr_un::sun_path))
      co_return fail(Errc::unavailable, "the path is too long for a Unix socket");
    found.emplace_back(asio::local::stream_protocol::endpoint(endpoint_.unix_path));
    co_return found;
  }
  ErrorCode no_address;
  const auto address = asio::ip::make_address(endpoint_.host, no_address);
  if (!no_address) {
    found.emplace_back(Tcp::endpoint(address, endpoint_.port));
    co_return found;
  }
  resolution_ = std::make_shared<Resolution>(loop_.impl().context.get_executor());
  co_await Resolving(resolution_, endpoint_);
  if (resolution_->error)
    co_return fail(Errc::unavailable, "the name cannot be resolved: " + reason(resolution_->error));
  co_return std::move(resolution_->found);
}

Task<Status> Dialler::connect(const Address& address, Milliseconds limit) {
  ErrorCode error;
  socket_.emplace(loop_.impl().context.get_executor());
  socket_->open(address.protocol(), error);
  if (error) co_return fail(Errc::unavailable, reason(error));
  bool is_late = false;
  const Scheduler::TimerId timer = loop_.after(limit, [this, &is_late] {
    is_late = true;
    socket_->close();
  });
  error = co_await Connecting(*socket_, address);
  loop_.cancel(timer);
  if (is_late) co_return fail(Errc::unavailable, fmt::format("no answer within {} ms", limit.count()));
  if (error) co_return fail(Errc::unavailable, reason(error));
  socket_->non_blocking(true, error);
  if (endpoint_.unix_path.empty()) {
    socket_->set_option(Tcp::no_delay(true), error);
    socket_->set_option(asio::socket_base::keep_alive(true), error);  // a peer that vanished while we were idle
  }
  co_return Status();
}

Task<Result<Socket>> Dialler::dial(SteadyTime deadline) {
  const auto all = co_await addresses();
  if (!all) co_return fail(all.error());
  std::string reasons = all->empty() ? "the name has no address" : "";
  for (std::size_t i = 0; i < all->size() && !cancelled_; ++i) {
    const Address address = (*all)[i];
    const auto left = std::chrono::ceil<Milliseconds>(deadline - std::chrono::steady_clock::now());
    const auto tries = static_cast<std::int64_t>(all->size() - i);
    const Status connected = co_await connect(address, std::max(left / tries, Milliseconds(1)));
    if (connected) co_return std::move(*socket_);
    if (!reasons.empty()) reasons += "; ";
    if (resolution_) reasons += text_of(address) + ": ";
    reasons += connected.error().message;
  }
  co_return fail(Errc::unavailable, std::move(reasons));
}

void Dialler::cancel() {
  if (std::exchange(cancelled_, true)) return;
  if (resolution_ && resolution_->waiter) {
    resolution_->error = asio::error::operation_aborted;
    loop_.post([waiter = std::exchange(resolution_->waiter, nullptr)] { waiter.resume(); });
  }
  ErrorCode ignored;
  if (socket_) socket_->close(ignored);
}

}  // namespace holdfast::net
