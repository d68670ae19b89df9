#include "migration/pump.h"

#include <algorithm>
#include <deque>

namespace holdfast::migration {

bool is_passing(Errc code) {
  switch (code) {
    case Errc::conflict:
    case Errc::unavailable:
    case Errc::overloaded:
    case Errc::deadline_exceeded:
    case Errc::outcome_unknown:
      return true;
    default:
      return false;
  }
}

Task<bool> Backoff::wait() {
  if (left_ == 0 || is_stopped()) co_return false;
  --left_;
  co_await sleep_for(loop_, next_);
  next_ = std::min(2 * next_, kBackoffMax);
  co_return !is_stopped();
}

struct Pump::Batch {
  std::string cursor;  // behind it
  bool is_last = false;
  Tally read;
  Arrival<Result<Tally>> arrival;
};

// One run: what is on its way, and how far the batches in front of it have come.
class Pump::Walk {
 public:
  Walk(Pump& pump, Position position) : pump_(pump), position_(std::move(position)), cursor_(position_.cursor) {}

  bool may_read() const {
    const bool has_room = is_idle() || (under_way_.size() < window() && bytes_on_way_ < kBytesOnWayMax);
    return has_room && !all_read_ && !begin_again_ && !failure_;
  }
  bool is_idle() const { return under_way_.empty(); }
  const std::string& cursor() const { return cursor_; }
  const std::optional<Error>& failure() const { return failure_; }
  Position& position() { return position_; }

  void take(Result<Page> page);
  // Waits for the first of the batches on their way, and counts it.
  Task<void> await_first();
  // Whether the walk begins again; only when idle.
  bool begin_again();
  Status checkpoint();

 private:
  std::size_t window() const { return std::min(pump_.options_.window, pump_.sink_.batches_max()); }
  void send(Page page);
  void commit(const Batch& batch, const Tally& tally);
  void fail_with(Error error) {
    if (!failure_) failure_ = std::move(error);
  }

  Pump& pump_;
  Position position_;
  std::string cursor_;  // of the next page to read
  std::deque<std::unique_ptr<Batch>> under_way_;
  std::uint64_t bytes_on_way_ = 0;
  std::optional<Error> failure_;
  bool has_gap_ = false;  // a batch is missing: those behind it do not count
  bool all_read_ = false;
  bool begin_again_ = false;
  SteadyTime saved_at_ = pump_.clock_.steady();
};

void Pump::Walk::take(Result<Page> page) {
  if (page) {
    cursor_ = page->cursor;
    all_read_ = cursor_.empty();
    send(std::move(*page));
  } else if (page.error().code == Errc::precondition_failed && !cursor_.empty()) {
    begin_again_ = true;
  } else {
    fail_with(std::move(page.error()));
  }
}

void Pump::Walk::send(Page page) {
  const std::string& prefix = pump_.options_.prefix;
  std::erase_if(page.items, [&](const state::ListedRecord& item) { return !item.key.starts_with(prefix); });
  auto batch = std::make_unique<Batch>();
  batch->cursor = page.cursor;
  batch->is_last = page.cursor.empty();
  for (state::ListedRecord& item : page.items) {
    if (prefix != pump_.options_.to_prefix) item.key.replace(0, prefix.size(), pump_.options_.to_prefix);
    batch->read.add(Count::read);
    batch->read.add(Count::bytes, item.key.size() + item.record.value.size());
    batch->read.source.add(content_hash(item.key, item.record, Kept()));
  }
  bytes_on_way_ += batch->read[Count::bytes];
  Batch* const sent = batch.get();
  under_way_.push_back(std::move(batch));
  holdfast::start(pump_.sink_.write(std::move(page.items)),
                  [sent](Result<Tally> tally) { sent->arrival.set(std::move(tally)); });
}

Task<void> Pump::Walk::await_first() {
  auto written = co_await under_way_.front()->arrival;
  const std::unique_ptr<Batch> batch = std::move(under_way_.front());
  under_way_.pop_front();
  bytes_on_way_ -= batch->read[Count::bytes];
  if (!written) {
    has_gap_ = true;
    fail_with(std::move(written.error()));
  } else if (!has_gap_) {
    commit(*batch, *written);
  }
}

void Pump::Walk::commit(const Batch& batch, const Tally& tally) {
  position_.cursor = batch.cursor;
  position_.is_done = batch.is_last;
  position_.tally += batch.read;
  position_.tally += tally;
  const bool is_due = pump_.clock_.steady() - saved_at_ >= pump_.options_.checkpoint_interval;
  const Status told = is_due ? checkpoint() : pump_.observer_(position_, false);
  if (!told) {
    has_gap_ = true;
    fail_with(told.error());
  }
}

Status Pump::Walk::checkpoint() {
  auto mark = pump_.sink_.mark();
  if (!mark) return fail(std::move(mark.error()));
  position_.mark = std::move(*mark);
  saved_at_ = pump_.clock_.steady();
  return pump_.observer_(position_, true);
}

bool Pump::Walk::begin_again() {
  if (!begin_again_ || failure_) return false;
  Position anew;
  anew.restarts = position_.restarts + 1;
  anew.written_before = position_.written_before + position_.tally[Count::written] + position_.tally[Count::replaced];
  position_ = std::move(anew);
  cursor_.clear();
  begin_again_ = all_read_ = false;
  if (position_.restarts > kRestartsMax)
    fail_with({Errc::unavailable, "the source gives up its cursors again and again; is it restarted all the time?"});
  if (auto started = pump_.sink_.start(""); !started) fail_with(std::move(started.error()));
  return true;
}

Task<Result<Page>> Pump::read(std::string cursor, const Cancellation& stop) {
  Backoff backoff(loop_, options_.backoff, options_.retries, &stop);
  for (;;) {
    co_await resume_on(loop_);  // stores in memory answer at once, and nothing else would have its turn
    auto page = co_await source_.next(cursor);
    if (page || !is_passing(page.error().code)) co_return page;
    if (!co_await backoff.wait()) co_return page;
  }
}

Task<Result<Position>> Pump::run(Position position, const Cancellation& stop) {
  if (position.is_done) co_return position;
  if (auto started = sink_.start(position.mark); !started) co_return fail(std::move(started.error()));
  Walk walk(*this, std::move(position));
  for (;;) {
    if (walk.may_read() && !stop.requested) {
      auto page = co_await read(walk.cursor(), stop);
      walk.take(std::move(page));
    } else if (!walk.is_idle()) {
      co_await walk.await_first();
    } else if (stop.requested || !walk.begin_again()) {
      break;
    }
  }
  Status ended = walk.position().is_done ? sink_.finish() : Status();
  if (ended) ended = walk.checkpoint();
  if (walk.failure()) co_return fail(*walk.failure());
  if (!ended) co_return fail(std::move(ended.error()));
  co_return std::move(walk.position());
}

}  // namespace holdfast::migration
