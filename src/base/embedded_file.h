// A file that is compiled in: holdfast_embed() in cmake/Holdfast.cmake makes the functions that list them.
#pragma once

#include <span>
#include <string_view>

namespace holdfast {

struct EmbeddedFile {
  std::string_view name;  // without folders
  std::string_view bytes;
};

}  // namespace holdfast
