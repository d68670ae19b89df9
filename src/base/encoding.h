// Text encodings used all over: base64, hex, percent-encoding, UTF-8 checks; and what is done to any text. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast {

std::string base64_encode(std::string_view bytes);
// Standard alphabet, padding required; nothing for malformed text.
std::optional<std::string> base64_decode(std::string_view text);
// URL alphabet without padding.
std::string base64url_encode(std::string_view bytes);
std::optional<std::string> base64url_decode(std::string_view text);

std::string hex_encode(std::string_view bytes);
// Digits of either case; nothing for other text.
std::optional<std::string> hex_decode(std::string_view text);

bool is_utf8(std::string_view text);

enum class Plus { literal, space };
// Decodes %XX once; nothing when an escape is malformed.
std::optional<std::string> percent_decode(std::string_view text, Plus plus);
// Everything but unreserved characters (RFC 3986) becomes %XX.
std::string percent_encode(std::string_view text);

// As Go's %q prints a string: quoted, with escapes for quotes, backslashes and control characters, and for bytes beyond
// ASCII where the text is not UTF-8.
std::string go_quote(std::string_view text);

char ascii_lower(char c);
std::string to_lower(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
std::string_view trim(std::string_view text);
// The part before the first separator, or all of it where there is none. Takes that off the front of `text`, with the
// separator.
std::string_view take_part(std::string_view& text, char separator);
// The parts between separators, without the empty ones.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace holdfast
