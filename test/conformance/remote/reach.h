// What both ways to a daemon share: what a store declares, what of that an API can reach, and how etags and times are
// written in answers. Written anew on purpose: the daemon's own code would agree with itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "state/store.h"

namespace holdfast::conformance {

// What GET /v2/stores says that the store can do, without what no call of this version reaches: patterns, deletion by
// prefix, queries, index look-ups and watches. Throws when the daemon does not know the store.
state::Capabilities reachable_of(std::uint16_t http_port, std::string_view store);

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

}  // namespace holdfast::conformance
