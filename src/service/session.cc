#include "service/session.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "base/encoding.h"

namespace holdfast::service {

namespace {

constexpr char kVersion = 1;
constexpr std::size_t kStoresMax = 64;
constexpr std::size_t kStoreBytes = 512;      // the longest name that is kept
constexpr std::size_t kReachedBytesMax = 18;  // a timeline and the longest offset
constexpr std::size_t kInsideBytesMax = Session::kTokenBytesMax / 4 * 3;

void append_varint(std::string& out, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7U) out += static_cast<char>(number | 0x80U);
  out += static_cast<char>(number);
}

std::optional<std::uint64_t> take_varint(std::string_view& text) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64 && !text.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> take_fixed(std::string_view& text) {
  if (text.size() < 8) return std::nullopt;
  std::uint64_t number = 0;
  for (unsigned i = 0; i < 8; ++i) number |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
  text.remove_prefix(8);
  return number;
}

bool take_reached(std::string_view& text, state::Position& position) {
  const auto count = take_varint(text);
  if (!count || *count > state::Position::kTimelinesMax) return false;
  for (std::uint64_t i = 0; i < *count; ++i) {
    const auto timeline = take_fixed(text);
    const auto offset = take_varint(text);
    if (!timeline || !offset) return false;
    (void)position.reach({*timeline, *offset});
  }
  return true;
}

std::unexpected<Error> malformed() {
  return fail(
      Errc::invalid_argument,
      "the session token is none of this version. Send what the last answer had in Holdfast-Session, or nothing");
}

}  // namespace

Status Session::join(std::string_view token) {
  const auto inside = token.size() > kTokenBytesMax ? std::nullopt : base64url_decode(token);
  if (!inside || inside->empty() || inside->front() != kVersion) return malformed();
  std::string_view text = std::string_view(*inside).substr(1);
  while (!text.empty()) {
    const auto bytes = take_varint(text);
    if (!bytes || *bytes > text.size() || *bytes > kStoreBytes || stores_.size() > kStoresMax) return malformed();
    state::Position& position = in(text.substr(0, *bytes));
    text.remove_prefix(*bytes);
    if (!take_reached(text, position)) return malformed();
  }
  const bool is_second = std::exchange(is_given_, true);
  before_ = is_second ? std::string() : this->token();
  return {};
}

state::Position& Session::in(std::string_view store) {
  for (auto& [name, position] : stores_)
    if (name == store) return position;
  return stores_.emplace_back(std::string(store), state::Position()).second;
}

std::string Session::token() const {
  std::string inside(1, kVersion);
  for (const auto& [name, position] : stores_) {
    if (position.empty() || name.size() > kStoreBytes) continue;
    // The newest of each, as many as there is room for.
    auto reached = position.reached();
    const std::size_t head = name.size() + 4;
    if (inside.size() + head + kReachedBytesMax > kInsideBytesMax) break;
    const std::size_t room = (kInsideBytesMax - inside.size() - head) / kReachedBytesMax;
    reached = reached.last(std::min(reached.size(), room));
    append_varint(inside, name.size());
    inside += name;
    append_varint(inside, reached.size());
    for (const auto& [timeline, offset] : reached) {
      for (unsigned i = 0; i < 8; ++i) inside += static_cast<char>(timeline >> (8 * i));
      append_varint(inside, offset);
    }
  }
  return inside.size() > 1 ? base64url_encode(inside) : std::string();
}

std::string Session::changed() const {
  if (stores_.empty()) return {};
  std::string now = token();
  return now == before_ ? std::string() : now;
}

}  // namespace holdfast::service
