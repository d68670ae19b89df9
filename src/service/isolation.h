// Isolation: records of one store that are kept apart by a key which each request, or its token, names. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::service {

// The component field "isolation": whether requests may name an isolation key, or have to.
enum class Isolation : std::uint8_t { off, optional, required };

inline constexpr std::size_t kIsolationKeyBytesMax = 128;

// A record's id: "isolation::K::state::" and the user's key, or the key alone where no isolation key is meant. Stored
// keys are the component's prefix and the id.
std::string record_id(std::string_view isolation, std::string_view key);
// How much of an id stands before the user's key.
std::size_t id_prefix_bytes(std::string_view isolation);
void append_record_id(std::string& out, std::string_view isolation, std::string_view key);

// 1 to 128 of A-Z a-z 0-9 . _ -
bool is_isolation_key(std::string_view text);

// Off when the field is not there or empty. Errc::invalid_argument for another word than the three.
Result<Isolation> isolation_of(const state::Component& component);

}  // namespace holdfast::service
