// The SQL of a store. Pure: everything that comes from a request is a parameter.
//
// A write judges its condition, writes and reports in one statement, whose row lock makes it atomic; where its
// condition does not hold, it gives no row and changes nothing. In a transaction that must undo the others: a guarded
// statement divides by the number of its rows, so that none is an error, division_by_zero, and the transaction is over
// (is_unmet()). All its statements then go out together, and it takes one trip.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "state/store.h"
#include "stores/postgresql/dialect.h"
#include "stores/postgresql/statement.h"

namespace holdfast::stores::postgresql {

// Statements by their texts, which are a bounded number: what varies between requests is in parameters. Of one loop.
class Statements {
 public:
  explicit Statements(const PostgresqlSettings& settings) : dialect_(settings) {}
  const Dialect& dialect() const { return dialect_; }

  enum class Guard : std::uint8_t { none, fails };

  // Of rows that read_row() reads: which columns.
  struct Shape {
    bool want_value = true;
    bool want_fields = false;
    bool daprs_may_be_json = false;  // of v2, where Dapr does not say which of its values are
  };
  // $1 key.
  const Statement& get(Shape shape);
  // $1 text[] of keys. Gives the key in front.
  const Statement& get_many(Shape shape);

  // Parameters: set_values() in mapping.h. Gives etag, created, expiry; created time, modified time, createdBy.
  const Statement& set(state::Precondition::Kind when, Guard guard);
  // As many saves as are wanted, of keys that differ, where nothing is to keep its expiry: each parameter is an array
  // of theirs. Gives the key in front; of a save whose condition does not hold, nothing. For `any` and `absent`.
  const Statement& set_together(state::Precondition::Kind when);
  // $1 key; with one_of $2 text[] of etags. Gives whether the row was live. Not for `absent`.
  const Statement& erase(state::Precondition::Kind when, Guard guard);
  // As erase(), but the row stays, and is locked until the transaction ends. Fails where it is not there.
  const Statement& check(state::Precondition::Kind when);
  // $1 key, which nobody else makes until the transaction ends; fails where it is there. let_go() has to follow.
  const Statement& hold();
  const Statement& let_go();
  // $1 key, which is locked until the transaction ends whether there is a row or not; a deletion has to follow.
  const Statement& lock();

  // $1 key. And $1 key, $2 and $3 text[] of names and values, with v2 $4 the etag.
  const Statement& forget_entries();
  const Statement& add_entries();

  // For the rest of this transaction; $1 is on, local, remote_write, remote_apply or off.
  const Statement& set_synchronous_commit();

  // Any other statement, by its text.
  const Statement& of(const std::string& sql);

  // Columns of row t for read_row(), and the same of a row that the query around it calls t.
  std::string columns(Shape shape) const;

 private:
  std::string hold_sql() const;
  std::string set_sql(state::Precondition::Kind when, bool together) const;
  std::string guarded(std::string sql, Guard guard) const;
  // "AND live AND etag = ANY($n)", as the condition wants it.
  std::string condition(state::Precondition::Kind when, int etags_at) const;

  Dialect dialect_;
  std::unordered_map<std::string, std::unique_ptr<Statement>> by_text_;
  // Those of every request, so that their texts are not built for each.
  const Statement* gets_[2][2] = {};
  const Statement* gets_many_[2][2] = {};
  const Statement* sets_[4][2] = {};
  const Statement* sets_together_[2] = {};
  const Statement* erases_[4][2] = {};
};

// The error of a guarded statement whose condition does not hold.
bool is_unmet(const Refusal& refusal);

}  // namespace holdfast::stores::postgresql
