// Small help with libprotobuf messages; included only where generated code is.
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <limits>
#include <string>
#include <string_view>

#include "api/v1.h"
#include "base/encoding.h"
#include "state/store.h"
#include "wire/json/utf8.h"
#include "wire/protobuf/fields.h"

namespace holdfast::api {

inline bool parse_message(std::string_view bytes, google::protobuf::MessageLite& out) {
  return bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()) &&
         out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

// What a string field may hold, which has to be UTF-8 or spoils the whole message. Other APIs let other text in: each
// byte of it that belongs to no character becomes U+FFFD, as in our JSON.
inline std::string field_text(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t bytes = json::character_bytes(text, at);
    if (bytes == 0)
      out += "\xef\xbf\xbd";
    else
      out += text.substr(at, bytes);
    at += std::max<std::size_t>(bytes, 1);
  }
  return out;
}

// A string field. Each occurrence has to be UTF-8, as libprotobuf has it, also one that a later one replaces.
inline bool take_text(const protobuf::Reader& reader, std::string_view& out) {
  out = reader.bytes();
  return is_utf8(out);
}

// One entry of a map of strings. False when it is malformed.
inline bool read_map_entry(std::string_view message, std::string_view& key, std::string_view& value) {
  protobuf::Reader r(message);
  bool ok = true;
  while (ok && r.next()) {
    if (r.field() == 1 && r.is_bytes()) ok = take_text(r, key);
    if (r.field() == 2 && r.is_bytes()) ok = take_text(r, value);
  }
  return ok && r.ok();
}

// The same, for maps of a few: the last of a name counts, as in libprotobuf, and is looked for at each.
inline bool decode_map_entry(std::string_view message, state::Pairs& out) {
  std::string_view key;
  std::string_view value;
  if (!read_map_entry(message, key, value)) return false;
  set_metadata(out, key, value);
  return true;
}

inline state::Pairs pairs_of(const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

}  // namespace holdfast::api
