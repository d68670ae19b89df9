// What a value in a reply can be, in RESP2 and RESP3.
#pragma once

#include <cstdint>

namespace holdfast::resp {

enum class Kind : std::uint8_t {
  text,        // bulk, simple and verbatim strings: $ + =
  error,       // - and !
  integer,     // :
  real,        // ,
  boolean,     // #
  null,        // _ and RESP2's $-1 and *-1
  array,       // *
  map,         // %
  set,         // ~
  push,        // >, which answers no command
  big_number,  // (
};

}  // namespace holdfast::resp
