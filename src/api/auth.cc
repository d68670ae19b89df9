#include "api/auth.h"

namespace holdfast::api {

bool token_accepted(const std::vector<std::string>& tokens, std::string_view given) {
  if (tokens.empty()) return true;
  bool accepted = false;
  for (const std::string& token : tokens) {
    unsigned char difference = token.size() == given.size() ? 0 : 1;
    for (std::size_t i = 0; i < token.size() && i < given.size(); ++i)
      difference |= static_cast<unsigned char>(token[i] ^ given[i]);
    accepted |= difference == 0;
  }
  return accepted;
}

}  // namespace holdfast::api
