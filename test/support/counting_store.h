// A store that hands every call to another and counts them: for tests that something never reached the store.
#pragma once

#include <memory>
#include <utility>

#include "state/layers/forwarding.h"

namespace holdfast::test {

class CountingStore final : public state::AroundStore<CountingStore> {
 public:
  using AroundStore::AroundStore;

  std::size_t calls() const { return calls_; }

  template <class T>
  Task<T> run(state::OperationKind, const state::CallContext&, Task<T> call) {
    ++calls_;
    return call;
  }

 private:
  std::size_t calls_ = 0;
};

}  // namespace holdfast::test
