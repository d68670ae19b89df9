#include "holdfast/types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace holdfast {

namespace {

constexpr std::array<std::pair<std::string_view, ConsistencyLevel>, 6> kLevels = {{
    {"strong", ConsistencyLevel::strong},
    {"quorum", ConsistencyLevel::quorum},
    {"bounded-staleness", ConsistencyLevel::bounded_staleness},
    {"session", ConsistencyLevel::session},
    {"consistent-prefix", ConsistencyLevel::consistent_prefix},
    {"eventual", ConsistencyLevel::eventual},
}};

template <class T>
T parsed(const std::string& value, const char* what) {
  T number{};
  const char* end = value.data() + value.size();
  const auto [at, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || at != end) throw std::invalid_argument(what);
  return number;
}

}  // namespace

std::string_view name_of(ConsistencyLevel level) {
  return std::ranges::find(kLevels, level, &decltype(kLevels)::value_type::second)->first;
}

std::optional<ConsistencyLevel> level_named(std::string_view name) {
  if (name == "caboa") return ConsistencyLevel::quorum;
  const auto* level = std::ranges::find(kLevels, name, &decltype(kLevels)::value_type::first);
  return level == kLevels.end() ? std::nullopt : std::optional(level->second);
}

Number::Number(double number) {
  if (!std::isfinite(number)) throw std::invalid_argument("this is no JSON number: it is not finite");
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  text_.assign(buffer.data(), end);
}

Number Number::decimal(std::string text) {
  Number number;
  number.text_ = std::move(text);
  return number;
}

std::int64_t ValueRead::integer() const { return parsed<std::int64_t>(value, "the value is no integer of 64 bits"); }

double ValueRead::number() const {
  constexpr const char* kNoNumber = "the value is no JSON number";
  const auto number = parsed<double>(value, kNoNumber);
  if (!std::isfinite(number)) throw std::invalid_argument(kNoNumber);
  return number;
}

std::optional<Ttl> Record::ttl() const {
  if (!expires) return std::nullopt;
  return std::max(std::chrono::duration_cast<Ttl>(*expires - std::chrono::system_clock::now()), Ttl(0));
}

}  // namespace holdfast
