#include "conformance/conformance.h"

#include <fmt/format.h>

#include "base/random.h"
#include "wire/json/json.h"

namespace holdfast::conformance {

using state::Record;

namespace {

// How long a condition that must come may take on a slow machine under a sanitizer.
constexpr auto kPatience = std::chrono::seconds(20);
constexpr Milliseconds kPollInterval{5};

class CoreInstance final : public Instance {
 public:
  explicit CoreInstance(const std::function<std::shared_ptr<state::StoreCore>(const Clock&)>& make)
      : make_(make), core_(make(clock_)) {}
  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override { return loop.run(core_->open(loop)); }
  bool restart() override {
    core_.reset();
    core_ = make_(clock_);
    return true;
  }
  test::ManualClock* clock() override { return &clock_; }

 private:
  const std::function<std::shared_ptr<state::StoreCore>(const Clock&)> make_;
  test::ManualClock clock_;
  std::shared_ptr<state::StoreCore> core_;
};

}  // namespace

Judged& judged() {
  static Judged all;
  return all;
}

void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }

Subject of_core(std::string name, std::function<std::shared_ptr<state::StoreCore>(const Clock&)> make) {
  Subject subject;
  subject.name = std::move(name);
  subject.start = [make = std::move(make)] { return std::make_shared<CoreInstance>(make); };
  return subject;
}

state::SetRequest put(std::string_view key, std::string_view value, state::Precondition when) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.when = when;
  return request;
}

state::SetRequest put_for(std::string_view key, std::string_view value, Milliseconds ttl) {
  state::SetRequest request = put(key, value);
  request.ttl = ttl;
  return request;
}

state::SetRequest put_json(std::string_view key, std::string_view json) {
  state::SetRequest request = put(key, json);
  request.shape = state::Shape::json;
  request.content_type = "application/json";
  return request;
}

state::DeleteRequest drop(std::string_view key, state::Precondition when) { return {key, when}; }
state::CheckRequest check(std::string_view key, state::Precondition when) { return {key, when}; }

std::string canonical(std::string_view json) {
  json::Parser parser;
  const auto value = parser.parse(json);
  if (!value || !json::is_valid(json)) return "not JSON";
  std::string out;
  json::append_go(out, *value);
  return out;
}

Handle::Handle(Instance& instance, test::TestLoop& loop) : loop_(loop) {
  auto opened = instance.open(loop);
  if (!opened) throw std::runtime_error("the store did not open: " + opened.error().message);
  store_ = std::move(*opened);
}

Handle::~Handle() {
  const Status closed = run(store_->close({}));
  EXPECT_TRUE(closed) << closed.error().message;
}

Result<std::vector<state::Written>> Handle::transact(std::vector<state::Operation> operations) {
  return run(store_->transact({}, operations));
}

Result<std::optional<Record>> Handle::get(std::string_view key, bool want_fields) {
  state::GetRequest request;
  request.key = key;
  request.want_fields = want_fields;
  return run(store_->get({}, request));
}

Record Handle::record(std::string_view key, bool want_fields) {
  auto found = get(key, want_fields);
  if (!found) {
    ADD_FAILURE() << "get failed: " << found.error().message;
    return {};
  }
  if (!*found) {
    ADD_FAILURE() << "no record under " << key.substr(0, 100);
    return {};
  }
  return std::move(**found);
}

std::optional<std::string> Handle::value(std::string_view key) {
  auto found = get(key);
  if (!found) {
    ADD_FAILURE() << "get failed: " << found.error().message;
    return std::nullopt;
  }
  if (!*found) return std::nullopt;
  return std::move((**found).value);
}

std::vector<std::string> Handle::keys(std::string_view prefix, std::uint32_t limit, std::size_t own_bytes) {
  std::vector<std::string> keys;
  std::string cursor;
  for (int pages = 0; pages < 100'000; ++pages) {
    state::ListRequest request;
    request.prefix = prefix;
    request.own_bytes = own_bytes;
    request.cursor = cursor;
    request.limit = limit;
    auto page = run(store_->list({}, request));
    if (!page) {
      ADD_FAILURE() << "list failed: " << page.error().message;
      return keys;
    }
    EXPECT_LE(page->items.size(), limit);
    for (auto& item : page->items) keys.push_back(std::move(item.key));
    if (page->cursor.empty()) return keys;
    cursor = page->cursor;
  }
  ADD_FAILURE() << "the listing does not end";
  return keys;
}

void StoreTest::SetUp() {
  base_ = fmt::format("{:016x}-", random_u64());
  if (GetParam().shared_tag) base_ = "{" + base_ + "}";
  instance_ = GetParam().start();
  ASSERT_NE(instance_, nullptr) << "the store under test did not start";
  handle_.emplace(*instance_, loop_);
}

void StoreTest::TearDown() {
  handle_.reset();
  instance_.reset();
}

bool StoreTest::restart() {
  handle_.reset();
  const bool can = instance_->restart();
  handle_.emplace(*instance_, loop_);
  return can;
}

void StoreTest::run_out(const std::string& key, Milliseconds ttl) {
  const Milliseconds grain{can().ttl_grain_ms};
  if (test::ManualClock* clock = instance_->clock()) {
    clock->advance(ttl + grain);
    EXPECT_FALSE(store().exists(key)) << "the record outlived its time";
    return;
  }
  EXPECT_TRUE(eventually([&] { return !store().exists(key); })) << "the record outlived its time";
}

bool StoreTest::eventually(const std::function<bool()>& holds) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    loop_.run(sleep_for(loop_, kPollInterval));
  }
  return true;
}

}  // namespace holdfast::conformance
