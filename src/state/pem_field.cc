#include "state/pem_field.h"

#include <fstream>
#include <iterator>

#include "base/encoding.h"

namespace holdfast::state {

Result<std::string> pem_of(std::string_view given) {
  constexpr std::string_view kMark = "-----BEGIN";
  std::string text(trim(given));
  if (text.empty()) return text;
  if (!text.contains(kMark)) {
    std::ifstream file(text, std::ios::binary);
    // The text may be a key that lost its first line: it is not shown.
    if (!file) return fail(Errc::invalid_argument, "is neither PEM text nor the path of a file that can be read");
    text.assign(std::istreambuf_iterator<char>(file), {});
    if (!text.contains(kMark)) return fail(Errc::invalid_argument, "names a file that holds no PEM text");
  }
  // As environment variables often carry it.
  if (!text.contains('\n'))
    for (std::size_t at = 0; (at = text.find("\\n", at)) != std::string::npos;) text.replace(at, 2, "\n");
  return text;
}

}  // namespace holdfast::state
