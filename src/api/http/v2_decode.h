// What a request of /v2 says beside its path: conditions, parameters, bodies. Pure. Every error is
// Errc::invalid_argument and names the header, the parameter or the place in the body that is wrong.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/v2.h"
#include "wire/http/message.h"

namespace holdfast::api {

// If-Match and If-None-Match as the condition of a write.
Result<Conditions> conditions_of(const http::Request& request);
// "Prefer: return=representation".
bool wants_representation(const http::Request& request);

// Parameters; "consistency" is read elsewhere and passed over here.
Status read_put_parameters(std::string_view query, PutCommand& out);
Status read_patch_parameters(std::string_view query, PatchCommand& out);
Status read_list_parameters(std::string_view query, ListCommand& out);
struct ErasePrefixCommand {
  std::string prefix;
  bool all = false;
  std::uint32_t limit = 0;
};
Status read_erase_parameters(std::string_view query, ErasePrefixCommand& out);
struct WatchCommand {
  std::string prefix;
  std::optional<std::string> key;  // in its place
  bool want_values = false;
};
Status read_watch_parameters(std::string_view query, WatchCommand& out);
// For what takes no parameter but that one.
Status read_no_parameters(std::string_view query);

// Which kind of PATCH a content type asks for; the error lists the kinds.
Result<PatchCommand::Kind> patch_kind_of(std::string_view content_type);

// {"keys":["a","b"],"values":false}
struct BatchGetCommand {
  std::vector<std::string> keys;
  bool want_values = true;
};
Result<BatchGetCommand> decode_batch_get(std::string_view body);

// {"items":[{"op":"put","key":"a","value":{...}},{"op":"delete","key":"b","ifMatch":"\"7\""}]}, where `list` is
// "items". JSON values keep their text.
Result<std::vector<Command>> decode_commands(std::string_view body, std::string_view list);

}  // namespace holdfast::api
