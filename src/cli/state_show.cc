#include "cli/state_show.h"

#include <fmt/format.h>

#include "base/encoding.h"

namespace holdfast::cli {

namespace {

using json::Element;
using json::Object;

constexpr std::size_t kValueShownMax = 200;

std::string text_member(Object object, std::string_view name) {
  Element member;
  std::string_view text;
  if (!json::find_member(object, name, member) || member.get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

// The value of a record as one line, cut when it is long.
std::string value_line(Object record) {
  Element member;
  std::string text;
  if (json::find_member(record, "value", member)) {
    text = simdjson::minify(member);
  } else {
    const auto bytes = base64_decode(text_member(record, "valueBase64"));
    if (!bytes) return {};
    if (!is_utf8(*bytes)) return fmt::format("({} bytes)", bytes->size());
    text = *bytes;
  }
  if (text.size() <= kValueShownMax) return printable(text);
  std::size_t end = kValueShownMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return fmt::format("{}... ({} bytes)", printable(std::string_view(text).substr(0, end)), text.size());
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) out += fmt::format("{:<10}{}\n", name, printable(value));
}

std::string by_whom(Object record, std::string_view when, std::string_view who) {
  const std::string time = text_member(record, when);
  const std::string author = text_member(record, who);
  if (time.empty()) return {};
  return author.empty() ? time : fmt::format("{} by {}", time, author);
}

std::string tags_line(Object record) {
  Element tags;
  Object object;
  std::string line;
  if (!json::find_member(record, "tags", tags) || tags.get(object) != simdjson::SUCCESS) return line;
  for (const auto [name, value] : object) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS) continue;
    line += fmt::format("{}{}={}", line.empty() ? "" : ", ", name, text);
  }
  return line;
}

}  // namespace

std::string failure_text(const HttpResponse& response) {
  json::Parser parser;
  const auto parsed = parser.parse(response.body, json::Reading::whole_text);
  Object problem;
  if (!parsed || parsed->get(problem) != simdjson::SUCCESS) {
    const std::string text = printable(trim(response.body));
    if (response.status == 401) return fmt::format("401: {}. Is DAPR_API_TOKEN the sidecar's token?", text);
    return fmt::format("{}{}{}", response.status, text.empty() ? "" : ": ", text);
  }
  std::string text = printable(text_member(problem, "title"));
  const std::string detail = printable(text_member(problem, "detail"));
  if (!detail.empty()) text += (text.empty() ? "" : ": ") + detail;
  const std::string etag = text_member(problem, "etag");
  if (!etag.empty()) text += "\nThe record's etag is " + printable(etag);
  return fmt::format("{} ({})", text.empty() ? "the request failed" : text, response.status);
}

int exit_code_of(const HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) return kDone;
  return response.status == 404 ? kNotFound : kFailed;
}

Result<std::string> record_text(std::string_view record) {
  json::Parser parser;
  const auto parsed = parser.parse(record, json::Reading::whole_text);
  Object object;
  if (!parsed || parsed->get(object) != simdjson::SUCCESS)
    return fail(Errc::internal, "the sidecar answered something that is not a record");
  std::string out;
  append_line(out, "key", text_member(object, "id"));
  append_line(out, "etag", text_member(object, "etag"));
  append_line(out, "type", text_member(object, "contentType"));
  append_line(out, "created", by_whom(object, "created", "createdBy"));
  append_line(out, "modified", by_whom(object, "modified", "modifiedBy"));
  Element member;
  std::int64_t ttl = -1;
  if (json::find_member(object, "ttl", member) && member.get(ttl) == simdjson::SUCCESS && ttl >= 0)
    append_line(out, "ttl", fmt::format("{} s", ttl));
  append_line(out, "tags", tags_line(object));
  append_line(out, "value", value_line(object));
  return out;
}

Result<ListedPage> page_of(std::string_view body, bool with_values, bool as_json, bool is_first) {
  json::Parser parser;
  const auto parsed = parser.parse(body, json::Reading::whole_text);
  Object listing;
  Element member;
  json::Array items;
  if (!parsed || parsed->get(listing) != simdjson::SUCCESS || !json::find_member(listing, "items", member) ||
      member.get(items) != simdjson::SUCCESS)
    return fail(Errc::internal, "the sidecar answered something that is not a listing");
  ListedPage page;
  page.cursor = text_member(listing, "cursor");
  for (const Element item : items) {
    Object object;
    if (item.get(object) != simdjson::SUCCESS) continue;
    if (as_json) {
      if (!is_first || page.items > 0) page.text += ",\n";
      page.text += simdjson::minify(item);
    } else {
      page.text += printable(text_member(object, with_values ? "id" : "key"));
      if (with_values) page.text += '\t' + value_line(object);
      page.text += '\n';
    }
    ++page.items;
  }
  return page;
}

}  // namespace holdfast::cli
