#include "api/patch.h"

#include <fmt/format.h>

#include <cmath>
#include <unordered_map>
#include <variant>

#include "base/number.h"
#include "wire/json/json.h"
#include "wire/json/raw.h"

namespace holdfast::api {

using json::RawMember;
using json::RawValue;
using Kind = json::RawValue::Kind;

namespace {

// The last of several members of one name counts, in the place of the first.
std::vector<RawMember> without_repeats(std::vector<RawMember> members) {
  std::unordered_map<std::string_view, std::size_t> places;
  std::vector<RawMember> out;
  out.reserve(members.size());  // the names in `places` stay where they are
  for (RawMember& member : members) {
    const auto known = places.find(member.name);
    if (known != places.end()) {
      out[known->second].value = member.value;
    } else {
      out.push_back(std::move(member));
      places.emplace(out.back().name, out.size() - 1);
    }
  }
  return out;
}

Status append_merged(std::string& out, std::optional<RawValue> value, RawValue patch, std::size_t depth) {
  if (!patch.is(Kind::object)) {
    out += patch.text();
    return {};
  }
  if (depth == kPatchDepthMax)
    return fail(Errc::invalid_argument, fmt::format("the patch is nested deeper than {}", kPatchDepthMax));
  const std::vector<RawMember> changes = without_repeats(patch.members());
  std::unordered_map<std::string_view, const RawMember*> left;
  for (const RawMember& change : changes) left.emplace(change.name, &change);
  out += '{';
  if (value && value->is(Kind::object)) {
    for (const RawMember& member : without_repeats(value->members())) {
      const auto found = left.find(member.name);
      if (found == left.end()) {
        json::append_name(out, member.name);
        out += member.value.text();
        continue;
      }
      const RawValue change = found->second->value;
      left.erase(found);
      if (change.is(Kind::null)) continue;
      json::append_name(out, member.name);
      if (auto merged = append_merged(out, member.value, change, depth + 1); !merged) return merged;
    }
  }
  for (const RawMember& change : changes) {
    if (!left.contains(change.name) || change.value.is(Kind::null)) continue;
    json::append_name(out, change.name);
    if (auto merged = append_merged(out, std::nullopt, change.value, depth + 1); !merged) return merged;
  }
  out += '}';
  return {};
}

}  // namespace

Result<std::string> merge_patch(std::string_view value, std::string_view patch) {
  const auto changes = RawValue::read(patch);
  if (!changes) return fail(with_context(changes.error(), "the patch"));
  const auto now = RawValue::read(value);
  if (!now) return fail(Errc::invalid_argument, "the stored value is not JSON and cannot be merged with a patch");
  std::string out;
  if (auto merged = append_merged(out, *now, *changes, 0); !merged) return fail(std::move(merged.error()));
  return out;
}

namespace {

using Number = std::variant<std::int64_t, double>;

std::optional<Number> number_in(std::string_view text) {
  const auto value = RawValue::read(text);
  if (!value || !value->is(Kind::number)) return std::nullopt;
  std::int64_t whole = 0;
  if (read_number(value->text(), whole)) return whole;
  double real = 0;
  if (read_number(value->text(), real)) return real;
  return std::nullopt;
}

double as_real(const Number& number) {
  return std::visit([](auto value) { return static_cast<double>(value); }, number);
}

bool is_less(const Number& a, const Number& b) {
  if (std::holds_alternative<std::int64_t>(a) && std::holds_alternative<std::int64_t>(b))
    return std::get<std::int64_t>(a) < std::get<std::int64_t>(b);
  return as_real(a) < as_real(b);
}

// Nothing when no number of their kind holds it.
std::optional<Number> sum(const Number& a, const Number& b) {
  if (std::holds_alternative<std::int64_t>(a) && std::holds_alternative<std::int64_t>(b)) {
    std::int64_t total = 0;
    if (__builtin_add_overflow(std::get<std::int64_t>(a), std::get<std::int64_t>(b), &total)) return std::nullopt;
    return total;
  }
  const double total = as_real(a) + as_real(b);
  if (!std::isfinite(total)) return std::nullopt;
  return total;
}

std::string text_of(const Number& number) {
  if (const auto* whole = std::get_if<std::int64_t>(&number)) return std::to_string(*whole);
  std::string out;
  json::append_number(out, std::get<double>(number));
  return out;
}

std::unexpected<Error> out_of_bounds(std::string_view value, std::string_view by, std::string_view what,
                                     const std::string& bound) {
  return fail(Errc::precondition_failed,
              fmt::format("nothing was changed: the number is {}, and {} more would be {} {}", value, by, what, bound));
}

}  // namespace

Result<Increment> read_increment(std::string_view text) {
  const auto body = RawValue::read(text);
  if (!body) return fail(with_context(body.error(), "the increment"));
  if (!body->is(Kind::object))
    return fail(Errc::invalid_argument,
                fmt::format("the increment is {} and should be an object such as {{\"by\":1}}", name_of(body->kind())));
  Increment increment;
  for (const RawMember& member : body->members()) {
    if (!number_in(member.value.text()))
      return fail(Errc::invalid_argument,
                  fmt::format("\"{}\" of the increment is no number that 64 bits hold", member.name));
    const std::string number(member.value.text());
    if (member.name == "by") {
      increment.by = number;
    } else if (member.name == "initial") {
      increment.initial = number;
    } else if (member.name == "min") {
      increment.min = number;
    } else if (member.name == "max") {
      increment.max = number;
    } else {
      return fail(Errc::invalid_argument,
                  fmt::format("unknown member \"{}\" of the increment; known: by, initial, min, max", member.name));
    }
  }
  return increment;
}

Result<std::string> incremented(std::string_view value, const Increment& increment) {
  const auto now = number_in(value);
  if (!now)
    return fail(Errc::invalid_argument, "the stored value is no number that 64 bits hold and cannot be counted up");
  const auto by = number_in(increment.by);
  if (!by) return fail(Errc::invalid_argument, "\"by\" is no number that 64 bits hold");
  const auto total = sum(*now, *by);
  if (!total)
    return fail(Errc::invalid_argument,
                fmt::format("{} and {} more are beyond what 64 bits hold", value, increment.by));
  for (const auto& [bound, is_min] : {std::pair(&increment.min, true), std::pair(&increment.max, false)}) {
    if (!*bound) continue;
    const auto limit = number_in(**bound);
    if (!limit) return fail(Errc::invalid_argument, "\"min\" or \"max\" is no number that 64 bits hold");
    if (is_min ? is_less(*total, *limit) : is_less(*limit, *total))
      return out_of_bounds(value, increment.by, is_min ? "below the least," : "above the most,", **bound);
  }
  return text_of(*total);
}

Result<std::string> with_element(std::string_view value, std::string_view element) {
  const auto more = RawValue::read(element);
  if (!more) return fail(with_context(more.error(), "the element"));
  const auto now = RawValue::read(value);
  if (!now || !now->is(Kind::array))
    return fail(Errc::invalid_argument, "the stored value is no JSON array, to which an element could be added");
  std::string_view head = now->text();
  head.remove_suffix(1);
  std::string out(head);
  if (!now->elements().empty()) out += ',';
  return out.append(more->text()) += ']';
}

}  // namespace holdfast::api
