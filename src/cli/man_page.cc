// holdfast(1) in man(7)'s macros, which every man program reads.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "cli/help.h"
#include "config/flags.h"

namespace holdfast::cli {
namespace {

// Text that roff takes for text: no escapes, no requests, and hyphens that can be searched for and copied.
std::string roff(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool begins_line = out.empty() || out.back() == '\n';
    if (begins_line && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if (c == '"') {
      out += "\\(dq";
    } else {
      out += c;
    }
  }
  return out;
}

// As running text, in lines of at most 80 bytes, which man's own tools ask for; usage is full of hyphens, and each
// takes one more.
std::string running(std::string_view text) { return roff(wrapped(text, 66)); }

// Options in a row, which escapes make longer than they look.
std::string usage(std::string_view text) { return roff(wrapped(text, 60)); }

void append_item(std::string& out, std::string_view head, std::string_view help) {
  out += fmt::format(".TP\n.B {}\n{}", roff(head), running(help));
}

void append_options(std::string& out, std::span<const OptionRow> options) {
  for (const OptionRow& option : options)
    append_item(out,
                option.argument.empty() ? fmt::format("--{}", option.name)
                                        : fmt::format("--{} {}", option.name, option.argument),
                option.help);
}

// Paragraphs, and between them examples.
void append_text(std::string& out, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find("\n\n", at), text.size());
    const std::string paragraph = text.substr(at, end - at);
    at = end + 2;
    if (paragraph.starts_with("  ")) {
      out += ".PP\n.nf\n" + roff(paragraph) + "\n.fi\n";
    } else {
      out += ".PP\n" + running(paragraph);
    }
  }
}

std::string arguments_of(const CommandRow& command) {
  std::string text(command.arguments);
  if (!command.options.empty()) text += (text.empty() ? "" : " ") + option_usage(command.options);
  if (command.takes_flags) text += (text.empty() ? "" : " ") + std::string("[FLAG...]");
  return text;
}

void append_usage(std::string& out, const CommandRow& command) {
  out += fmt::format(".PP\n.B holdfast {}\n", roff(command.name));
  if (const std::string arguments = arguments_of(command); !arguments.empty()) out += usage(arguments);
}

void append_command(std::string& out, const CommandRow& command) {
  std::string summary(command.summary);
  summary[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(summary[0])));
  out += fmt::format(".SS {}\n{}", roff(command.name), running(summary + "."));
  if (command.verbs.empty()) append_usage(out, command);
  for (const CommandRow& verb : command.verbs)
    out += fmt::format(".TP\n.B holdfast {} {}\n{}.br\n{}", roff(command.name), roff(verb.name),
                       usage(arguments_of(verb)), running(verb.summary));
  append_text(out, std::string(command.description));
  append_options(out, options_of(command));
}

void append_flags(std::string& out) {
  out += ".SH FLAGS\nOf the sidecar. One dash before a name counts as two.\n";
  std::string idle;
  for (const config::FlagRow& flag : config::flag_table()) {
    if (!flag.effective) {
      idle += fmt::format("{}--{}", idle.empty() ? "" : ", ", flag.name);
      continue;
    }
    std::string head = fmt::format("--{} {}", flag.name, config::argument_name(flag.kind));
    if (!flag.fallback.empty()) head += fmt::format(" (default {})", flag.fallback);
    append_item(out, head, flag.help);
  }
  out += ".PP\n" + running(fmt::format("Flags of daprd that are accepted and do nothing: {}.", idle));
}

// When the page's own words changed last, as man(7) wants it said.
constexpr std::string_view kWritten = "2026-11-26";

constexpr std::string_view kHead =
    ".SH NAME\n"
    "holdfast \\- keeps the state of an application: a sidecar with Dapr's state API\n"
    ".SH SYNOPSIS\n"
    ".B holdfast\n"
    "\\-\\-app\\-id ID [FLAG...]\n"
    ".br\n"
    ".B holdfast\n"
    "COMMAND [ARGUMENT...]\n"
    ".SH DESCRIPTION\n"
    "Without a command it is the sidecar in daprd's place: started with\n"
    "daprd's flags, it serves Dapr's state API over HTTP and gRPC from the\n"
    "stores that component files describe.\n"
    ".SH COMMANDS\n";

constexpr std::string_view kTail =
    ".SH FILES\n"
    ".TP\n"
    ".I ./.dapr/components, ./components, ~/.dapr/components\n"
    "Where component files are looked for when no flag says it:\n"
    "in the first that is there.\n"
    ".TP\n"
    ".I ~/.local/share/holdfast/state.db\n"
    "The default store of\n"
    ".BR \"holdfast serve\" ;\n"
    "$XDG_DATA_HOME moves it.\n"
    ".SH ENVIRONMENT\n"
    ".TP\n"
    ".B DAPR_API_TOKEN\n"
    "The token that callers have to show, and that\n"
    ".B holdfast state\n"
    "shows.\n"
    ".TP\n"
    ".B DAPR_HTTP_PORT\n"
    "Where\n"
    ".B holdfast state\n"
    "finds the sidecar.\n"
    ".TP\n"
    ".B NAMESPACE\n"
    "Only components of this namespace, or of none, are loaded.\n"
    ".SH EXIT STATUS\n"
    "0: done. 1: failed. 2: misused. 3: there is no such record or store.\n"
    "130: a migration was stopped by a signal.\n";

}  // namespace

std::string man_page(std::span<const CommandRow> commands) {
  std::string out = fmt::format(".TH HOLDFAST 1 {} \"Holdfast {}\"\n", kWritten, HOLDFAST_VERSION);
  out += kHead;
  for (const CommandRow& command : commands) append_command(out, command);
  append_flags(out);
  out += kTail;
  return out;
}

}  // namespace holdfast::cli
