// The fields of a record as the text of hf:m and hf:c. Pure.
//
//   hf:c  CREATED_US ":" created by
//   hf:m  VERSION ":" TAIL, and TAIL = SHAPE ":" MODIFIED_US ":" modified by, content type, tags, indexes, write id,
//         each as LENGTH ":" bytes; "~" is the content type application/json. Tags and indexes are
//         "name=value&name=value", percent-encoded. A "+" behind it: this write made the record.
// hf:m is believed only while VERSION is the record's version: Dapr's writes count it up and leave hf:m as it is. It is
// kept short (under 64 bytes without tags) because Redis packs small hashes tightly only while every value is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "state/store.h"

namespace holdfast::stores::redis {

struct TailInput {
  state::Shape shape = state::Shape::bytes;
  WallTime modified;
  std::string_view modified_by;
  std::string_view content_type;
  state::PairsView tags;
  state::PairsView indexes;
  std::string_view write_id;
};
std::string make_tail(const TailInput& input);
std::string make_created(WallTime created, std::string_view created_by);

// The tail of an hf:m that belongs to `version`; nothing for another version's.
std::optional<std::string_view> believed_tail(std::string_view modified, std::string_view version);
state::Shape shape_of(std::string_view tail);
// Nothing when either text is not one of ours.
Boxed<state::RecordFields> read_fields(std::string_view created, std::string_view tail);

}  // namespace holdfast::stores::redis
