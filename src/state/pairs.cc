#include "state/pairs.h"

#include "base/encoding.h"

namespace holdfast::state {

std::string encode_pairs(PairsView pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    if (!out.empty()) out += '&';
    out += percent_encode(name) + "=" + percent_encode(value);
  }
  return out;
}

Pairs decode_pairs(std::string_view text) {
  Pairs pairs;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    auto name = percent_decode(pair.substr(0, equals), Plus::literal);
    auto value = percent_decode(pair.substr(equals + 1), Plus::literal);
    if (name && value) pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

std::string entry_text(std::string_view name, std::string_view value) {
  std::string text = std::to_string(name.size());
  text += ':';
  text += name;
  text += value;
  return text;
}

}  // namespace holdfast::state
