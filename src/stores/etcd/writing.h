// The writes of one transaction as etcd's Txns, round by round. Pure: bytes out, bytes in.
//
// Conditions are compares of the Txn, so that nothing is read first. A compare cannot see that a record has expired and
// still lies there, so a condition compares the lease too: for a record on a lease the Txn fails, answers with what
// lies there, and the next round compares its revision, which says everything. A round that somebody else came before
// is judged anew.
#pragma once

#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "state/store.h"
#include "stores/etcd/layout.h"
#include "wire/etcd/messages.h"

namespace holdfast::stores::etcd {

struct WriterContext {
  Layout layout = Layout::v1;
  std::string_view key_prefix;
  std::string_view principal;
  WallTime now;
  std::uint32_t transaction_ops_max = 128;
};

// One operation of a transaction. What it refers to lives as long as it.
struct Item {
  Item(const state::Operation& operation, const WriterContext& context);

  const state::SetRequest* set = nullptr;
  const state::DeleteRequest* erase = nullptr;
  std::string_view key;
  state::Precondition when;
  Keys keys;
  std::optional<std::size_t> overwritten_by;  // a later one of the same key, which alone is written

  // Of a set.
  std::optional<WallTime> expires;
  std::int64_t lease = 0;

  // What lies there, once a round has shown it.
  struct Known {
    bool is_live = false;
    std::int64_t revision = 0;  // 0: there is nothing
    std::int64_t lease = 0;
    std::optional<WallTime> expires;
    std::string making;  // of the companion that belongs to it; empty: there is none
  };
  std::optional<Known> known;

  bool is_conditioned() const { return when.kind != state::Precondition::Kind::any || keeps_expiry(); }
  bool keeps_expiry() const { return set != nullptr && set->keep_expiry; }
  // Whether what lies there has to be known before anything is compared with it.
  bool needs_reading() const;
};

// What an operation has become, and what is left to do about it.
struct Outcome {
  state::Written written;
  std::optional<bool> existed;  // of an erase
  // Behind an overwrite of a record on a lease: whether it had expired is in what lay there before.
  bool may_have_expired = false;
  // The companion about the record's making is on another lease than the record now, and has to follow it.
  std::string making;
};

class Writing {
 public:
  // `operations` and what they refer to outlive it.
  Writing(std::span<const state::Operation> operations, const WriterContext& context);

  std::vector<Item>& items() { return items_; }
  bool needs_reading() const;
  // How the record of a set comes to be, if the set makes it.
  Making making_of(const Item& item) const;

  // Asks for what lies at the keys of all conditioned items; note() takes the answer. This and the next refer to the
  // operations and to what is in here, until one of them is asked for again.
  const holdfast::etcd::Txn& reading();
  // The compares and the writes.
  const holdfast::etcd::Txn& round();
  // Whether a round has no condition and is one record's alone.
  bool may_share() const;

  // Takes what an answer says of the conditioned items: of a reading, or of a round whose compares did not hold.
  Status note(std::span<const holdfast::etcd::OperationReply> replies);
  // The first condition that does not hold by what is known.
  std::optional<Error> objection() const;
  // After a round whose compares held.
  std::vector<Outcome> outcomes(std::span<const holdfast::etcd::OperationReply> replies, std::int64_t revision) const;

 private:
  using Txn = holdfast::etcd::Txn;
  bool is_flat() const { return items_.size() + 1 + kInnerMost > context_.transaction_ops_max; }
  static constexpr std::size_t kInnerMost = 5;  // operations of an item's inner Txn

  void tell_repeats(std::vector<Outcome>& outcomes) const;

  // What is sent beside the requests' own bytes.
  struct Text {
    std::string value;   // v2
    std::string extras;  // v1: of the companion
    std::string making;  // of a record that is made now
    std::string tags, indexes;
  };

  void prepare(Item& item, std::size_t place);
  void add_compares(Txn& txn, const Item& item) const;
  void begin_txn();
  Txn& inner(std::vector<holdfast::etcd::Operation>& of);
  void add_reading(std::vector<holdfast::etcd::Operation>& to, const Item& item);
  // The first set of a Txn, which stands in the outer one: the servers count only that against their quota.
  bool is_counted(std::size_t place) const { return place == counted_; }
  void add_set(std::vector<holdfast::etcd::Operation>& to, const Item& item, std::size_t place);
  void add_erase(std::vector<holdfast::etcd::Operation>& to, const Item& item);
  Extras extras_of(const Item& item, const Text& text) const;
  static state::Written written(const Item& item, std::int64_t revision);
  Outcome outcome(std::size_t place, const holdfast::etcd::OperationReply& reply, std::int64_t revision) const;

  const WriterContext context_;
  std::vector<Item> items_;
  std::size_t counted_ = 0;  // beyond the last: there is none
  std::vector<Text> texts_;
  Txn txn_;
  std::deque<Txn> inner_;
};

// The keys of one record as ranges of a Txn; of a revision, or (0) the newest.
void append_ranges(std::vector<holdfast::etcd::Operation>& to, const Keys& keys, Layout layout, bool want_making,
                   std::int64_t revision = 0);
// All kvs of a reply, with those of inner Txns.
std::vector<holdfast::etcd::KeyValue> kvs_of(const holdfast::etcd::OperationReply& reply);

}  // namespace holdfast::stores::etcd
