#include "stores/etcd/writing.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "state/pairs.h"

namespace holdfast::stores::etcd {

namespace wire = holdfast::etcd;
using state::Precondition;
using When = Precondition::Kind;

namespace {

void add(std::vector<wire::Operation>& to, wire::Operation operation) { to.push_back(operation); }

const Precondition& condition_of(const state::Operation& operation) {
  return std::visit([](const auto& one) -> const Precondition& { return one.when; }, operation);
}
std::string_view key_of(const state::Operation& operation) {
  return std::visit([](const auto& one) { return one.key; }, operation);
}

void collect(const wire::OperationReply& reply, std::vector<wire::KeyValue>& out) {
  out.insert(out.end(), reply.kvs.begin(), reply.kvs.end());
  for (const wire::TxnReply& inner : reply.inner)
    for (const wire::OperationReply& one : inner.replies) collect(one, out);
}

bool holds(const Precondition& when, const Item::Known& known) {
  const std::string etag = etag_of(known.revision);
  const std::string_view view = etag;
  return when.holds(known.is_live ? &view : nullptr);
}

}  // namespace

std::vector<wire::KeyValue> kvs_of(const wire::OperationReply& reply) {
  std::vector<wire::KeyValue> kvs;
  collect(reply, kvs);
  return kvs;
}

void append_ranges(std::vector<wire::Operation>& to, const Keys& keys, Layout layout, bool want_making,
                   std::int64_t revision) {
  const auto range = [&](const std::string& key) { add(to, wire::Range{.key = key, .revision = revision}); };
  range(keys.record);
  if (layout == Layout::v1) range(keys.modified);
  if (want_making) range(keys.created);
}

Item::Item(const state::Operation& operation, const WriterContext& context)
    : set(std::get_if<state::SetRequest>(&operation)),
      erase(std::get_if<state::DeleteRequest>(&operation)),
      key(key_of(operation)),
      when(condition_of(operation)),
      keys(context.key_prefix, key) {
  if (set != nullptr && set->ttl && set->ttl->count() > 0)
    expires = WallTime{context.now.us + std::chrono::microseconds(*set->ttl).count()};
}

bool Item::needs_reading() const {
  if (known) return false;
  return keeps_expiry() || (when.kind == When::one_of && (when.etags.size() > 1 || !revision_of(when.etags.front())));
}

Writing::Writing(std::span<const state::Operation> operations, const WriterContext& context) : context_(context) {
  items_.reserve(operations.size());
  std::unordered_map<std::string_view, std::size_t> last;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Item& item = items_.emplace_back(operations[i], context_);
    if (item.set == nullptr && item.erase == nullptr) continue;
    if (operations.size() == 1) continue;
    const auto [at, is_new] = last.try_emplace(item.key, i);
    if (is_new) continue;
    items_[at->second].overwritten_by = i;
    at->second = i;
  }
  texts_.resize(items_.size());
  while (counted_ < items_.size() && (items_[counted_].set == nullptr || items_[counted_].overwritten_by)) ++counted_;
}

bool Writing::needs_reading() const { return std::ranges::any_of(items_, &Item::needs_reading); }

wire::Txn& Writing::inner(std::vector<wire::Operation>& of) {
  Txn& made = inner_.emplace_back();
  add(of, &made);
  return made;
}

void Writing::add_reading(std::vector<wire::Operation>& to, const Item& item) {
  if (is_flat())
    add(to, wire::Range{.key = item.keys.record});
  else
    append_ranges(inner(to).success, item.keys, context_.layout, true);
}

void Writing::begin_txn() {
  inner_.clear();
  txn_ = {};
}

const wire::Txn& Writing::reading() {
  begin_txn();
  for (const Item& item : items_)
    if (item.is_conditioned()) add_reading(txn_.success, item);
  return txn_;
}

bool Writing::may_share() const {
  return items_.size() == 1 && !items_.front().is_conditioned() && !is_flat() &&
         (items_.front().set != nullptr || items_.front().erase != nullptr);
}

const wire::Txn& Writing::round() {
  begin_txn();
  for (std::size_t i = 0; i < items_.size(); ++i) {
    Item& item = items_[i];
    add_compares(txn_, item);
    if (item.is_conditioned()) add_reading(txn_.failure, item);
    if (item.overwritten_by) continue;
    if (item.set != nullptr) {
      prepare(item, i);
      add_set(txn_.success, item, i);
    } else if (item.erase != nullptr) {
      add_erase(txn_.success, item);
    }
  }
  return txn_;
}

void Writing::add_compares(Txn& txn, const Item& item) const {
  using Compare = wire::Compare;
  if (!item.is_conditioned()) return;
  const std::string_view key = item.keys.record;
  const auto compare = [&](Compare::Of of, Compare::Is is, std::int64_t number) {
    txn.compares.push_back({key, of, is, number});
  };
  if (item.known) return compare(Compare::Of::modified, Compare::Is::equal, item.known->revision);
  switch (item.when.kind) {
    case When::any:
      return;
    case When::absent:
      return compare(Compare::Of::version, Compare::Is::equal, 0);
    case When::present:
      compare(Compare::Of::version, Compare::Is::greater, 0);
      break;
    case When::one_of:
      compare(Compare::Of::modified, Compare::Is::equal, *revision_of(item.when.etags.front()));
      break;
  }
  compare(Compare::Of::lease, Compare::Is::equal, 0);
}

// The texts of a set.
void Writing::prepare(Item& item, std::size_t place) {
  if (item.keeps_expiry() && item.known) {
    item.expires = item.known->is_live ? item.known->expires : std::nullopt;
    item.lease = item.known->is_live ? item.known->lease : 0;
  }
  Text& text = texts_[place];
  text = {};
  text.tags = state::encode_pairs(item.set->tags);
  text.indexes = state::encode_pairs(item.set->indexes);
  append_making(text.making, making_of(item));
  append_extras(text.extras, extras_of(item, text));
  if (context_.layout == Layout::v2)
    append_message(text.value, {item.set->value, context_.now, item.expires, text.extras});
}

Extras Writing::extras_of(const Item& item, const Text& text) const {
  const state::SetRequest& request = *item.set;
  Extras extras;
  extras.shape = request.shape;
  extras.modified = context_.now;
  extras.modified_by = request.modified_by.empty() ? context_.principal : request.modified_by;
  extras.content_type = request.content_type;
  extras.tags = text.tags;
  extras.indexes = text.indexes;
  // Of v2 it is in Dapr's part of the message.
  if (context_.layout == Layout::v1) extras.expires = item.expires;
  return extras;
}

Making Writing::making_of(const Item& item) const {
  return {context_.now, item.set->created_by.empty() ? context_.principal : item.set->created_by};
}

void Writing::add_set(std::vector<wire::Operation>& to, const Item& item, std::size_t place) {
  const Text& text = texts_[place];
  const bool is_v2 = context_.layout == Layout::v2;
  const wire::Put record{item.keys.record, is_v2 ? std::string_view(text.value) : item.set->value, item.lease};
  if (is_flat()) return add(to, record);
  Txn& txn = inner(to);
  const wire::Put making{item.keys.created, text.making, item.lease};
  const bool is_made = item.known ? !item.known->is_live : item.when.kind == When::absent;
  const auto look = [&](std::vector<wire::Operation>& at) {
    add(at, wire::Range{.key = item.keys.record, .keys_only = true});
    add(at, wire::Range{.key = item.keys.created});
  };
  if (is_made) {
    add(txn.success, making);
  } else if (item.is_conditioned()) {
    look(txn.success);
  } else {
    Txn& whether = inner(txn.success);
    whether.compares.push_back({item.keys.record, wire::Compare::Of::version, wire::Compare::Is::equal, 0});
    add(whether.success, making);
    look(whether.failure);
  }
  add(is_counted(place) ? to : txn.success, record);
  if (!is_v2) add(txn.success, wire::Put{item.keys.modified, text.extras, item.lease});
}

void Writing::add_erase(std::vector<wire::Operation>& to, const Item& item) {
  if (is_flat()) return add(to, wire::DeleteRange{.key = item.keys.record});
  Txn& txn = inner(to);
  add(txn.success, wire::Range{.key = item.keys.record, .keys_only = true});
  add(txn.success, wire::DeleteRange{.key = item.keys.record});
  add(txn.success, wire::DeleteRange{.key = item.keys.created});
  if (context_.layout == Layout::v1) add(txn.success, wire::DeleteRange{.key = item.keys.modified});
}

Status Writing::note(std::span<const wire::OperationReply> replies) {
  std::size_t at = 0;
  for (Item& item : items_) {
    if (!item.is_conditioned()) continue;
    if (at == replies.size()) return fail(Errc::internal, "etcd has answered less than it was asked");
    const auto kvs = kvs_of(replies[at++]);
    const Found found = found_in(item.keys, kvs);
    Item::Known known;
    if (found.record != nullptr) {
      const auto stored = read_stored(found, context_.layout);
      if (!stored) return fail(with_context(stored.error(), fmt::format("key \"{}\"", item.key)));
      known.is_live = !stored->is_expired(context_.now);
      known.revision = stored->revision;
      known.lease = stored->lease;
      known.expires = stored->expires;
      if (stored->making) append_making(known.making, *stored->making);
    }
    item.known = std::move(known);
  }
  return {};
}

std::optional<Error> Writing::objection() const {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    if (!item.known || holds(item.when, *item.known)) continue;
    Error error(Errc::precondition_failed, fmt::format("the record \"{}\" is not what the request expects", item.key));
    if (item.known->is_live) error.current_etag = etag_of(item.known->revision);
    error.operation = static_cast<int>(i);
    return error;
  }
  return std::nullopt;
}

state::Written Writing::written(const Item& item, std::int64_t revision) {
  state::Written written;
  if (item.set == nullptr) return written;
  written.etag = etag_of(revision);
  written.expires_at = item.expires;
  return written;
}

Outcome Writing::outcome(std::size_t place, const wire::OperationReply& reply, std::int64_t revision) const {
  const Item& item = items_[place];
  Outcome out;
  out.written = written(item, revision);
  if (is_flat()) return out;
  const auto kvs = kvs_of(reply);
  const Found found = found_in(item.keys, kvs);
  if (item.erase != nullptr) {
    out.existed = found.record != nullptr && (!item.known || item.known->is_live);
    out.may_have_expired = *out.existed && !item.known && found.record->lease != 0;
    return out;
  }
  out.written.created = found.record == nullptr;
  out.may_have_expired = !*out.written.created && !item.known && found.record->lease != 0;
  auto making = read_making(found);
  if (*out.written.created) {
    making = making_of(item);
  } else if (making && found.created->lease != item.lease) {
    out.making = found.created->value;
  }
  if (item.set->want_record) out.written.fields = fields_of(extras_of(item, texts_[place]), making);
  return out;
}

std::vector<Outcome> Writing::outcomes(std::span<const wire::OperationReply> replies, std::int64_t revision) const {
  std::vector<Outcome> out;
  out.reserve(items_.size());
  std::size_t at = 0;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const bool was_written = !item.overwritten_by && (item.set != nullptr || item.erase != nullptr);
    if (was_written && at < replies.size()) {
      out.push_back(outcome(i, replies[at++], revision));
      if (!is_flat() && is_counted(i)) ++at;
    } else
      out.emplace_back().written = written(item, revision);
  }
  tell_repeats(out);
  return out;
}

// Of several operations on one key the last was carried out. What the others would have found follows from it.
void Writing::tell_repeats(std::vector<Outcome>& outcomes) const {
  for (std::size_t i = items_.size(); i-- > 0;) {
    const Item& item = items_[i];
    if (!item.overwritten_by) continue;
    // The first of the chain finds what the last has found, and each what the one before it has left.
    Outcome& mine = outcomes[i];
    Outcome& next = outcomes[*item.overwritten_by];
    const std::optional<bool> was_there =
        items_[*item.overwritten_by].set != nullptr
            ? (next.written.created ? std::optional(!*next.written.created) : std::nullopt)
            : next.existed;
    if (item.set != nullptr) {
      if (was_there) mine.written.created = !*was_there;
    } else {
      mine.existed = was_there;
    }
    const bool is_there = item.set != nullptr;
    if (items_[*item.overwritten_by].set != nullptr)
      next.written.created = !is_there;
    else
      next.existed = is_there;
  }
}

}  // namespace holdfast::stores::etcd
