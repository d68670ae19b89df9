// The behaviour every store has to show, as test suites over the StateStore interface alone. What a
// store declares in its Capabilities must work; what it does not declare must answer
// Errc::unsupported and change nothing. The same suites run on engines, on layers and, through an
// adapter, on the whole daemon.
//
// A store's conformance_test.cc says how to start it:
//
//   HOLDFAST_CONFORMANCE(Memory, of_core("memory", [](const Clock& clock) { ... return the
//   StoreCore; }));
//
// Cases use keys under a random base of their own, so a shared server serves them all.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/capability_fields.h"
#include "state/query.h"
#include "state/store.h"
#include "support/test_loop.h"

namespace holdfast::conformance {

// The data of a store under test. Dies after every handle.
class Instance {
 public:
  virtual ~Instance() = default;
  // One more handle on the same data, for this loop. Called on the thread that runs the loop.
  virtual Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) = 0;
  // Lets go of everything the process has of the store, whose handles are closed, and opens it anew. False: this
  // instance cannot.
  virtual bool restart() { return false; }
  // The clock the store looks at, if the test may move it; null: tests wait for real time.
  virtual test::ManualClock* clock() { return nullptr; }
};

struct Subject {
  std::string name;
  // Called for each case; may hand out the same server again and again.
  std::function<std::shared_ptr<Instance>()> start;
  std::string column = {};  // whose head it is in the table of doc/stores.md; empty: it has none
  // False for an engine whose keys hold no blanks and control characters: they are refused.
  bool keys_hold_blanks = true;
  bool raw_keys = true;        // keys may hold "||", as the service writes them; false: user keys only
  bool sees_principal = true;  // CallContext::principal reaches the store
  // Transactions can say `present`, several etags, checks, tags and index entries, and answer what became of each
  // operation; false: as Dapr's API, which can neither.
  bool rich_transactions = true;
  // A transaction may name a key several times; false: as v2, which refuses that.
  bool transactions_repeat_keys = true;
  bool keeps_expiry = true;  // SetRequest::keep_expiry reaches the store
  // The keys of a case share a part in braces, which puts them into one hash slot of a cluster.
  bool shared_tag = false;
  // False for a cluster over which the keys of a case are spread: it has no transactions of several.
  bool transactions_span_keys = true;
};
void PrintTo(const Subject& subject, std::ostream* out);

// A store in this process, on a clock that the tests move.
Subject of_core(std::string name, std::function<std::shared_ptr<state::StoreCore>(const Clock& clock)> make);

// A precondition that owns the etags it names. Lives to the end of the expression it is made in.
class IfMatch {
 public:
  IfMatch(std::initializer_list<std::string> etags) : etags_(etags), views_(etags_.begin(), etags_.end()) {}
  operator state::Precondition() const { return state::Precondition::one_of(views_); }

 private:
  std::vector<std::string> etags_;
  std::vector<std::string_view> views_;
};

state::SetRequest put(std::string_view key, std::string_view value,
                      state::Precondition when = state::Precondition::any());
state::SetRequest put_for(std::string_view key, std::string_view value, Milliseconds ttl);
state::SetRequest put_json(std::string_view key, std::string_view json);
state::DeleteRequest drop(std::string_view key, state::Precondition when = state::Precondition::any());
state::CheckRequest check(std::string_view key, state::Precondition when);

// JSON text in one form: sorted keys, no white space, numbers as Go prints them. "not JSON" for
// other text.
std::string canonical(std::string_view json);

// A handle whose calls run the loop until they are answered. Closes the store at its end.
class Handle {
 public:
  Handle(Instance& instance, test::TestLoop& loop);
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle();

  state::StateStore& store() { return *store_; }
  test::TestLoop& loop() { return loop_; }
  const state::Capabilities& can() const { return store_->capabilities(); }
  template <class T>
  T run(Task<T> task) {
    return loop_.run(std::move(task));
  }

  Result<state::Written> set(state::SetRequest request) { return run(store_->set({}, request)); }
  Result<state::Deleted> erase(state::DeleteRequest request) { return run(store_->erase({}, request)); }
  Result<std::vector<state::Written>> transact(std::vector<state::Operation> operations);
  Result<std::optional<state::Record>> get(std::string_view key, bool want_fields = false);

  // The record, or a failed expectation and an empty record.
  state::Record record(std::string_view key, bool want_fields = false);
  // The value; nothing when the key is absent.
  std::optional<std::string> value(std::string_view key);
  bool exists(std::string_view key) { return value(key).has_value(); }
  std::string etag(std::string_view key) { return record(key).etag; }

  // Every key under the prefix, page by page; fails when a page has no end.
  std::vector<std::string> keys(std::string_view prefix, std::uint32_t limit = 100, std::size_t own_bytes = 0);

 private:
  test::TestLoop& loop_;
  std::unique_ptr<state::StateStore> store_;
};

class StoreTest : public ::testing::TestWithParam<Subject> {
 protected:
  void SetUp() override;
  void TearDown() override;

  Handle& store() { return *handle_; }
  const state::Capabilities& can() { return handle_->can(); }
  Instance& instance() { return *instance_; }
  std::string key(std::string_view rest) const { return base_ + std::string(rest); }
  const std::string& base() const { return base_; }

  // Lets a time to live run out, and makes sure by looking at `key`, which has it.
  void run_out(const std::string& key, Milliseconds ttl);
  // Closes the store and opens it anew; false: this run cannot.
  bool restart();
  // Whether `holds` becomes true before long, running the loop meanwhile.
  bool eventually(const std::function<bool()>& holds);

  test::TestLoop loop_;

 private:
  std::shared_ptr<Instance> instance_;
  std::optional<Handle> handle_;
  std::string base_;
};

// One second is the finest time to live that every engine with any can keep.
inline constexpr Milliseconds kShortTtl{1000};
inline constexpr Milliseconds kLongTtl{3600 * 1000};

// Whether a call failed, and with one of these codes.
template <class T>
testing::AssertionResult failed_with(const Result<T>& result, std::initializer_list<Errc> codes) {
  if (result) return testing::AssertionFailure() << "the call succeeded";
  for (const Errc code : codes)
    if (result.error().code == code) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the code is " << name_of(result.error().code) << ": "
                                     << result.error().message;
}
template <class T>
testing::AssertionResult is_refused(const Result<T>& result) {
  return failed_with(result, {Errc::precondition_failed});
}
template <class T>
testing::AssertionResult is_bad_etag(const Result<T>& result) {
  return failed_with(result, {Errc::precondition_failed, Errc::etag_invalid});
}
template <class T>
testing::AssertionResult is_unsupported(const Result<T>& result) {
  return failed_with(result, {Errc::unsupported});
}

class GetSetConformance : public StoreTest {};
class EtagConformance : public StoreTest {};
class TtlConformance : public StoreTest {};
class BulkConformance : public StoreTest {};
class TransactionConformance : public StoreTest {};
class ListConformance : public StoreTest {};
class KeysLikeConformance : public StoreTest {};
class DeletePrefixConformance : public StoreTest {};
class QueryConformance : public StoreTest {};
class IndexConformance : public StoreTest {};
class WatchConformance : public StoreTest {};
class RecordsConformance : public StoreTest {};
class ConsistencyConformance : public StoreTest {};
class ConcurrencyConformance : public StoreTest {};
class EdgesConformance : public StoreTest {};
class CapabilitiesConformance : public StoreTest {};

// Which fields of Capabilities there are cases for: of stores that declare it, and of stores that do not. Filled before
// main() by the macros below.
struct Judged {
  std::vector<state::CapabilityMember> declared;
  std::vector<state::CapabilityMember> undeclared;
};
Judged& judged();
template <auto member, bool declared>
inline const bool kIsJudged = [] {
  (declared ? judged().declared : judged().undeclared).emplace_back(member);
  return true;
}();

// Skips the case, with the reason, when the store does not declare the ability.
#define HOLDFAST_NEEDS(ability)                                      \
  static_cast<void>(kIsJudged<&state::Capabilities::ability, true>); \
  if (!can().ability) GTEST_SKIP() << "this store does not declare " #ability
// And the other way about: for cases that hold stores to what they do not declare.
#define HOLDFAST_LACKS(ability)                                       \
  static_cast<void>(kIsJudged<&state::Capabilities::ability, false>); \
  if (can().ability) GTEST_SKIP() << "this store declares " #ability
// For a case that holds every store to what it declares, whatever that is.
#define HOLDFAST_JUDGES(ability)                                     \
  static_cast<void>(kIsJudged<&state::Capabilities::ability, true>); \
  static_cast<void>(kIsJudged<&state::Capabilities::ability, false>)

// Skips the case unless transactions of at least so many operations can be had.
#define HOLDFAST_NEEDS_TRANSACTIONS_OF(operations)                               \
  static_cast<void>(kIsJudged<&state::Capabilities::transaction_ops_max, true>); \
  if (can().transaction_ops_max < (operations))                                  \
    GTEST_SKIP() << "this store does not declare transactions of " #operations;  \
  if (!GetParam().transactions_span_keys) GTEST_SKIP() << "the keys of this run are in different slots of a cluster"

#define HOLDFAST_NEEDS_RICH_TRANSACTIONS() \
  if (!GetParam().rich_transactions) GTEST_SKIP() << "Dapr's transactions, the way to this store, cannot say this"

#define HOLDFAST_NEEDS_REPEATED_KEYS() \
  if (!GetParam().transactions_repeat_keys) GTEST_SKIP() << "v2, the way to this store, takes each key once"

#define HOLDFAST_NEEDS_KEPT_EXPIRY() \
  if (!GetParam().keeps_expiry) GTEST_SKIP() << "the API, the way to this store, keeps expiry only where it updates"

inline std::vector<Subject> subjects_of(std::vector<Subject> subjects) { return subjects; }
template <class... Subjects>
std::vector<Subject> subjects_of(Subject first, Subjects... others) {
  return {std::move(first), std::move(others)...};
}

#define HOLDFAST_CONFORMANCE_ONE(prefix, suite, ...)                \
  INSTANTIATE_TEST_SUITE_P(                                         \
      prefix, suite, ::testing::ValuesIn(subjects_of(__VA_ARGS__)), \
      [](const ::testing::TestParamInfo<::holdfast::conformance::Subject>& info) { return info.param.name; })

// In namespace holdfast::conformance; every further argument is a Subject, or the only one a vector of them.
#define HOLDFAST_CONFORMANCE(prefix, ...)                                 \
  HOLDFAST_CONFORMANCE_ONE(prefix, GetSetConformance, __VA_ARGS__);       \
  HOLDFAST_CONFORMANCE_ONE(prefix, EtagConformance, __VA_ARGS__);         \
  HOLDFAST_CONFORMANCE_ONE(prefix, TtlConformance, __VA_ARGS__);          \
  HOLDFAST_CONFORMANCE_ONE(prefix, BulkConformance, __VA_ARGS__);         \
  HOLDFAST_CONFORMANCE_ONE(prefix, TransactionConformance, __VA_ARGS__);  \
  HOLDFAST_CONFORMANCE_ONE(prefix, ListConformance, __VA_ARGS__);         \
  HOLDFAST_CONFORMANCE_ONE(prefix, KeysLikeConformance, __VA_ARGS__);     \
  HOLDFAST_CONFORMANCE_ONE(prefix, DeletePrefixConformance, __VA_ARGS__); \
  HOLDFAST_CONFORMANCE_ONE(prefix, QueryConformance, __VA_ARGS__);        \
  HOLDFAST_CONFORMANCE_ONE(prefix, IndexConformance, __VA_ARGS__);        \
  HOLDFAST_CONFORMANCE_ONE(prefix, WatchConformance, __VA_ARGS__);        \
  HOLDFAST_CONFORMANCE_ONE(prefix, RecordsConformance, __VA_ARGS__);      \
  HOLDFAST_CONFORMANCE_ONE(prefix, ConsistencyConformance, __VA_ARGS__);  \
  HOLDFAST_CONFORMANCE_ONE(prefix, ConcurrencyConformance, __VA_ARGS__);  \
  HOLDFAST_CONFORMANCE_ONE(prefix, EdgesConformance, __VA_ARGS__);        \
  HOLDFAST_CONFORMANCE_ONE(prefix, CapabilitiesConformance, __VA_ARGS__)

}  // namespace holdfast::conformance
