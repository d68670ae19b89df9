// Stores as the ends of a migration, and the comparison of what arrived with what was sent.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/scheduler.h"
#include "migration/ends.h"
#include "migration/pump.h"

namespace holdfast::migration {

// What happens to a record of the target that is not the source's.
enum class Existing : std::uint8_t {
  refuse,   // it stays, and is a failure of the migration
  skip,     // it stays
  replace,  // it is overwritten
};

struct TargetPolicy {
  Existing existing = Existing::refuse;
  bool drop_ttl = false;  // into a store without expiry, records that have one go without it
  Milliseconds call_timeout{30'000};
  unsigned retries = 10;  // of a write; with waits as the pump's
  Milliseconds backoff{100};
  const Cancellation* stop = nullptr;  // ends the tries
};

// Why the target cannot have a record at all; nothing when it can.
struct Refusal {
  Count kind;
  std::string why;
};
std::optional<Refusal> refusal(const state::ListedRecord& item, const state::Capabilities& can, bool drop_ttl);

// Everything under a prefix, whoever it belongs to. The store declares `list`. Pages begin small and grow up to
// `page_max` records while they stay under kPageBytes: not every store bounds what a page weighs.
class StoreSource final : public Source {
 public:
  StoreSource(state::StateStore& store, const Clock& clock, std::string prefix, std::uint32_t page_max,
              Milliseconds call_timeout = Milliseconds(30'000))
      : store_(store), clock_(clock), prefix_(std::move(prefix)), page_max_(page_max), call_timeout_(call_timeout) {}

  static constexpr std::uint32_t kPageFirst = 32;
  static constexpr std::size_t kPageBytes = 16u << 20;

  Task<Result<Page>> next(std::string cursor) override;

 private:
  void adapt(const Page& page);

  state::StateStore& store_;
  const Clock& clock_;
  const std::string prefix_;
  const std::uint32_t page_max_;
  std::uint32_t page_ = std::min(page_max_, kPageFirst);
  const Milliseconds call_timeout_;
};

// Writes on the condition that nothing is there, so that it never undoes what somebody else has written and can be
// done again; what is there is read and compared. A store without conditional writes is read before it is written.
class StoreSink final : public Sink {
 public:
  // `source` is what the source keeps: no more can be compared.
  StoreSink(state::StateStore& store, Scheduler& loop, const Clock& clock, TargetPolicy policy, Kept source);

  std::size_t batches_max() const override { return 64; }
  Status start(std::string_view) override { return {}; }
  Task<Result<Tally>> write(std::vector<state::ListedRecord> batch) override;
  Result<std::string> mark() override { return std::string(); }
  Status finish() override { return {}; }

 private:
  struct Pending;
  Backoff backoff() const { return {loop_, policy_.backoff, policy_.retries, policy_.stop}; }
  Task<Status> try_to_write(std::vector<Pending>& pending, Tally& tally);
  Task<Status> look_at(std::vector<Pending>& pending, Tally& tally);
  void judge(Pending& one, const std::optional<state::Record>& there, Tally& tally) const;
  Status take(Pending& one, const Result<state::Written>& written, Tally& tally) const;
  state::SetRequest request_of(const Pending& one, Milliseconds ttl) const;
  void count_losses(const state::ListedRecord& item, Tally& tally) const;

  state::StateStore& store_;
  Scheduler& loop_;
  const Clock& clock_;
  const TargetPolicy policy_;
  const Kept kept_;
};

// Writes nothing: reads the target and compares. After a migration, and as its rehearsal.
class Comparison final : public Sink {
 public:
  // `began`: a record of the source that was written later has changed since, and is no fault of the migration's.
  Comparison(state::StateStore& store, Scheduler& loop, const Clock& clock, TargetPolicy policy, Kept source,
             WallTime began);

  std::size_t batches_max() const override { return 64; }
  Status start(std::string_view) override { return {}; }
  Task<Result<Tally>> write(std::vector<state::ListedRecord> batch) override;
  Result<std::string> mark() override { return std::string(); }
  Status finish() override { return {}; }

 private:
  void compare(const state::ListedRecord& item, const std::optional<state::Record>& there, Tally& tally) const;

  state::StateStore& store_;
  Scheduler& loop_;
  const Clock& clock_;
  const TargetPolicy policy_;
  const Kept kept_;
  const WallTime began_;
};

}  // namespace holdfast::migration
