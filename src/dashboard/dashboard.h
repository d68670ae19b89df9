// The dashboard: a page over our own API, /v2. index.html, the style and the scripts stand in this folder as a browser
// gets them; there is nothing to build. They hold no data: what the page shows, it asks /v2 for, under the token that
// its user has given, so that it can do no more than anybody who calls the API.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/http/pages.h"
#include "api/loop_context.h"

namespace holdfast::dashboard {

inline constexpr std::string_view kPath = "/dashboard";

// One a loop. Where a token is asked for, everybody may have the page, and the data are behind the token. Else only
// this machine may: over loopback, by one of its own names (browser_guard.h), or over a Unix socket.
class Dashboard final : public api::Pages {
 public:
  explicit Dashboard(const api::LoopContext& context);

  bool has(std::string_view path) const override {
    return path.starts_with(kPath) && (path.size() == kPath.size() || path[kPath.size()] == '/');
  }
  http::Response answer(const http::Request& request, std::string_view path) const override;

 private:
  struct Asset {
    std::string path;
    std::string_view content_type;
    std::string_view bytes;
    std::string etag;
  };
  std::optional<http::Response> refusal(const http::Request& request) const;
  const Asset* find(std::string_view path) const;

  const api::LoopContext& context_;
  std::vector<Asset> assets_;
};

}  // namespace holdfast::dashboard
