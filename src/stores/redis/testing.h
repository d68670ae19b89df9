// The mapping against a real server, one call after the other: what the store does, without its connections.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stores/redis/mapping.h"
#include "support/redis_servers.h"

namespace holdfast::stores::redis {

// The clock of the sidecar that writes.
inline constexpr WallTime kNow{1'700'000'000'000'000};

inline state::SetRequest put(std::string_view key, std::string_view value, state::Precondition when = {}) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.when = when;
  return request;
}

inline state::SetRequest put_json(std::string_view key, std::string_view value, state::Precondition when = {}) {
  state::SetRequest request = put(key, value, when);
  request.shape = state::Shape::json;
  request.content_type = "application/json";
  return request;
}

// A precondition of one etag, which owns it.
struct Etag {
  explicit Etag(std::string text) : bytes(std::move(text)), view(bytes) {}
  Etag(const Etag&) = delete;
  Etag& operator=(const Etag&) = delete;
  state::Precondition when() const { return state::Precondition::one_of({&view, 1}); }
  const std::string bytes;
  const std::string_view view;
};

class Conversation {
 public:
  explicit Conversation(std::uint16_t port) : client_(port) {
    context.now = kNow;
    context.principal = "app1";
  }

  WriteContext context;

  test::Answer command(const std::vector<std::string>& words) { return client_.command(words); }

  Result<state::Written> set(const state::SetRequest& request) {
    const auto answer = write([&](std::string& out) { return append_set(out, request, context); });
    if (!answer) return fail(answer.error());
    return read_set(kPlace, request, context, answer->root());
  }

  Result<state::Deleted> erase(const state::DeleteRequest& request) {
    const auto answer = write([&](std::string& out) { return append_erase(out, request, context); });
    if (!answer) return fail(answer.error());
    return read_erase(kPlace, request, answer->root());
  }

  Result<std::vector<state::Written>> transact(std::span<const state::Operation> operations) {
    const auto answer = write([&](std::string& out) { return append_transaction(out, operations, context); });
    if (!answer) return fail(answer.error());
    return read_transaction(kPlace, operations, context, answer->root());
  }

  Result<std::optional<state::Record>> get(std::string_view key) {
    const state::GetRequest request{key, true, true};
    std::string out;
    append_get(out, request);
    client_.send(out);
    const test::Answer hash = client_.read(), pttl = client_.read();
    auto got = read_get(kPlace, request, hash.root(), pttl.root(), context.now);
    if (!got) return fail(std::move(got.error()));
    if (!got->is_other_type) return std::move(got->record);
    out.clear();
    append_get_other(out, request);
    client_.send(out);
    const test::Answer type = client_.read(), text = client_.read(), json = client_.read(), left = client_.read();
    const std::array replies{type.root(), text.root(), json.root(), left.root()};
    return read_get_other(kPlace, request, replies, context.now);
  }

  state::Record record(std::string_view key) {
    auto found = get(key);
    EXPECT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found && *found) << "no record under " << key;
    return found && *found ? std::move(**found) : state::Record();
  }
  bool is_absent(std::string_view key) {
    const auto found = get(key);
    return found && !found->has_value();
  }

  static constexpr Place kPlace{"orders", "127.0.0.1"};

 private:
  // As the store does: by its hash, and in full where the server does not know it.
  template <class Append>
  Result<test::Answer> write(Append append) {
    for (const Sending sending : {Sending::by_hash, Sending::in_full}) {
      context.sending = sending;
      std::string out;
      if (Status status = append(out); !status) return fail(std::move(status.error()));
      client_.send(out);
      test::Answer answer = client_.read();
      if (!answer.is_error() || trouble_of(answer.text()) != Trouble::no_script) return answer;
    }
    return fail(Errc::internal, "a script sent in full was not known");
  }

  test::RespClient client_;
};

// One server for all tests of a suite, emptied before each.
template <test::ServerKind kKind>
test::RedisServer& shared_server() {
  static test::RedisServer server({.kind = kKind});
  server.must({"FLUSHALL"});
  return server;
}

inline test::RedisServer& shared_server(test::ServerKind kind) {
  switch (kind) {
    case test::ServerKind::redis:
      return shared_server<test::ServerKind::redis>();
    case test::ServerKind::redis_stack:
      return shared_server<test::ServerKind::redis_stack>();
    case test::ServerKind::valkey:
      break;
  }
  return shared_server<test::ServerKind::valkey>();
}

}  // namespace holdfast::stores::redis
