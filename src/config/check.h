// `holdfast check`: what is wrong with component files, before a sidecar meets them. Text in, findings out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/known_types.h"

namespace holdfast::config {

enum class Severity : std::uint8_t {
  note,     // works, and could be better
  warning,  // works elsewhere, or not as it looks
  error,    // the sidecar would refuse it, or pass over what was meant
};
std::string_view name_of(Severity severity);

struct Finding {
  std::string file;  // empty: none in particular
  int line = 0;      // 0: none in particular
  Severity severity = Severity::error;
  std::string subject;     // component "orders"; empty: the file
  std::string field;       // spec.initTimeout, or the name of a setting; empty: none in particular
  std::string message;     // without the subject; never a setting's value
  std::string suggestion;  // the word that was probably meant; empty: none
};
// Its line for people: FILE:LINE: SEVERITY: SUBJECT: MESSAGE; did you mean "SUGGESTION"?
std::string to_line(const Finding& finding);

struct SourceFile {
  std::string name;  // for messages
  std::string text;
};

// Findings beyond these, of one file, are only counted.
inline constexpr std::size_t kFindingsMax = 1000;

// Looks at each file, and at what only all of them together show: two components of one name, secret stores that
// are not there. Findings are in the order of the files and their lines. Pure.
std::vector<Finding> check_files(std::span<const SourceFile> files, const KnownTypes& known);

}  // namespace holdfast::config
