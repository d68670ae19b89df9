// The conformance suite on deployments that change meanwhile: a cluster whose slots move from master to master, and
// sentinels that name another primary now and then.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "state/layers/forwarding.h"
#include "stores/redis/conformance_testing.h"
#include "stores/redis/mapping.h"
#include "support/eventually.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/redis_servers.h"

namespace holdfast::conformance {
namespace {

using stores::redis::joined;

// A deployment and the thread that changes it, which alone uses it. Ends with the program.
class Changing {
 public:
  virtual ~Changing() = default;
  const Fields& fields() const { return fields_; }

 protected:
  // Of the thread.
  virtual Fields build() = 0;
  virtual void change() = 0;  // once
  virtual std::string told() const = 0;

  void begin() {
    std::promise<Fields> built;
    auto fields = built.get_future();
    thread_ = std::thread([this, &built] { run(built); });
    try {
      fields_ = fields.get();
    } catch (...) {
      thread_.join();
      throw;
    }
  }
  void end() {
    stop_ = true;
    thread_.join();
    std::cout << told() << "\n";
  }

 private:
  void run(std::promise<Fields>& built) {
    try {
      built.set_value(build());
    } catch (...) {
      return built.set_exception(std::current_exception());
    }
    try {
      while (!stop_) change();
    } catch (const std::exception& failed) {
      // The servers are gone with this thread, and so are the cases that follow.
      std::cerr << "the deployment cannot be changed: " << failed.what() << "\n";
    }
  }

  Fields fields_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Slots that hold keys move to another master, those that have moved least first: the keys of the case that runs now.
// Ten a second, much oftener than an operator moves one slot, and fewer where the machine is slow: a key that moves on
// and on while the nodes are asked one after the other may dodge every listing.
class MovingCluster final : public Changing {
 public:
  MovingCluster() { begin(); }
  ~MovingCluster() override { end(); }

 private:
  static constexpr std::chrono::milliseconds kBetween{100};
  static constexpr int kLooksBetween = 20;  // of the time that it takes to look at every node once

  Fields build() override {
    cluster_.emplace();
    return {{"redisHost", joined(cluster_->addresses())}, {"redisType", "cluster"}};
  }

  void change() override {
    const auto began = std::chrono::steady_clock::now();
    std::map<std::uint16_t, std::size_t> held;  // by which master
    for (std::size_t i = 0; i < cluster_->master_count(); ++i) {
      const test::Answer scanned = cluster_->node(i).must({"SCAN", "0", "COUNT", "10000"});
      for (const resp::Value key : scanned[1]) held[stores::redis::key_slot(key.text())] = i;
    }
    const auto least = std::ranges::min_element(held, {}, [this](const auto& each) { return moved_[each.first]; });
    // A rate, which nothing waits for.
    const auto look = std::chrono::steady_clock::now() - began;
    std::this_thread::sleep_for(std::max<std::chrono::nanoseconds>(kBetween, kLooksBetween * look));
    if (least == held.end()) return;
    ++moved_[least->first];
    ++moves_;
    cluster_->move_slot(least->first, cluster_->node((least->second + 1) % cluster_->master_count()));
  }

  std::string told() const override { return std::to_string(moves_) + " slots were moved"; }

  std::optional<test::RedisCluster> cluster_;
  std::map<std::uint16_t, std::size_t> moved_;
  std::size_t moves_ = 0;
};

// Calls and fail-overs, of which only one kind goes on at a time. A fail-over of Redis may lose what no replica has;
// here the store is looked at, so the primary changes between two calls, when the replica has everything.
class Turns {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_failing_over_; });
    ++calls_;
    ++all_calls_;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --calls_;
    changed_.notify_all();
  }
  // Waits for so many more calls, and for a moment without one. False: there are none for now.
  bool begin_fail_over(std::size_t after) {
    std::unique_lock lock(mutex_);
    const std::size_t wanted = last_ + after;
    if (!changed_.wait_for(lock, std::chrono::milliseconds(100), [&] { return all_calls_ >= wanted && calls_ == 0; }))
      return false;
    last_ = all_calls_;
    return is_failing_over_ = true;
  }
  void end_fail_over() {
    const std::lock_guard lock(mutex_);
    is_failing_over_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t calls_ = 0, all_calls_ = 0, last_ = 0;
  bool is_failing_over_ = false;
};

class FailingOver final : public Changing {
 public:
  FailingOver() { begin(); }
  ~FailingOver() override { end(); }
  Turns& turns() { return turns_; }

 private:
  static constexpr std::size_t kCallsBetween = 60;

  Fields build() override {
    sentinels_.emplace();
    return {{"redisHost", joined(sentinels_->sentinel_addresses())},
            {"failover", "true"},
            {"sentinelMasterName", test::RedisSentinels::kName}};
  }

  void change() override {
    sentinels_->wait_until_ready();
    if (!turns_.begin_fail_over(kCallsBetween)) return;
    // Whatever happens, nobody is held up for good.
    const std::unique_ptr<Turns, void (*)(Turns*)> turn(&turns_, [](Turns* turns) { turns->end_fail_over(); });
    wait_until_in_step();
    sentinels_->fail_over();
    ++changes_;
  }

  void wait_until_in_step() {
    test::RedisServer& primary = sentinels_->primary();
    test::require_eventually("a replica that has everything", [&] {
      for (std::size_t i = 0; i < sentinels_->server_count(); ++i) {
        test::RedisServer& server = sentinels_->server(i);
        if (&server != &primary &&
            server.info("replication", "slave_repl_offset") != primary.info("replication", "master_repl_offset"))
          return false;
      }
      return true;
    });
  }

  std::string told() const override { return "the primary changed " + std::to_string(changes_) + " times"; }

  Turns turns_;
  std::optional<test::RedisSentinels> sentinels_;
  std::size_t changes_ = 0;
};

// Calls that take turns with fail-overs.
class TurnStore final : public state::ForwardingStore {
 public:
  TurnStore(std::unique_ptr<state::StateStore> inner, Turns& turns)
      : ForwardingStore(std::move(inner)), turns_(turns) {}

  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override {
    return in_turn(inner().get(context, request));
  }
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override {
    return in_turn(inner().set(context, request));
  }
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override {
    return in_turn(inner().erase(context, request));
  }
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override {
    return in_turn(inner().get_many(context, requests));
  }
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override {
    return in_turn(inner().set_many(context, requests));
  }
  Task<std::vector<Result<state::Deleted>>> erase_many(state::CallContext context,
                                                       std::span<const state::DeleteRequest> requests) override {
    return in_turn(inner().erase_many(context, requests));
  }
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override {
    return in_turn(inner().transact(context, operations));
  }

 private:
  template <class T>
  Task<T> in_turn(Task<T> call) {
    turns_.enter();
    T result = co_await std::move(call);
    turns_.leave();
    co_return std::move(result);
  }

  Turns& turns_;
};

class TurnInstance final : public Instance {
 public:
  explicit TurnInstance(FailingOver& deployment)
      : deployment_(deployment), inner_(stores::redis::core_of(deployment.fields())) {}
  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override {
    auto opened = inner_.open(loop);
    if (!opened) return opened;
    return std::make_unique<TurnStore>(std::move(*opened), deployment_.turns());
  }

 private:
  FailingOver& deployment_;
  LoopInstance inner_;
};

Subject moving() {
  Subject moving = subject("moving_cluster", [] { return server<MovingCluster>().fields(); });
  moving.shared_tag = true;
  return moving;
}

Subject failing_over() {
  Subject subject;
  subject.name = "failing_over";
  subject.start = [] { return std::make_shared<TurnInstance>(server<FailingOver>()); };
  return subject;
}

HOLDFAST_CONFORMANCE(Redis, moving());

// Not those that walk keys, since a cursor ends with the server that gave it out, and not those about time, which a
// fail-over takes.
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, GetSetConformance, failing_over());
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, EtagConformance, failing_over());
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, BulkConformance, failing_over());
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, TransactionConformance, failing_over());
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, RecordsConformance, failing_over());
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, ConsistencyConformance, failing_over());
HOLDFAST_CONFORMANCE_ONE(RedisSentinels, EdgesConformance, failing_over());

}  // namespace
}  // namespace holdfast::conformance
