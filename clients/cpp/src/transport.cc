#include "transport.h"

#include <algorithm>
#include <random>
#include <thread>

namespace holdfast::detail {

namespace {

// Reconnects start at once and are at most a second apart: a sidecar is on the same machine, and is restarted there.
// Names are resolved to addresses only; no policy for retries is taken from DNS, as what may be repeated is decided
// here. Messages are bounded by the sidecar.
grpc::ChannelArguments channel_arguments(const Target& target, bool is_own) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, is_own ? 1 : 0);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  if (target.tls && !target.tls->server_name.empty()) arguments.SetSslTargetNameOverride(target.tls->server_name);
  return arguments;
}

void take_events(grpc::CompletionQueue& queue) {
  void* event = nullptr;
  bool is_ok = false;
  while (queue.Next(&event, &is_ok)) static_cast<Event*>(event)->happened(is_ok);
}

}  // namespace

grpc::CompletionQueue& io_queue() {
  // Never destroyed: its thread may be inside it when the process ends.
  static grpc::CompletionQueue& queue = *[] {
    auto* made = new grpc::CompletionQueue;
    std::thread([made] { take_events(*made); }).detach();
    return made;
  }();
  return queue;
}

std::shared_ptr<grpc::Channel> Transport::connect(bool is_own) const {
  auto credentials = grpc::InsecureChannelCredentials();
  if (const auto& tls = target_.tls) credentials = grpc::SslCredentials({tls->ca, tls->key, tls->cert});
  return grpc::CreateCustomChannel(target_.address, credentials, channel_arguments(target_, is_own));
}

std::shared_ptr<Stub> Transport::stub() {
  const std::lock_guard lock(mutex_);
  if (!stub_) {
    channel_ = connect(false);
    stub_ = pb::State::NewStub(channel_);
  }
  return stub_;
}

bool Transport::connect_within(milliseconds duration) {
  std::unique_lock lock(mutex_);
  const auto channel = channel_;
  lock.unlock();
  return !channel || channel->WaitForConnected(std::chrono::system_clock::now() + duration);
}

std::shared_ptr<Stub> Transport::watch_stub() {
  const std::lock_guard lock(mutex_);
  std::erase_if(watch_stubs_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : watch_stubs_) {
    auto stub = weak.lock();
    if (stub && stub.use_count() <= kWatchesPerConnection) return stub;
  }
  std::shared_ptr<Stub> stub = pb::State::NewStub(connect(true));
  watch_stubs_.push_back(stub);
  return stub;
}

void Transport::close() {
  std::shared_ptr<Stub> stub;  // freed behind the lock
  const std::lock_guard lock(mutex_);
  stub = std::exchange(stub_, nullptr);
  channel_.reset();  // the stub has it, too
  watch_stubs_.clear();
  for (Canceller* one : under_way_) one->cancel();
}

Canceller::Canceller(std::shared_ptr<Transport> transport) : transport_(std::move(transport)) {
  const std::lock_guard lock(transport_->mutex_);
  place_ = transport_->under_way_.insert(transport_->under_way_.end(), this);
}

Canceller::~Canceller() {
  const std::lock_guard lock(transport_->mutex_);
  transport_->under_way_.erase(place_);
}

void Canceller::cancel() {
  const std::lock_guard lock(mutex_);
  is_cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
  if (alarm_) alarm_->Cancel();
  cancelled_.notify_all();
}

bool Canceller::is_cancelled() const {
  const std::lock_guard lock(mutex_);
  return is_cancelled_;
}

void Canceller::begin(grpc::ClientContext& context) {
  const std::lock_guard lock(mutex_);
  context_ = &context;
  if (is_cancelled_) context.TryCancel();
}

void Canceller::end() {
  const std::lock_guard lock(mutex_);
  context_ = nullptr;
}

bool Canceller::pause(milliseconds duration) {
  // A wait for gRPC cannot be cancelled, and so is a short one.
  constexpr milliseconds kSlice(50);
  const auto end = Clock::now() + duration;
  while (!is_cancelled() && Clock::now() + kSlice < end && !transport_->connect_within(kSlice)) {
  }
  std::unique_lock lock(mutex_);
  return !cancelled_.wait_until(lock, end, [this] { return is_cancelled_; });
}

void Canceller::pause(milliseconds duration, Event* event) {
  const std::lock_guard lock(mutex_);
  const auto wanted = is_cancelled_ ? milliseconds(0) : duration;
  alarm_.emplace();
  alarm_->Set(&io_queue(), std::chrono::system_clock::now() + wanted, event);
}

double random_chance() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace holdfast::detail
