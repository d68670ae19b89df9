// Commands of Redis as bytes: an array of bulk strings, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", which RESP2 and RESP3 share.
// I/O-free; arguments may hold any bytes.
// Source: redis.io/docs/latest/develop/reference/protocol-spec, "Sending commands to a Redis server".
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace holdfast::resp {

// Appends one whole command: its name and its arguments.
void append_command(std::string& out, std::initializer_list<std::string_view> arguments);

// The same in parts, where the number of arguments is known only while running: `argument_count` counts the command's
// name too, and exactly so many append_argument() have to follow.
void begin_command(std::string& out, std::size_t argument_count);
void append_argument(std::string& out, std::string_view argument);
// A number travels as its decimal text.
void append_argument(std::string& out, std::int64_t number);

}  // namespace holdfast::resp
