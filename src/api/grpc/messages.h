// Small help with libprotobuf messages; included only where generated code is.
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/message_lite.h>

#include <limits>
#include <string>
#include <string_view>

#include "state/store.h"

namespace holdfast::api {

inline bool parse_message(std::string_view bytes, google::protobuf::MessageLite& out) {
  return bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()) &&
         out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

inline state::Pairs pairs_of(const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

}  // namespace holdfast::api
