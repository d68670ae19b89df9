// One line of an export file: a record as a JSON object. Pure. doc/cli.md describes the format for its users.
//
// Text that is not UTF-8, which JSON cannot carry, stands in base64 under its name with "Base64" behind it; JSON values
// stand in the line as they are, byte for byte, and as base64 where they would break it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "migration/digest.h"
#include "state/store.h"

namespace holdfast::migration {

inline constexpr std::uint64_t kExportFormat = 1;

// The first line.
struct ExportHeader {
  std::uint64_t format = kExportFormat;
  std::string program = "";  // "holdfast 0.1.0"
  std::string from = "";     // "orders (state.sqlite)"
  std::string prefix = "";
  std::string exported = "";  // when, RFC 3339
};

// The last one, without which a file is not whole.
struct ExportTrailer {
  Digest content;  // of the records
  Digest lines;    // of the bytes of their lines
};

using ExportLine = std::variant<ExportHeader, state::ListedRecord, ExportTrailer>;

// Each ends with a newline, which is its only one.
std::string line_of(const ExportHeader& header);
std::string line_of(const state::ListedRecord& record);
std::string line_of(const ExportTrailer& trailer);

// Errc::invalid_argument says what is wrong with the line, which comes without its newline.
Result<ExportLine> parse_line(std::string_view line);

}  // namespace holdfast::migration
