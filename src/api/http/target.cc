#include "api/http/target.h"

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::api {

Target Target::split(std::string_view target) {
  // absolute-form (RFC 9112 3.2.2): the authority is not ours to look at.
  if (!target.starts_with('/')) {
    const std::size_t scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      const std::size_t slash = target.find('/', scheme + 3);
      target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
  }
  const std::size_t mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

std::string clean_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, slash - at);
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
    at = slash + 1;
  }
  std::string clean;
  clean.reserve(path.size());
  for (const std::string_view segment : kept) {
    clean += '/';
    clean += segment;
  }
  return clean.empty() ? "/" : clean;
}

Segments::Segments(std::string_view clean) {
  for (std::size_t at = 1; at < clean.size(); ++size_) {
    const std::size_t slash = std::min(clean.find('/', at), clean.size());
    if (size_ < kKept) kept_[size_] = clean.substr(at, slash - at);
    at = slash + 1;
  }
}

namespace {

template <class Each>
void each_parameter(std::string_view query, Each each) {
  while (!query.empty()) {
    std::string_view value = take_part(query, '&');
    if (value.empty()) continue;
    const std::string_view name = take_part(value, '=');
    each(name, value);
  }
}

}  // namespace

std::optional<std::string> query_value(std::string_view query, std::string_view wanted) {
  std::optional<std::string> found;
  each_parameter(query, [&](std::string_view name, std::string_view value) {
    if (found) return;
    const auto decoded = percent_decode(name, Plus::space);
    if (decoded && *decoded == wanted) found = percent_decode(value, Plus::space);
  });
  return found;
}

state::Pairs query_parameters(std::string_view query) {
  state::Pairs all;
  each_parameter(query, [&](std::string_view name, std::string_view value) {
    auto key = percent_decode(name, Plus::space);
    auto text = percent_decode(value, Plus::space);
    if (key && text) all.emplace_back(std::move(*key), std::move(*text));
  });
  return all;
}

state::Pairs query_metadata(std::string_view query) {
  static constexpr std::string_view kPrefix = "metadata.";
  state::Pairs metadata;
  if (query.find(kPrefix) == std::string_view::npos) return metadata;
  for (auto& [name, value] : query_parameters(query)) {
    if (!name.starts_with(kPrefix)) continue;
    const std::string key = name.substr(kPrefix.size());
    const bool known = std::ranges::any_of(metadata, [&](const auto& pair) { return pair.first == key; });
    if (!known) metadata.emplace_back(key, std::move(value));
  }
  return metadata;
}

}  // namespace holdfast::api
