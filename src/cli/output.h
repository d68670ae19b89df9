// What the tools share in speaking to a person or a program: exit codes, standard output, standard error.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kMisused = 2;
inline constexpr int kNotFound = 3;

// True when everything has been written to standard output; a full disk or a closed pipe is a failure of ours to
// report.
bool print(std::string_view text);
// kDone, or kFailed with a word about it.
int print_or_complain(std::string_view text);
// "holdfast: TEXT" on standard error; returns `code`.
int complain(std::string_view text, int code);

// Control characters as \xNN: what comes from elsewhere must not steer a terminal.
std::string printable(std::string_view text);

}  // namespace holdfast::cli
