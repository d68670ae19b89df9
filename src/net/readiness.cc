#include "net/readiness.h"

#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "net/asio_loop.h"

namespace holdfast::net {

struct Readiness::Impl {
  using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
  Descriptor descriptor;
};

Readiness::Readiness(Loop& loop, int descriptor)
    : impl_(std::make_unique<Impl>(Impl::Descriptor(loop.impl().context.get_executor(), descriptor))) {}

Readiness::~Readiness() { impl_->descriptor.release(); }

void Readiness::begin_wait(Way way, std::coroutine_handle<> waiter, bool& ready) {
  const auto kind = way == Way::read ? Impl::Descriptor::wait_read : Impl::Descriptor::wait_write;
  impl_->descriptor.async_wait(kind, [waiter, &ready](ErrorCode error) {
    ready = !error;
    waiter.resume();
  });
}

void Readiness::cancel() {
  ErrorCode ignored;
  impl_->descriptor.cancel(ignored);
}

}  // namespace holdfast::net
