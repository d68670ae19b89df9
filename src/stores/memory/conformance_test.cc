#include "conformance/conformance.h"

#include "stores/memory/core.h"

namespace holdfast::conformance {
namespace {

std::shared_ptr<state::StoreCore> make(const Clock& clock) {
  return std::make_shared<stores::memory::MemoryCore>(clock, stores::memory::MemorySettings{});
}

Subject memory() {
  Subject subject = of_core("memory", make);
  subject.column = "memory";
  return subject;
}

HOLDFAST_CONFORMANCE(Memory, memory());

// Once more by the clock on the wall, as a server's store is tested.
class RealTime final : public Instance {
 public:
  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override { return loop.run(core_->open(loop)); }

 private:
  std::shared_ptr<state::StoreCore> core_ = make(Clock::system());
};

Subject in_real_time() {
  Subject subject;
  subject.name = "memory_in_real_time";
  subject.start = [] { return std::make_shared<RealTime>(); };
  return subject;
}

HOLDFAST_CONFORMANCE_ONE(RealTime, TtlConformance, in_real_time());

}  // namespace
}  // namespace holdfast::conformance
