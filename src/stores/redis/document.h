// Records that are documents of RedisJSON: {"data":<json>,"version":<n>,"hf:c":...,"hf:m":...}. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "state/store.h"

namespace holdfast::stores::redis {

// What JSON.GET is asked for: each member with its path, every answer an array of what was found.
inline constexpr std::string_view kDataPath = "$.data";
inline constexpr std::string_view kVersionPath = "$.version";
inline constexpr std::string_view kCreatedPath = "$[\"hf:c\"]";
inline constexpr std::string_view kModifiedPath = "$[\"hf:m\"]";

// The text that JSON.GET with those four paths answers: {"$.data":[...],"$.version":[7],...}, in any order. The value
// is the server's own text, as it stands. Nothing when it is not a record: no data or no version.
std::optional<state::Record> read_document(std::string_view json, bool want_value, bool want_fields);

// The text of the only element of an array, "[x]" -> "x"; nothing for an empty array, or what is none.
std::optional<std::string_view> only_element(std::string_view json);

}  // namespace holdfast::stores::redis
