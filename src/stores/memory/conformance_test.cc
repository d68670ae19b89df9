#include "conformance/conformance.h"

#include "stores/memory/core.h"

namespace holdfast::conformance {
namespace {

std::shared_ptr<state::StoreCore> make(const Clock& clock) {
  return std::make_shared<stores::memory::MemoryCore>(clock, stores::memory::MemorySettings{});
}

HOLDFAST_CONFORMANCE(Memory, of_core("memory", make));

}  // namespace
}  // namespace holdfast::conformance
