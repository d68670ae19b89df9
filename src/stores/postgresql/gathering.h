// What waits to share a transaction: state/gathering.h. Of one loop.
#pragma once

#include "state/gathering.h"
#include "stores/postgresql/statement.h"

namespace holdfast::stores::postgresql {

// Of one kind (Sharing::kind).
class Gathering : public state::Gathering<Exchange> {
 public:
  explicit Gathering(const void* kind) : kind_(kind) {}
  const void* kind() const { return kind_; }

 private:
  const void* kind_;
};

using Batch = Gathering::Batch;

}  // namespace holdfast::stores::postgresql
