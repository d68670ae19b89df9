#include "service/isolation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "state/keys.h"

namespace holdfast::service {

std::string record_id(std::string_view isolation, std::string_view key) {
  std::string id;
  id.reserve(id_prefix_bytes(isolation) + key.size());
  append_record_id(id, isolation, key);
  return id;
}

std::size_t id_prefix_bytes(std::string_view isolation) {
  return isolation.empty() ? 0 : state::kIsolationHead.size() + isolation.size() + state::kIsolationTail.size();
}

void append_record_id(std::string& out, std::string_view isolation, std::string_view key) {
  if (!isolation.empty()) out.append(state::kIsolationHead).append(isolation).append(state::kIsolationTail);
  out.append(key);
}

bool is_isolation_key(std::string_view text) {
  return !text.empty() && text.size() <= kIsolationKeyBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

Result<Isolation> isolation_of(const state::Component& component) {
  Isolation mode = Isolation::off;
  for (const auto& [name, value] : component.properties) {
    if (!iequals(name, "isolation") || value.empty()) continue;
    if (iequals(value, "off")) {
      mode = Isolation::off;
    } else if (iequals(value, "optional")) {
      mode = Isolation::optional;
    } else if (iequals(value, "required")) {
      mode = Isolation::required;
    } else {
      return fail(Errc::invalid_argument, fmt::format("isolation \"{}\" is not one of off, optional, required", value));
    }
  }
  return mode;
}

}  // namespace holdfast::service
