// Pages for people that are served beside the API.
#pragma once

#include <string_view>

#include "wire/http/message.h"

namespace holdfast::api {

// Asked before the front asks for a token: pages hold no data, and a browser that opens one has no token yet.
class Pages {
 public:
  virtual ~Pages() = default;
  // Of a clean path.
  virtual bool has(std::string_view path) const = 0;
  virtual http::Response answer(const http::Request& request, std::string_view path) const = 0;
};

}  // namespace holdfast::api
