// A request target taken apart: path cleaned as Go's router cleans it, query parameters. Pure.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/store.h"

namespace holdfast::api {

struct Target {
  std::string_view raw_path;  // before '?', as sent
  std::string_view query;     // after it

  static Target split(std::string_view target);
};

// "//" collapses, "." and ".." resolve, one trailing "/" goes. The escaped text is what is cleaned.
std::string clean_path(std::string_view path);
// The segments between slashes of a clean path: "/a/b" is "a" and "b". The first ones alone can be looked at: no route
// of ours is longer, and a path is taken apart for every request.
class Segments {
 public:
  static constexpr std::size_t kKept = 8;
  explicit Segments(std::string_view clean);
  std::size_t size() const { return size_; }  // all of them
  std::string_view operator[](std::size_t i) const { return kept_[i]; }

 private:
  std::array<std::string_view, kKept> kept_;
  std::size_t size_ = 0;
};

// The first value of a query parameter, decoded with '+' as space; nothing when absent or badly escaped.
std::optional<std::string> query_value(std::string_view query, std::string_view name);
// Every "metadata.NAME=value": the prefix is case-sensitive, the first occurrence wins.
state::Pairs query_metadata(std::string_view query);
// All parameters in order, decoded; badly escaped ones are left out.
state::Pairs query_parameters(std::string_view query);

}  // namespace holdfast::api
