// The words of `holdfast state ...` as a value, and the request each becomes. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/http_client.h"
#include "cli/options.h"
#include "config/components.h"

namespace holdfast::cli {

struct StateCommand {
  enum class Verb : std::uint8_t { help, get, put, patch, erase, clear, list, watch, transact, info, backup };
  Verb verb = Verb::help;
  std::string store;
  std::string key;    // of get, put, patch and delete; the prefix of ls, clear and watch
  std::string value;  // of put and patch; the operations of txn
  bool value_from_input = false;
  std::string file;  // of backup
  bool record = false;
  bool values = false;
  bool json = false;
  bool if_absent = false;
  bool all = false;  // of clear: without a prefix
  std::string if_match;
  std::string type;  // of put: a content type; of patch: what it does
  std::string ttl;
  std::string isolation;    // empty: of records that belong to none
  std::vector<std::pair<std::string, std::string>> indexes;  // of ls: entries that the records carry
  std::uint64_t limit = 0;                                   // of ls; 0: everything
  std::optional<std::string> watched_key;                    // of watch: in the place of a prefix
  std::string after;                                         // of watch: the id of an event
  std::string address;
  std::string token;
  std::string app_id = "app";
  std::vector<std::string> resources_paths;  // where there are any, their store is opened, and no sidecar asked
};

// `arguments` are what follows "state"; not of the verbs of state_migrate.h. Errc::invalid_argument says what is wrong
// with them.
Result<StateCommand> parse_state_command(std::span<const std::string> arguments,
                                         const config::GetEnvironment& environment);
// get to backup, with their options, and what state_migrate.h has.
std::span<const CommandRow> state_verbs();
// What help says of them beside that.
std::string_view state_description();

// get, put, patch, delete and txn; one page of ls, which is at most `limit` keys from `cursor` on; one step of clear;
// what info asks for.
HttpRequest request_of(const StateCommand& command);
HttpRequest page_request(const StateCommand& command, std::uint64_t limit, std::string_view cursor);
HttpRequest clear_request(const StateCommand& command);
// `after`: the id of the last event that was seen, or nothing.
HttpRequest watch_request(const StateCommand& command, std::string_view after);
HttpRequest stores_request(const StateCommand& command);
HttpRequest health_request(const StateCommand& command);

// What put says the value is when nobody did: JSON if it is one JSON value, text if it is UTF-8, else bytes.
std::string_view guessed_type(std::string_view value);

}  // namespace holdfast::cli
