// What both ways to a daemon share: what a store declares, what of that an API can reach, and how etags and times are
// written in answers. Written anew on purpose: the daemon's own code would agree with itself.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "state/query.h"
#include "state/store.h"

namespace holdfast::conformance {

// What GET /v2/stores says that the store can do, without what the calls cannot reach: through Dapr's for many records
// patterns, deletion by prefix, queries with a prefix and watches. Throws when the daemon does not know the store.
enum class Calls : std::uint8_t { daprs, ours };
state::Capabilities reachable_of(std::uint16_t http_port, std::string_view store, Calls calls);

// The most that v2 gives of a query at a time.
inline constexpr std::uint32_t kPageMax = 1000;
// The filter and the sort keys of a query as JSON text, an object.
std::string query_text(const state::Query& query);

// Etags are kept as the store made them; the APIs show them as entity tags.
std::string tag_of(std::string_view etag);
std::string etag_of(std::string_view tag);

// "2026-11-22T04:49:17.1234560+00:00" and "2026-11-22T04:49:17Z"; nothing for anything else.
std::optional<WallTime> parse_time(std::string_view text);

// "application/json", in which v2 keeps JSON; content types that nobody named are shown as bytes'.
inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kBytesType = "application/octet-stream";

// Whether Dapr's calls can say it: no tags, no index entries, at most one etag.
bool is_plain(const state::SetRequest& request);
bool is_plain(const state::Precondition& when);

// Seconds for "ttlInSeconds", rounded up.
std::int64_t whole_seconds(Milliseconds ttl);

// Dapr's calls tell an etag's failure by their text alone; anything else is `otherwise`.
Errc code_of_text(std::string_view text, Errc otherwise);

// Batches and transactions of v2 refuse a key that stands there twice, because which comes first would be open, and
// more than a thousand; what does not fit goes by Dapr's calls.
inline std::string_view key_of(const auto& request) { return request.key; }
inline std::string_view key_of(const state::Operation& operation) {
  return std::visit([](const auto& one) { return one.key; }, operation);
}
template <class Request>
bool fits_a_batch(std::span<const Request> requests) {
  constexpr std::size_t kMost = 1000;
  std::set<std::string_view> seen;
  return !requests.empty() && requests.size() <= kMost &&
         std::ranges::all_of(requests, [&seen](const Request& request) { return seen.insert(key_of(request)).second; });
}

template <class T>
std::vector<Result<T>> all_failed(std::size_t count, const Error& error) {
  return std::vector<Result<T>>(count, fail(error));
}

// What a bulk answer says; of what fails, and of what is in no bulk answer, it has a text alone, and that is read by
// itself.
Task<std::vector<Result<std::optional<state::Record>>>> read_alone_what_failed(
    state::StateStore& store, state::CallContext context, std::span<const state::GetRequest> requests,
    Result<std::vector<Result<std::optional<state::Record>>>> found);

// What was saved, by what lies there now: Dapr's saves tell no etags.
std::vector<Result<state::Written>> written_as(const std::vector<Result<std::optional<state::Record>>>& records);

}  // namespace holdfast::conformance
