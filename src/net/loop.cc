#include "net/loop.h"

#include "net/asio_loop.h"

namespace holdfast::net {

namespace {
constexpr auto kTick = std::chrono::milliseconds(500);
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::Impl::on_tick() {
  coarse_now = std::chrono::steady_clock::now();
  const WallTime wall = Clock::system().wall();
  if (wall.us / 1'000'000 != date_second) {
    date_second = wall.us / 1'000'000;
    date_line = "Date: " + http_date(wall) + "\r\n";
  }
  tick.expires_after(kTick);
  tick.async_wait([this](ErrorCode error) {
    if (!error) on_tick();
  });
}

void Loop::run() {
  impl_->thread = std::this_thread::get_id();
  Turn::of_this_thread(impl_.get());
  impl_->on_tick();
  impl_->context.run();
  Turn::of_this_thread(nullptr);
}

void Loop::stop() {
  post([this] {
    impl_->tick.cancel();
    impl_->timers.clear();
    impl_->guard.reset();
    impl_->context.stop();
  });
}

void Loop::post(Work work) { asio::post(impl_->context, std::move(work)); }

void Loop::soon(Work work) {
  if (!impl_->in_turn) return post(std::move(work));
  impl_->soon.push_back(std::move(work));
}

thread_local Loop::Impl* Turn::current_ = nullptr;

void Turn::run_soon(Loop::Impl& loop) {
  // What runs may ask for more, which runs too.
  for (std::size_t i = 0; i < loop.soon.size(); ++i) std::exchange(loop.soon[i], nullptr)();
  loop.soon.clear();
}

Scheduler::TimerId Loop::after(std::chrono::milliseconds delay, Work work) {
  const TimerId id = ++impl_->last_timer;
  const auto [entry, inserted] = impl_->timers.try_emplace(id, impl_->context);
  entry->second.expires_after(delay);
  entry->second.async_wait([this, id, work = std::move(work)](ErrorCode error) mutable {
    // One that was due when it was cancelled is told of no error, but it is not among the timers any more.
    if (error || impl_->timers.erase(id) == 0) return;
    work();
  });
  return id;
}

void Loop::cancel(TimerId timer) { impl_->timers.erase(timer); }

bool Loop::is_current() const { return impl_->thread == std::this_thread::get_id(); }
SteadyTime Loop::coarse_now() const { return impl_->coarse_now; }
std::string_view Loop::date_line() const { return impl_->date_line; }

}  // namespace holdfast::net
