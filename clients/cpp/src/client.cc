#include <stdexcept>

#include "verbs.h"
#include "watch.h"

namespace holdfast {

namespace detail {

// What was read of a listing, and how more is.
template <class Form>
class Pages {
 public:
  using Fetch = std::function<typename Form::template Result<Page>(std::optional<std::string> cursor)>;

  explicit Pages(Fetch fetch, std::optional<std::string> cursor)
      : fetch_(std::move(fetch)), cursor_(std::move(cursor)) {}

  // The next record that was read already.
  std::optional<Record> pop() {
    if (at_ == items_.size()) return std::nullopt;
    return std::move(items_[at_++]);
  }
  bool is_last() const { return is_last_; }
  auto fetch() { return fetch_(cursor_); }
  void take(Page page) {
    items_ = std::move(page.items);
    at_ = 0;
    cursor_ = std::move(page.cursor);
    is_last_ = !cursor_;
  }

 private:
  Fetch fetch_;
  std::vector<Record> items_;
  std::size_t at_ = 0;
  std::optional<std::string> cursor_;
  bool is_last_ = false;
};

namespace {

constexpr unsigned kScanPage = 1000;

std::optional<Record> next_record(Blocking, const std::shared_ptr<Pages<Blocking>>& pages) {
  while (true) {
    if (auto record = pages->pop()) return record;
    if (pages->is_last()) return std::nullopt;
    pages->take(pages->fetch());
  }
}

aio::Task<std::optional<Record>> read_record(std::shared_ptr<Pages<aio::Awaited>> pages) {
  while (true) {
    if (auto record = pages->pop()) co_return record;
    if (pages->is_last()) co_return std::nullopt;
    auto pending = pages->fetch();
    pages->take(co_await pending);
  }
}

aio::Pending<std::optional<Record>> next_record(aio::Awaited, const std::shared_ptr<Pages<aio::Awaited>>& pages) {
  return aio::spawn(read_record(pages));
}

WatchCore::Next next_event(Blocking, WatchCore& core) { return core.next().get(); }
aio::Pending<WatchCore::Next> next_event(aio::Awaited, WatchCore& core) { return core.next(); }

ScopePtr scope_with(const Scope& scope, std::shared_ptr<SessionTokens> session) {
  return std::make_shared<Scope>(Scope{scope.transport, scope.settings, std::move(session)});
}

ScopePtr scope_of(std::string_view address, ClientOptions options) {
  auto target = target_of(address, std::move(options.tls), environment);
  std::string token = options.token.empty() ? environment("DAPR_API_TOKEN") : std::move(options.token);
  Settings settings{options.timeout, std::move(token), std::move(options.isolation), options.retry,
                    std::move(options.executor)};
  auto transport = std::make_shared<Transport>(std::move(target));
  return std::make_shared<Scope>(Scope{std::move(transport), std::move(settings), std::make_shared<SessionTokens>()});
}

}  // namespace
}  // namespace detail

template <class Form>
typename Form::template Result<std::optional<Record>> BasicScan<Form>::next() {
  return detail::next_record(Form(), pages_);
}

template <class Form>
BasicWatch<Form>& BasicWatch<Form>::operator=(BasicWatch&& other) noexcept {
  std::swap(core_, other.core_);
  return *this;
}

template <class Form>
BasicWatch<Form>::~BasicWatch() {
  if (core_) core_->cancel();
}

template <class Form>
typename Form::template Result<std::optional<WatchEvent>> BasicWatch<Form>::next() {
  return detail::next_event(Form(), *core_);
}

template <class Form>
void BasicWatch<Form>::cancel() {
  core_->cancel();
}

template <class Form>
std::string BasicWatch<Form>::resume() const {
  return core_->resume();
}

template <class Form>
auto BasicStore<Form>::put(std::string_view key, Value value, PutOptions options) -> Result<Written> {
  return detail::call(Form(), scope_, detail::put(name_, key, std::move(value), options));
}

template <class Form>
auto BasicStore<Form>::get(std::string_view key, GetOptions options) -> Result<std::optional<Record>> {
  return detail::call(Form(), scope_, detail::get(name_, key, options));
}

template <class Form>
auto BasicStore<Form>::erase(std::string_view key, EraseOptions options) -> Result<Deleted> {
  return detail::call(Form(), scope_, detail::erase(name_, key, options));
}

template <class Form>
auto BasicStore<Form>::merge(std::string_view key, Json patch, PatchOptions options) -> Result<Patched> {
  return detail::call(Form(), scope_, detail::merge(name_, key, std::move(patch), options));
}

template <class Form>
auto BasicStore<Form>::increment(std::string_view key, Number by, IncrementOptions options) -> Result<Patched> {
  return detail::call(Form(), scope_, detail::increment(name_, key, by, options));
}

template <class Form>
auto BasicStore<Form>::append(std::string_view key, std::string_view bytes, PatchOptions options) -> Result<Patched> {
  return detail::call(Form(), scope_, detail::append(name_, key, bytes, options));
}

template <class Form>
auto BasicStore<Form>::append_element(std::string_view key, Json element, PatchOptions options) -> Result<Patched> {
  return detail::call(Form(), scope_, detail::append_element(name_, key, std::move(element), options));
}

template <class Form>
auto BasicStore<Form>::list(std::string_view prefix, ListOptions options) -> Result<Page> {
  return detail::call(Form(), scope_, detail::list(name_, prefix, options));
}

template <class Form>
BasicScan<Form> BasicStore<Form>::scan(std::string_view prefix, ListOptions options) {
  if (options.limit == 0) options.limit = detail::kScanPage;
  auto cursor = std::exchange(options.cursor, std::nullopt);
  auto fetch = [store = *this, prefix = std::string(prefix), options](std::optional<std::string> at) mutable {
    options.cursor = std::move(at);
    return store.list(prefix, options);
  };
  return BasicScan<Form>(std::make_shared<detail::Pages<Form>>(std::move(fetch), std::move(cursor)));
}

template <class Form>
auto BasicStore<Form>::query(std::string_view query, QueryOptions options) -> Result<Page> {
  return detail::call(Form(), scope_, detail::query(name_, query, options));
}

template <class Form>
BasicScan<Form> BasicStore<Form>::query_all(std::string_view query, QueryOptions options) {
  if (options.limit == 0) options.limit = detail::kScanPage;
  auto cursor = std::exchange(options.cursor, std::nullopt);
  auto fetch = [store = *this, query = std::string(query), options](std::optional<std::string> at) mutable {
    options.cursor = std::move(at);
    return store.query(query, options);
  };
  return BasicScan<Form>(std::make_shared<detail::Pages<Form>>(std::move(fetch), std::move(cursor)));
}

template <class Form>
auto BasicStore<Form>::erase_prefix(std::string_view prefix, ErasePrefixOptions options) -> Result<DeletedPrefix> {
  return detail::call(Form(), scope_, detail::erase_prefix(name_, prefix, options));
}

template <class Form>
auto BasicStore<Form>::batch_get(std::vector<std::string> keys, GetOptions options) -> Result<std::vector<Got>> {
  return detail::call(Form(), scope_, detail::batch_get(name_, keys, options));
}

template <class Form>
auto BasicStore<Form>::batch_write(std::vector<Write> items, BatchOptions options)
    -> Result<std::vector<holdfast::Result>> {
  return detail::call(Form(), scope_, detail::batch_write(name_, std::move(items), options));
}

template <class Form>
auto BasicStore<Form>::transact(std::vector<Operation> operations, BatchOptions options)
    -> Result<std::vector<holdfast::Result>> {
  return detail::call(Form(), scope_, detail::transact(name_, std::move(operations), options));
}

template <class Form>
BasicWatch<Form> BasicStore<Form>::watch(WatchOptions options) {
  return BasicWatch<Form>(std::make_shared<detail::WatchCore>(scope_, detail::watch(name_, options)));
}

template <class Form>
BasicStore<Form> BasicSession<Form>::store(std::string name, std::optional<std::string> isolation) const {
  if (!isolation) return BasicStore<Form>(scope_, std::move(name));
  auto scope = detail::scope_with(*scope_, scope_->session);
  scope->settings.isolation = std::move(*isolation);
  return BasicStore<Form>(std::move(scope), std::move(name));
}

template <class Form>
std::string BasicSession<Form>::session_token() const {
  return scope_->session->all();
}

template <class Form>
BasicClient<Form>::BasicClient(std::string_view address, ClientOptions options)
    : BasicSession<Form>(detail::scope_of(address, std::move(options))) {}

template <class Form>
BasicClient<Form>::~BasicClient() {
  close();
}

template <class Form>
BasicSession<Form> BasicClient<Form>::session(std::string token) const {
  return BasicSession<Form>(detail::scope_with(*this->scope_, std::make_shared<detail::SessionTokens>(token)));
}

template <class Form>
void BasicClient<Form>::close() {
  this->scope_->transport->close();
}

template class BasicClient<detail::Blocking>;
template class BasicSession<detail::Blocking>;
template class BasicStore<detail::Blocking>;
template class BasicScan<detail::Blocking>;
template class BasicWatch<detail::Blocking>;
template class BasicClient<aio::Awaited>;
template class BasicSession<aio::Awaited>;
template class BasicStore<aio::Awaited>;
template class BasicScan<aio::Awaited>;
template class BasicWatch<aio::Awaited>;

}  // namespace holdfast
