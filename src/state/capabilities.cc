#include "state/capabilities.h"

#include "base/encoding.h"

namespace holdfast::state {

std::string_view name_of(Consistency level) {
  switch (level) {
    case Consistency::unspecified: return "";
    case Consistency::eventual: return "eventual";
    case Consistency::consistent_prefix: return "consistent-prefix";
    case Consistency::session: return "session";
    case Consistency::bounded_staleness: return "bounded-staleness";
    case Consistency::quorum: return "quorum";
    case Consistency::strong: return "strong";
  }
  return "";
}

std::optional<Consistency> parse_consistency(std::string_view name) {
  std::string plain;
  for (const char c : name)
    if (c != '-' && c != '_') plain += ascii_lower(c);
  if (plain == "eventual") return Consistency::eventual;
  if (plain == "consistentprefix") return Consistency::consistent_prefix;
  if (plain == "session") return Consistency::session;
  if (plain == "boundedstaleness") return Consistency::bounded_staleness;
  if (plain == "quorum" || plain == "caboa") return Consistency::quorum;
  if (plain == "strong") return Consistency::strong;
  return std::nullopt;
}

}  // namespace holdfast::state
