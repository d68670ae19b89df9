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
  append_line(out, "key", text_member(object, "key"));
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
      page.text += printable(text_member(object, "key"));
      if (with_values) page.text += '\t' + value_line(object);
      page.text += '\n';
    }
    ++page.items;
  }
  return page;
}

Result<Cleared> cleared_of(std::string_view body) {
  json::Parser parser;
  const auto parsed = parser.parse(body, json::Reading::whole_text);
  Cleared cleared;
  if (!parsed || (*parsed)["deleted"].get(cleared.deleted) != simdjson::SUCCESS ||
      (*parsed)["more"].get(cleared.more) != simdjson::SUCCESS)
    return fail(Errc::internal, "the sidecar answered something that is not a number of records");
  return cleared;
}

Result<std::string> event_text(const http::ServerEvent& event, bool with_values, bool as_json) {
  json::Parser parser;
  const auto parsed = parser.parse(event.data, json::Reading::whole_text);
  Object object;
  if (!parsed || parsed->get(object) != simdjson::SUCCESS)
    return fail(Errc::internal, "the sidecar told something that is not an event");
  const std::string key = text_member(object, "key");
  const std::string etag = text_member(object, "etag");
  const bool has_record = with_values && event.kind == "put";
  if (!as_json) {
    if (key.empty()) return event.kind + (event.kind == "resync" ? "  events may be missing: list again\n" : "\n");
    const std::string value = has_record ? '\t' + value_line(object) : std::string();
    return fmt::format("{:<7} {}{}{}{}\n", printable(event.kind), printable(key), etag.empty() ? "" : " ",
                       printable(etag), value);
  }
  std::string out = "{";
  json::append_member(out, "event", event.kind);
  if (!key.empty()) json::append_member(out, "key", key);
  if (!etag.empty()) json::append_member(out, "etag", etag);
  if (has_record) out += ",\"record\":" + std::string(simdjson::minify(object));
  if (!event.id.empty()) json::append_member(out, "resume", event.id);
  return out + "}\n";
}

Result<std::string> transaction_text(std::string_view body) {
  json::Parser parser;
  const auto parsed = parser.parse(body, json::Reading::whole_text);
  json::Array results;
  if (!parsed || (*parsed)["results"].get(results) != simdjson::SUCCESS)
    return fail(Errc::internal, "the sidecar answered something that is not a transaction's results");
  std::string out;
  for (const Element result : results) {
    Object object;
    std::int64_t status = 0;
    if (result.get(object) != simdjson::SUCCESS || object["status"].get(status) != simdjson::SUCCESS) continue;
    const std::string etag = text_member(object, "etag");
    const std::string_view what = status == 201   ? "created"
                                  : status == 404 ? "absent"
                                  : status == 204 ? "deleted"
                                  : etag.empty()  ? "checked"
                                                  : "saved";
    out += fmt::format("{:<8} {} {}\n", what, printable(text_member(object, "key")), printable(etag));
  }
  return out;
}

namespace {

// "up", "down: the reason", or "unknown".
std::string health_of(Element health, std::string_view store) {
  Object object;
  if (health["stores"][store].get(object) != simdjson::SUCCESS) return "unknown";
  const std::string reason = text_member(object, "reason");
  return text_member(object, "status") + (reason.empty() ? "" : ": " + reason);
}

// One line for each ability: flags as yes and no, levels as what they are served as.
std::string abilities_text(Object can) {
  std::string out;
  for (const auto [name, value] : can) {
    std::string text = simdjson::minify(value);
    if (text == "true" || text == "false") text = text == "true" ? "yes" : "no";
    if (text == "null") text = "no limit";
    Object levels;
    if (value.get(levels) == simdjson::SUCCESS) {
      text.clear();
      for (const auto [asked, served] : levels) {
        std::string_view as;
        if (served.get(as) != simdjson::SUCCESS) continue;
        text += text.empty() ? "" : ", ";
        text += asked == as ? std::string(asked) : fmt::format("{} (as {})", asked, as);
      }
    }
    out += fmt::format("{:<24}{}\n", name, printable(text));
  }
  return out;
}

std::string store_text(Object store, const std::string& health, bool whole) {
  if (!whole)
    return fmt::format("{:<20} {:<18} {:<4} {}\n", printable(text_member(store, "name")), text_member(store, "type"),
                       text_member(store, "version"), printable(health));
  std::string out;
  append_line(out, "store", text_member(store, "name"));
  append_line(out, "type", text_member(store, "type") + "/" + text_member(store, "version"));
  append_line(out, "health", health);
  Element member;
  Object can;
  if (json::find_member(store, "capabilities", member) && member.get(can) == simdjson::SUCCESS)
    out += '\n' + abilities_text(can);
  return out;
}

// The store's own text, with its health as one more member.
std::string store_json(Element store, const std::string& health) {
  std::string out = simdjson::minify(store);
  out.pop_back();
  out += R"(,"health":)";
  json::append_string(out, health);
  return out + "}";
}

}  // namespace

Result<std::string> info_text(std::string_view stores, std::string_view health, std::string_view store, bool as_json) {
  json::Parser parser;
  json::Parser health_parser;
  const auto parsed = parser.parse(stores, json::Reading::whole_text);
  const auto answers = health_parser.parse(health, json::Reading::whole_text);
  json::Array all;
  if (!parsed || !answers || (*parsed)["stores"].get(all) != simdjson::SUCCESS)
    return fail(Errc::internal, "the sidecar answered something that is not a list of stores");
  std::string out;
  for (const Element one : all) {
    Object object;
    if (one.get(object) != simdjson::SUCCESS) continue;
    const std::string name = text_member(object, "name");
    if (!store.empty() && name != store) continue;
    const std::string state = health_of(*answers, name);
    if (as_json)
      out += (out.empty() ? "" : ",\n") + store_json(one, state);
    else
      out += store_text(object, state, !store.empty());
  }
  if (out.empty() && !store.empty())
    return fail(Errc::not_found,
                fmt::format("the sidecar has no store \"{}\"; holdfast state info lists those it has", store));
  if (!as_json) return out.empty() ? "the sidecar has no state store\n" : out;
  return store.empty() ? "[" + out + "]\n" : out + '\n';
}

}  // namespace holdfast::cli
