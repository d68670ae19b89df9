// Request targets, entity tags and cursors.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "api/http/target.h"
#include "api/v2.h"
#include "base/encoding.h"
#include "require.h"
#include "service/cursor.h"

namespace api = holdfast::api;
namespace service = holdfast::service;
using holdfast::WallTime;

namespace {

constexpr WallTime kNow{1'800'000'000'000'000};

void check_path(std::string_view path) {
  const std::string clean = api::clean_path(path);
  FUZZ_REQUIRE(clean.starts_with('/'));
  FUZZ_REQUIRE(clean.find("//") == std::string::npos);
  FUZZ_REQUIRE(clean == "/" || !clean.ends_with('/'));
  FUZZ_REQUIRE(api::clean_path(clean) == clean);
  std::string joined;
  const api::Segments segments(clean);
  for (std::size_t i = 0; i < std::min(segments.size(), api::Segments::kKept); ++i) {
    const std::string_view segment = segments[i];
    FUZZ_REQUIRE(!segment.empty() && segment != "." && segment != "..");
    FUZZ_REQUIRE(segment.find('/') == std::string_view::npos);
    joined += '/';
    joined += segment;
  }
  if (segments.size() <= api::Segments::kKept) {
    FUZZ_REQUIRE(clean == "/" ? joined.empty() : joined == clean);
  } else {
    FUZZ_REQUIRE(clean.starts_with(joined + '/'));
  }
}

void check_query(std::string_view query) {
  const auto all = api::query_parameters(query);
  for (const auto& [name, value] : all) {
    const auto first = std::ranges::find(all, name, [](const auto& pair) { return pair.first; });
    FUZZ_REQUIRE(api::query_value(query, name) == first->second);
  }
  const auto metadata = api::query_metadata(query);
  for (auto one = metadata.begin(); one != metadata.end(); ++one) {
    FUZZ_REQUIRE(std::ranges::count(metadata, one->first, [](const auto& pair) { return pair.first; }) == 1);
    FUZZ_REQUIRE(api::query_value(query, "metadata." + one->first) == one->second);
  }
}

void check_tags(const std::string& text) {
  const std::string tag = api::entity_tag(text);
  FUZZ_REQUIRE(tag.size() >= 2 && tag.front() == '"' && tag.back() == '"');
  FUZZ_REQUIRE(std::ranges::all_of(tag, [](char c) { return c > 0x20 && c < 0x7f; }));
  FUZZ_REQUIRE(std::ranges::count(tag, '"') == 2);
  FUZZ_REQUIRE(api::from_entity_tag(tag) == text);
  FUZZ_REQUIRE(api::entity_tags(text).size() <= text.size());
  if (text == "*") return;  // a star is no store's etag: as a member it means "any"
  const std::vector<std::string> twice{text, text};
  FUZZ_REQUIRE(api::entity_tags(tag + ", " + tag) == twice);
  FUZZ_REQUIRE(api::entity_tags(tag + ",\t" + tag + ",") == twice);
}

void check_cursor(const std::string& text) {
  const service::CursorScope scope{"store", "", "prefix"};
  (void)service::open_cursor(text, scope, kNow);
  const std::string sealed = service::seal_cursor(scope, kNow, text);
  FUZZ_REQUIRE(service::open_cursor(sealed, scope, kNow) == text);
  FUZZ_REQUIRE(!service::open_cursor(sealed, {"other", "", "prefix"}, kNow));
  FUZZ_REQUIRE(!service::open_cursor(sealed, {"store", "", "other"}, kNow));
  FUZZ_REQUIRE(!service::open_cursor(sealed, {"store", "key", "prefix"}, kNow));
  // The right scope, and what the input says as time and position.
  const std::string inside = *holdfast::base64url_decode(service::seal_cursor(scope, WallTime{0}, ""));
  const std::string made_up = holdfast::base64url_encode(inside.substr(0, inside.find(':') - 1) + text);
  const auto opened = service::open_cursor(made_up, scope, kNow);
  if (opened) FUZZ_REQUIRE(text.ends_with(*opened));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const api::Target target = api::Target::split(text);
  FUZZ_REQUIRE(target.raw_path.find('?') == std::string_view::npos);
  check_path(target.raw_path);
  check_query(target.query);
  check_query(text);
  check_tags(text);
  check_cursor(text);
  (void)api::check_v2_key(text);
  return 0;
}
