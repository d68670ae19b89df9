#include "config/expand.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::config {
namespace {

// The shell's own variables, which have one character: $1, $?, $$.
bool is_special(char c) { return (c >= '0' && c <= '9') || std::string_view("*#$@!?-").contains(c); }

bool is_name_character(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// What follows a '$': the name, and how many bytes it takes. No name and no bytes: the '$' is only a '$'.
struct Reference {
  std::string_view name;
  std::size_t bytes = 0;
};

Reference reference_at(std::string_view rest) {
  if (rest.starts_with('{')) {
    if (rest.size() > 2 && is_special(rest[1]) && rest[2] == '}') return {rest.substr(1, 1), 3};
    const std::size_t brace = rest.find('}');
    if (brace == std::string_view::npos) return {{}, 1};
    return {rest.substr(1, brace - 1), brace + 1};
  }
  if (is_special(rest[0])) return {rest.substr(0, 1), 1};
  const auto end = std::ranges::find_if_not(rest, is_name_character);
  const auto bytes = static_cast<std::size_t>(end - rest.begin());
  return {rest.substr(0, bytes), bytes};
}

}  // namespace

Result<std::string> expand_environment(std::string_view text, const GetEnvironment& environment,
                                       std::vector<std::string>& unset) {
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = std::min(text.find('$'), text.size());
    out += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.empty()) break;
    text.remove_prefix(1);
    const Reference reference = text.empty() ? Reference() : reference_at(text);
    text.remove_prefix(reference.bytes);
    if (reference.bytes == 0) {
      out += '$';
    } else if (!reference.name.empty()) {
      std::string name(reference.name);
      const auto value = environment(name);
      out += value.value_or("");
      if (!value && std::ranges::find(unset, name) == unset.end()) unset.push_back(std::move(name));
    }
    if (out.size() > kYamlBytesMax)
      return fail(Errc::invalid_argument,
                  fmt::format("with its variables replaced it has more than {} bytes", kYamlBytesMax));
  }
  return out;
}

}  // namespace holdfast::config
