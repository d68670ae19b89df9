// What `holdfast help` prints, from the tables of commands and flags. Pure.
#pragma once

#include <span>
#include <string>

#include "cli/options.h"

namespace holdfast::cli {

// Every command with its summary, then the sidecar's flags.
std::string overview_help(std::span<const CommandRow> commands);

// One command: how it is written, what it does, its options.
std::string command_help(const CommandRow& command);

// `text` in lines of at most `columns` bytes where there are blanks to break at; a line that begins with two blanks is
// an example and stays as it is.
std::string wrapped(std::string_view text, std::size_t columns);

// "[--type TYPE] [--json]"
std::string option_usage(std::span<const OptionRow> options);

// The options of a command, or of all its verbs, each once.
std::vector<OptionRow> options_of(const CommandRow& command);

// holdfast(1), for man: commands, flags, files, variables, exit codes.
std::string man_page(std::span<const CommandRow> commands);

}  // namespace holdfast::cli
