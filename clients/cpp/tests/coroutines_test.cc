// What coroutines alone can do: many calls at once, executors, tasks.
#include <condition_variable>
#include <deque>
#include <future>
#include <thread>

#include "support.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

class Coroutines : public OnStore<AwaitedForm> {};

// A thread that runs what it is given, in order.
class Loop {
 public:
  ~Loop() {
    post({});
    thread_.join();
  }
  void post(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    work_.push_back(std::move(work));
    wake_.notify_one();
  }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  void run() {
    while (true) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !work_.empty(); });
      const auto work = std::move(work_.front());
      work_.pop_front();
      lock.unlock();
      if (!work) return;
      work();
    }
  }
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> work_;
  std::thread thread_{[this] { run(); }};
};

aio::Task<std::int64_t> count_up(aio::Store store, std::string key, int times) {
  std::vector<aio::Pending<Patched>> under_way;
  for (int i = 0; i < times; ++i) under_way.push_back(store.increment(key));
  std::int64_t highest = 0;
  for (auto& one : under_way) {
    const Patched patched = co_await one;
    highest = std::max(highest, patched.integer());
  }
  co_return highest;
}

TEST_F(Coroutines, CallsBegunOneAfterTheOtherAreUnderWayAtOnce) { EXPECT_EQ(aio::run(count_up(store, key, 200)), 200); }

aio::Task<> all_of(aio::Store store, std::string key) {
  std::vector<aio::Pending<std::int64_t>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(aio::spawn(count_up(store, key, 25)));
  for (auto& task : tasks) co_await task;
}

TEST_F(Coroutines, TasksRunAtOnce) {
  aio::run(all_of(store, key));
  EXPECT_EQ(store.get(key).get()->integer(), 200);
}

aio::Task<std::string> outcome_of(aio::Store store, std::string key) {
  try {
    co_await store.put(key, 1, {.if_present = true});
  } catch (const PreconditionFailed& failed) {
    co_return failed.reason();
  }
  co_return "";
}

aio::Task<int> inner() {
  throw std::runtime_error("from within");
  co_return 1;
}
aio::Task<int> outer() { co_return co_await inner(); }

TEST_F(Coroutines, ErrorsAreThrownWhereTheCallIsAwaited) {
  EXPECT_EQ(aio::run(outcome_of(store, key)), "PRECONDITION_FAILED");
  EXPECT_THROW(aio::run(outer()), std::runtime_error);
}

aio::Task<std::vector<std::thread::id>> threads_of(aio::Store store, std::string key) {
  std::vector<std::thread::id> threads;
  co_await store.put(key, 1);
  threads.push_back(std::this_thread::get_id());
  co_await store.get(key);
  threads.push_back(std::this_thread::get_id());
  auto scan = store.scan(key);
  while (co_await scan.next()) threads.push_back(std::this_thread::get_id());
  co_return threads;
}

aio::Task<> tell(aio::Task<std::vector<std::thread::id>> task, std::vector<std::thread::id>& threads,
                 std::promise<void>& done) {
  threads = co_await task;
  done.set_value();
}

TEST_F(Coroutines, GoOnWhereTheExecutorSays) {
  Loop loop;
  aio::Client mine(variable("TEST_ADDRESS"),
                   {.executor = [&loop](std::function<void()> work) { loop.post(std::move(work)); }});
  // Begun on the loop: a call whose answer is there before it is awaited goes on where it is.
  std::vector<std::thread::id> threads;
  std::promise<void> done;
  std::optional<aio::Pending<void>> task;
  loop.post([&] { task.emplace(aio::spawn(tell(threads_of(mine.store(store.name()), key), threads, done))); });
  done.get_future().get();
  EXPECT_EQ(threads, std::vector<std::thread::id>(3, loop.id()));
}

aio::Task<std::int64_t> with_its_own_client(std::string store, std::string key) {
  aio::Client client(variable("TEST_ADDRESS"));
  const Patched patched = co_await client.store(store).increment(key);
  co_return patched.integer();
}

TEST_F(Coroutines, AClientMayEndOnTheThreadThatGaveItItsAnswer) {
  EXPECT_EQ(aio::run(with_its_own_client(store.name(), key)), 1);
  EXPECT_EQ(aio::run(with_its_own_client(store.name(), key)), 2);
}

TEST_F(Coroutines, ACallGoesOnWhenNobodyWaitsForIt) {
  {
    auto dropped = store.put(key, 1);
  }
  const auto patience = std::chrono::steady_clock::now() + 20s;
  while (!store.get(key).get()) ASSERT_LT(std::chrono::steady_clock::now(), patience);
  auto pending = store.get(key);
  EXPECT_TRUE(pending.wait_for(20s));
  EXPECT_TRUE(pending.is_ready());
  EXPECT_EQ(pending.get()->integer(), 1);
}

}  // namespace
}  // namespace holdfast::test
