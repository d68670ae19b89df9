// A caller's session: how far it has come in each store, and the token that carries this between calls and sidecars.
//
// A token is base64url of: a byte 1 (the version), then for each store its name's length, the name, the number of
// timelines, and for each eight bytes of its number (little-endian) and the offset. Lengths, numbers and offsets are
// varints as protobuf's. It is no secret and is not signed: who forges one reads staler data than it was promised.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "state/capabilities.h"
#include "state/position.h"

namespace holdfast::service {

class Session {
 public:
  // Of a token, in bytes. What does not fit is left out: readings then go where no position is needed.
  static constexpr std::size_t kTokenBytesMax = 2048;

  // Takes over what the token says, beside what is there: a caller of many calls at once has several, and sends all.
  // Errc::invalid_argument when it is none.
  Status join(std::string_view token);
  // Whether the caller has sent a token.
  bool is_given() const { return is_given_; }
  // Of the store of that name, made if need be. Valid until the next one is asked for.
  state::Position& in(std::string_view store);
  // What the caller should send from now on; empty: what it has sent says it all.
  std::string changed() const;

  // The level that the call was served at; unspecified: it reached no store.
  state::Consistency served() const { return served_; }
  void set_served(state::Consistency level) { served_ = level; }

 private:
  std::string token() const;

  std::vector<std::pair<std::string, state::Position>> stores_;
  state::Consistency served_ = state::Consistency::unspecified;
  bool is_given_ = false;
  std::string before_;  // the token as it was when nothing had changed
};

}  // namespace holdfast::service
