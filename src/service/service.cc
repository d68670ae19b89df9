#include "service/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "service/session.h"
#include "state/keys.h"

namespace holdfast::service {

using namespace state;

namespace {

// "the key is N bytes; STORE takes at most M".
Status within(std::string_view what, std::size_t bytes, std::uint64_t limit, const StoreEntry& entry) {
  if (limit == 0 || bytes <= limit) return {};
  return fail(Errc::invalid_argument,
              fmt::format("the {} is {} bytes; state store {} takes at most {}", what, bytes, entry.name, limit));
}

template <class T>
std::vector<Result<T>> all_failed(std::size_t count, const Error& error) {
  return std::vector<Result<T>>(count, fail(error));
}

// The requests of a bulk call that go to the store, with their stored keys, and why the others do not.
template <class Request>
struct Admitted {
  std::vector<std::string> keys;
  std::vector<Request> requests;
  std::vector<std::pair<std::size_t, Error>> refused;  // by their places, in order

  bool is_empty() const { return requests.empty() && !refused.empty(); }
};

// `check` is asked of each request, with its stored key.
template <class Request, class Check>
Admitted<Request> admit_each(const Scope& scope, std::span<const Request> requests, Check check) {
  Admitted<Request> out;
  out.keys.reserve(requests.size());  // the requests point into them
  out.requests.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Status ok = scope.check_key(requests[i].key);
    const std::string& stored = out.keys.emplace_back(scope.stored_key(requests[i].key));
    if (ok) ok = check(requests[i], stored);
    if (!ok) {
      out.refused.emplace_back(i, std::move(ok.error()));
      continue;
    }
    out.requests.push_back(requests[i]);
    out.requests.back().key = stored;
  }
  return out;
}

// The answers of the store, in the caller's words, with the refusals in their places.
template <class T>
std::vector<Result<T>> in_order(const Scope& scope, std::vector<Result<T>> answers,
                                std::vector<std::pair<std::size_t, Error>> refused) {
  for (Result<T>& answer : answers)
    if (!answer) answer = fail(scope.in_callers_words(std::move(answer.error())));
  if (refused.empty()) return answers;
  std::vector<Result<T>> out;
  out.reserve(answers.size() + refused.size());
  auto answer = answers.begin();
  for (auto& [place, error] : refused) {
    while (out.size() < place) out.push_back(std::move(*answer++));
    out.push_back(fail(std::move(error)));
  }
  std::move(answer, answers.end(), std::back_inserter(out));
  return out;
}

constexpr auto kNoFurtherCheck = [](const auto&, const std::string&) -> Status { return {}; };

// What an operation of a transaction does.
Right right_of(const Operation& operation) {
  if (std::holds_alternative<SetRequest>(operation)) return Right::write;
  return std::holds_alternative<DeleteRequest>(operation) ? Right::erase : Right::get;
}

}  // namespace

Status Service::check_key(std::string_view key) {
  if (key.find(kKeySeparator) == std::string_view::npos) return {};
  return fail(Errc::invalid_argument, fmt::format("input key/keyPrefix '{}' can't contain '||'", key));
}

std::string Service::user_key(std::string_view stored) {
  const std::size_t first = stored.find(kKeySeparator);
  if (first == std::string_view::npos) return std::string(stored);
  const std::string_view rest = stored.substr(first + kKeySeparator.size());
  return std::string(rest.substr(0, rest.find(kKeySeparator)));
}

Result<Consistency> Service::served_level(const StoreEntry& entry, Consistency asked, bool write) {
  if (asked == Consistency::unspecified) asked = entry.consistency;
  const Capabilities& can = entry.store->capabilities();
  const Consistency served = (write ? can.writes : can.reads)[static_cast<std::size_t>(asked)];
  if (served == Consistency::unspecified && asked != Consistency::unspecified)
    return fail(Errc::unsupported, fmt::format("state store {} cannot keep consistency {}", entry.name, name_of(asked)));
  return served;
}

Status Service::choose_level(Call& call, bool write) {
  if (call.context.consistency == Consistency::unspecified) call.context.consistency = call.entry.consistency;
  const auto level = served_level(call.entry, call.context.consistency, write);
  if (!level) return fail(level.error());
  if (call.context.session != nullptr) call.context.session->set_served(*level);
  follow_session(call);
  return {};
}

// A session that has begun goes on at every level: a strong write is one that its next reading has to show.
void Service::follow_session(Call& call) {
  Session* const session = call.context.session;
  if (session == nullptr || !call.entry.store->capabilities().session_positions) return;
  if (session->is_given() || call.context.consistency == Consistency::session)
    call.context.position = &session->in(call.entry.name);
}

Status Service::admit(const Call& call, std::string_view stored, std::size_t value_bytes) const {
  if (call.context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller has gone");
  const Capabilities& can = call.entry.store->capabilities();
  if (auto ok = within("key", stored.size(), can.key_bytes_max, call.entry); !ok) return ok;
  return within("value", value_bytes, can.value_bytes_max, call.entry);
}

Status Service::admit_write(const Call& call, std::string_view stored, const SetRequest& request) const {
  if (auto ok = admit(call, stored, request.value.size()); !ok) return ok;
  const Capabilities& can = call.entry.store->capabilities();
  if (request.when.kind != Precondition::Kind::any && !can.etag)
    return fail(Errc::unsupported, fmt::format("state store {} has no conditional writes", call.entry.name));
  if (request.ttl && !can.ttl)
    return fail(Errc::unsupported, fmt::format("state store {} has no expiry", call.entry.name));
  return {};
}

Task<Result<std::optional<Record>>> Service::get(Call call, GetRequest request) {
  const auto scope = Scope::enter(call.entry, call.context, Right::get);
  if (!scope) co_return fail(scope.error());
  if (auto ok = scope->check_key(request.key); !ok) co_return fail(ok.error());
  const std::string stored = scope->stored_key(request.key);
  if (auto ok = admit(call, stored, 0); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, false); !level) co_return fail(level.error());
  request.key = stored;
  co_return co_await call.entry.store->get(call.context, request);
}

Task<std::vector<Result<std::optional<Record>>>> Service::get_many(Call call, std::span<const GetRequest> requests) {
  using Found = std::optional<Record>;
  const bool values = std::ranges::any_of(requests, &GetRequest::want_value);
  const auto scope = Scope::enter(call.entry, call.context, right_to_read(values, call.context.grant));
  if (!scope) co_return all_failed<Found>(requests.size(), scope.error());
  if (auto level = choose_level(call, false); !level) co_return all_failed<Found>(requests.size(), level.error());
  auto admitted = admit_each(*scope, requests, kNoFurtherCheck);
  std::vector<Result<Found>> found;
  if (!admitted.is_empty()) found = co_await call.entry.store->get_many(call.context, admitted.requests);
  co_return in_order(*scope, std::move(found), std::move(admitted.refused));
}

Task<Result<Written>> Service::set(Call call, SetRequest request) {
  const auto scope = Scope::enter(call.entry, call.context, Right::write);
  if (!scope) co_return fail(scope.error());
  if (auto ok = scope->check_key(request.key); !ok) co_return fail(ok.error());
  const std::string stored = scope->stored_key(request.key);
  if (auto ok = admit_write(call, stored, request); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  request.key = stored;
  auto written = co_await call.entry.store->set(call.context, request);
  if (!written) co_return fail(scope->in_callers_words(std::move(written.error())));
  co_return written;
}

// Items that are not admitted fail alone; the others go to the store in one call.
Task<std::vector<Result<Written>>> Service::set_many(Call call, std::span<const SetRequest> requests) {
  const auto scope = Scope::enter(call.entry, call.context, Right::write);
  if (!scope) co_return all_failed<Written>(requests.size(), scope.error());
  if (auto level = choose_level(call, true); !level) co_return all_failed<Written>(requests.size(), level.error());
  auto admitted = admit_each(*scope, requests, [&](const SetRequest& request, const std::string& stored) {
    return admit_write(call, stored, request);
  });
  std::vector<Result<Written>> written;
  if (!admitted.is_empty()) written = co_await call.entry.store->set_many(call.context, admitted.requests);
  co_return in_order(*scope, std::move(written), std::move(admitted.refused));
}

Task<Result<Deleted>> Service::erase(Call call, DeleteRequest request) {
  const auto scope = Scope::enter(call.entry, call.context, Right::erase);
  if (!scope) co_return fail(scope.error());
  if (auto ok = scope->check_key(request.key); !ok) co_return fail(ok.error());
  const std::string stored = scope->stored_key(request.key);
  if (auto ok = admit(call, stored, 0); !ok) co_return fail(ok.error());
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  request.key = stored;
  auto deleted = co_await call.entry.store->erase(call.context, request);
  if (!deleted) co_return fail(scope->in_callers_words(std::move(deleted.error())));
  co_return deleted;
}

Task<std::vector<Result<Deleted>>> Service::erase_many(Call call, std::span<const DeleteRequest> requests) {
  const auto scope = Scope::enter(call.entry, call.context, Right::erase);
  if (!scope) co_return all_failed<Deleted>(requests.size(), scope.error());
  if (auto level = choose_level(call, true); !level) co_return all_failed<Deleted>(requests.size(), level.error());
  auto admitted = admit_each(*scope, requests, kNoFurtherCheck);
  std::vector<Result<Deleted>> deleted;
  if (!admitted.is_empty()) deleted = co_await call.entry.store->erase_many(call.context, admitted.requests);
  co_return in_order(*scope, std::move(deleted), std::move(admitted.refused));
}

Task<Result<std::vector<Written>>> Service::transact(Call call, std::span<const Operation> operations) {
  Rights needed;
  for (const Operation& operation : operations) needed |= right_of(operation);
  const auto scope = Scope::enter(call.entry, call.context, needed);
  if (!scope) co_return fail(scope.error());
  const Capabilities& can = call.entry.store->capabilities();
  if (operations.size() > can.transaction_ops_max)
    co_return fail(Errc::unsupported, fmt::format("state store {} takes at most {} operations in a transaction",
                                                  call.entry.name, can.transaction_ops_max));
  if (auto level = choose_level(call, true); !level) co_return fail(level.error());
  std::vector<std::string> keys;
  std::vector<Operation> mapped(operations.begin(), operations.end());
  keys.reserve(operations.size());
  for (std::size_t i = 0; i < mapped.size(); ++i) {
    auto failed = std::visit(
        [&](auto& operation) -> Status {
          if (auto ok = scope->check_key(operation.key); !ok) return ok;
          operation.key = keys.emplace_back(scope->stored_key(operation.key));
          if constexpr (requires { operation.value; }) return admit_write(call, operation.key, operation);
          return admit(call, operation.key, 0);
        },
        mapped[i]);
    if (!failed) {
      failed.error().operation = static_cast<int>(i);
      co_return fail(failed.error());
    }
  }
  auto done = co_await call.entry.store->transact(call.context, mapped);
  if (!done) co_return fail(scope->in_callers_words(std::move(done.error())));
  co_return done;
}

}  // namespace holdfast::service
