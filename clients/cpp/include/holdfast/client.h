// The client of the Holdfast state sidecar, blocking. holdfast/aio.h is the same, awaited.
//
//   holdfast::Client client;  // HOLDFAST_GRPC or DAPR_GRPC_PORT, as `holdfast run` sets them
//   auto store = client.store("statestore");
//   store.put("orders/17", holdfast::Json{R"({"total":12.5})"}, {.if_absent = true});
//   if (auto record = store.get("orders/17")) std::cout << record->value << record->etag;
//
// Any thread may use a client, its sessions and its stores, and one client is enough: calls share its connection.
// Stores and sessions are small, may be copied, and stay usable when the client is gone. Iterations and watches belong
// to one thread at a time. Errors are exceptions (holdfast/errors.h); what a call sends again, and when, is in
// README.md.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/errors.h"
#include "holdfast/options.h"
#include "holdfast/types.h"

namespace holdfast {

// How often a call is sent, and the pauses between: twice as long each time, less up to half of it by chance.
//
// A call is repeated within its timeout only, and only where that is safe: a read that could not be answered, and a
// write of which it is known that nothing was applied, or that cannot be applied twice. A watch that has begun looks
// for its sidecar again as long as it is wanted, with the same pauses.
struct Retry {
  int attempts = 6;  // 1 repeats nothing
  std::chrono::milliseconds first_delay{50};
  std::chrono::milliseconds max_delay{1000};
};

// TLS to the sidecar, PEM. Without `ca` the certificates of the system are believed.
struct Tls {
  std::string ca = {};
  std::string cert = {};
  std::string key = {};
  std::string server_name = {};  // in the sidecar's certificate, where it is not that of the address
};

struct ClientOptions {
  std::string token = {};                      // the API token; empty: DAPR_API_TOKEN
  std::string isolation = {};                  // the isolation key whose records are meant; empty: none
  Timeout timeout = std::chrono::seconds(10);  // of a call with all its repetitions; none: no end
  std::optional<Tls> tls = {};
  Retry retry = {};
  // aio only: where coroutines go on; empty: on the library's own thread (holdfast/task.h).
  std::function<void(std::function<void()>)> executor = {};
};

namespace detail {
class Scope;  // settings of calls, the session they belong to, and the connection
template <class Form>
class Pages;
class WatchCore;

// Makes a range of what `next` of a source gives, for blocking sources.
template <class Source, class Item>
class Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::input_iterator_tag;
  using value_type = Item;
  using difference_type = std::ptrdiff_t;
  using pointer = const Item*;
  using reference = const Item&;

  Iterator() = default;
  explicit Iterator(Source* source) : source_(source) { ++*this; }
  const Item& operator*() const { return *item_; }
  const Item* operator->() const { return &*item_; }
  Iterator& operator++() {
    item_ = source_->next();
    return *this;
  }
  void operator++(int) { ++*this; }
  bool operator==(std::default_sentinel_t) const { return !item_; }

 private:
  Source* source_ = nullptr;
  std::optional<Item> item_;
};

// The two forms, by what a call gives.
struct Blocking {
  template <class T>
  using Result = T;
};
}  // namespace detail

// All records of a listing or query, read page by page as they are asked for. Blocking, it is also a range.
template <class Form>
class BasicScan {
 public:
  explicit BasicScan(std::shared_ptr<detail::Pages<Form>> pages) : pages_(std::move(pages)) {}

  // The next record; nothing at the end. Not before the one before was given.
  typename Form::template Result<std::optional<Record>> next();

  auto begin()
    requires std::same_as<Form, detail::Blocking>
  {
    return detail::Iterator<BasicScan, Record>(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::shared_ptr<detail::Pages<Form>> pages_;
};

// Events of a key or a prefix. It begins with the first `next`, whose event is `ready`, or `resync`.
//
// Lost connections are made again, and the watch goes on behind the last event that was given; where the store cannot
// (no `resume`), or what was missed is no longer to be had, the next event is `resync`. Events are fetched as they are
// asked for: who does so too slowly is told `resync`, and never slows writers. Destroying it ends it.
template <class Form>
class BasicWatch {
 public:
  explicit BasicWatch(std::shared_ptr<detail::WatchCore> core) : core_(std::move(core)) {}
  BasicWatch(BasicWatch&&) noexcept = default;
  BasicWatch& operator=(BasicWatch&&) noexcept;
  ~BasicWatch();

  // Waits for the next event; nothing once the watch was cancelled. Not before the one before was given.
  // Throws what cannot be mended by connecting again: Unsupported, StoreNotFound, PermissionDenied; Unavailable if
  // there was never an answer; Cancelled when the client was closed. After that it is over.
  typename Form::template Result<std::optional<WatchEvent>> next();
  // Ends it, and a `next` that waits; from any thread.
  void cancel();
  // Of the last event: a watch with it, by this process or another, goes on from there. Empty: none yet, or this store
  // cannot.
  std::string resume() const;

  // Blocking, it is also a range.
  auto begin()
    requires std::same_as<Form, detail::Blocking>
  {
    return detail::Iterator<BasicWatch, WatchEvent>(this);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::shared_ptr<detail::WatchCore> core_;
};

// A state store of the sidecar, by its component's name.
template <class Form>
class BasicStore {
 public:
  template <class T>
  using Result = typename Form::template Result<T>;

  explicit BasicStore(std::shared_ptr<detail::Scope> scope, std::string name)
      : scope_(std::move(scope)), name_(std::move(name)) {}

  const std::string& name() const { return name_; }

  Result<Written> put(std::string_view key, Value value, PutOptions options = {});
  // Nothing if there is no record.
  Result<std::optional<Record>> get(std::string_view key, GetOptions options = {});
  // Deletes the record if there is one; with a condition only if that holds.
  Result<Deleted> erase(std::string_view key, EraseOptions options = {});

  // Changes in place, as if nobody else wrote meanwhile.
  // Merges a JSON object into the record's: members replace, null removes (RFC 7396). NotFound without a record.
  Result<Patched> merge(std::string_view key, Json patch, PatchOptions options = {});
  // Adds to the record's number. PreconditionFailed, and nothing changes, if it would be below `min` or above `max`.
  Result<Patched> increment(std::string_view key, Number by = 1, IncrementOptions options = {});
  // Puts bytes behind the record's bytes; without a record it begins with them.
  Result<Patched> append(std::string_view key, std::string_view bytes, PatchOptions options = {});
  // Puts a JSON element behind the last of the record's array; without a record the array begins with it.
  Result<Patched> append_element(std::string_view key, Json element, PatchOptions options = {});

  // One page of what begins with the prefix: keys and etags, or records with `values`.
  Result<Page> list(std::string_view prefix = {}, ListOptions options = {});
  // The same, page by page.
  BasicScan<Form> scan(std::string_view prefix = {}, ListOptions options = {});
  // One page of the records whose JSON values a query finds: {"filter":...,"sort":...}, as in Dapr's query; empty:
  // every JSON record. Unsupported, with what would help, when neither the store's queries nor an index can answer.
  Result<Page> query(std::string_view query, QueryOptions options = {});
  BasicScan<Form> query_all(std::string_view query, QueryOptions options = {});
  // Deletes what begins with the prefix; everything only with `all` and no prefix.
  Result<DeletedPrefix> erase_prefix(std::string_view prefix, ErasePrefixOptions options = {});

  // Up to 1000 different keys; a result for each, in their order, none depending on another.
  Result<std::vector<Got>> batch_get(std::vector<std::string> keys, GetOptions options = {});
  // Up to 1000 puts and deletions of different keys; a result for each, with its own error, none depending on another.
  Result<std::vector<holdfast::Result>> batch_write(std::vector<Write> items, BatchOptions options = {});
  // All of it or nothing, in order; keys must differ, conditions are judged on the state before. Error::operation()
  // says which condition failed.
  Result<std::vector<holdfast::Result>> transact(std::vector<Operation> operations, BatchOptions options = {});

  BasicWatch<Form> watch(WatchOptions options = {});

 private:
  std::shared_ptr<detail::Scope> scope_;
  std::string name_;
};

// Calls that see what earlier ones of the same session wrote and read, wherever the store reads it, apart from other
// calls. Calls may be under way at once: what each of them has seen is remembered.
template <class Form>
class BasicSession {
 public:
  explicit BasicSession(std::shared_ptr<detail::Scope> scope) : scope_(std::move(scope)) {}

  // A store by its component's name, with this isolation key in place of the client's, if one is given.
  BasicStore<Form> store(std::string name, std::optional<std::string> isolation = {}) const;
  // How far the session has come: who begins a session with it elsewhere reads what was written here. Empty: nothing
  // was told yet. It is opaque, and has at most 8 KiB.
  std::string session_token() const;

 protected:
  std::shared_ptr<detail::Scope> scope_;
};

// A sidecar, over gRPC. It is a session of its own. Nothing is connected before the first call.
template <class Form>
class BasicClient : public BasicSession<Form> {
 public:
  // address: host:port, a port, unix:PATH, https://host:port. Empty: HOLDFAST_GRPC, DAPR_GRPC_ENDPOINT, DAPR_GRPC_PORT
  // (with DAPR_RUNTIME_HOST), or 127.0.0.1:50001.
  explicit BasicClient(std::string_view address = {}, ClientOptions options = {});
  // Closes it.
  ~BasicClient();
  BasicClient(const BasicClient&) = delete;
  BasicClient& operator=(const BasicClient&) = delete;

  // A session over the same connection; `token` goes on with one that was begun elsewhere.
  BasicSession<Form> session(std::string token = {}) const;
  // Ends the connection; calls and watches under way end with Cancelled or OutcomeUnknown. A call after it connects
  // again.
  void close();
};

using Client = BasicClient<detail::Blocking>;
using Session = BasicSession<detail::Blocking>;
using Store = BasicStore<detail::Blocking>;
using Scan = BasicScan<detail::Blocking>;
using Watch = BasicWatch<detail::Blocking>;

extern template class BasicClient<detail::Blocking>;
extern template class BasicSession<detail::Blocking>;
extern template class BasicStore<detail::Blocking>;
extern template class BasicScan<detail::Blocking>;
extern template class BasicWatch<detail::Blocking>;

}  // namespace holdfast
