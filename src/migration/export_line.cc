#include "migration/export_line.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/encoding.h"
#include "migration/json_text.h"
#include "state/pairs.h"

namespace holdfast::migration {
namespace {

using state::ListedRecord;
using state::Record;
using state::RecordFields;
using state::Shape;

// The first and the last moment that the form of times has a place for; what expires later expires then.
constexpr WallTime kFirstTime{-62'167'219'200'000'000};
constexpr WallTime kLastTime{253'402'300'799'999'999};

std::string time_text(WallTime time) { return rfc3339_ticks(std::clamp(time, kFirstTime, kLastTime)); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "Z", "+02:00": how far ahead of UTC.
std::optional<std::int64_t> zone_us(std::string_view zone) {
  if (zone == "Z") return 0;
  const bool has_form = zone.size() == 6 && (zone[0] == '+' || zone[0] == '-') && zone[3] == ':' && is_digit(zone[1]) &&
                        is_digit(zone[2]) && is_digit(zone[4]) && is_digit(zone[5]);
  if (!has_form) return std::nullopt;
  const int minutes = ((zone[1] - '0') * 10 + (zone[2] - '0')) * 60 + (zone[4] - '0') * 10 + (zone[5] - '0');
  return (zone[0] == '-' ? -1 : 1) * std::int64_t{60'000'000} * minutes;
}

std::optional<WallTime> parse_time(std::string_view text) {
  static constexpr std::size_t kSeconds = 19;  // "2026-11-22T04:49:17"
  if (text.size() <= kSeconds || (text[10] != 'T' && text[10] != 't')) return std::nullopt;
  std::string seconds(text.substr(0, kSeconds));
  seconds[10] = ' ';
  WallTime time;
  if (!parse_sql_seconds(seconds, time)) return std::nullopt;
  text.remove_prefix(kSeconds);
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    std::int64_t unit = 100'000;
    if (text.empty() || !is_digit(text[0])) return std::nullopt;
    for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1), unit /= 10) time.us += unit * (text[0] - '0');
  }
  const auto ahead = zone_us(text);
  if (!ahead) return std::nullopt;
  time.us -= *ahead;
  return std::clamp(time, kFirstTime, kLastTime);
}

WallTime read_time(ObjectReader& object, std::string_view name) {
  if (!object.has(name)) return {};
  const auto time = parse_time(object.text(name));
  if (!time) object.refuse("\"" + std::string(name) + "\" is not a time such as 2026-11-22T04:49:17Z");
  return time.value_or(WallTime{});
}

// An object where names come once and all is UTF-8, which is nearly always; else the text that stores keep.
void write_pairs(ObjectText& out, std::string_view name, const state::Pairs& pairs) {
  if (pairs.empty()) return;
  ObjectText object;
  std::vector<std::string_view> names;
  bool is_plain = true;
  for (const auto& [key, value] : pairs) {
    is_plain = is_plain && is_utf8(key) && is_utf8(value) && std::ranges::find(names, key) == names.end();
    names.push_back(key);
    object.text(key, value);
  }
  if (is_plain) {
    out.raw(name, object.finish());
  } else {
    out.text(std::string(name) + "Encoded", state::encode_pairs(pairs));
  }
}

state::Pairs read_pairs(ObjectReader& object, std::string_view name) {
  const std::string encoded_name = std::string(name) + "Encoded";
  if (object.has(encoded_name)) return state::decode_pairs(object.text(encoded_name));
  state::Pairs pairs;
  const auto members = object.object(name);
  if (!members) return pairs;
  for (const auto [key, value] : *members) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS)
      object.refuse("\"" + std::string(name) + "\" has a member that is no string");
    pairs.emplace_back(key, text);
  }
  return pairs;
}

// Whether the text may stand in a line as it is, and can be taken out again byte for byte.
bool fits_in_line(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  if (text.empty() || text.find_first_of("\r\n") != std::string_view::npos) return false;
  if (kBlank.contains(text.front()) || kBlank.contains(text.back())) return false;
  return is_utf8(text) && json::is_valid(text);
}

// The text of a member of the outermost object, as it stands in valid JSON; empty when its name is not written so.
class RawMember {
 public:
  RawMember(std::string_view text, std::string_view quoted_name) : text_(text), name_(quoted_name) {}

  std::string_view find() {
    for (at_ = text_.find('{') + 1; at_ < text_.size(); ++at_) {
      if (text_[at_] != '"') continue;
      const std::size_t begin = at_;
      skip_string();
      const bool is_it = text_.substr(begin, at_ - begin) == name_;
      at_ = std::min(text_.find_first_not_of(" \t\r\n:", at_), text_.size());
      const std::string_view value = take_value();
      if (is_it) return value;
    }
    return {};
  }

 private:
  // To behind the closing quote.
  void skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_)
      if (text_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
  }
  // To the comma or brace behind the value.
  std::string_view take_value() {
    const std::size_t begin = at_;
    for (int depth = 0; at_ < text_.size();) {
      const char c = text_[at_];
      if (c == '"') {
        skip_string();
        continue;
      }
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '{' || c == '[') ++depth;
      if (c == '}' || c == ']') --depth;
      ++at_;
    }
    return trim(text_.substr(begin, at_ - begin));
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
};

ExportLine read_header(ObjectReader& object) {
  ExportHeader header;
  header.format = object.number("holdfastExport");
  header.program = object.text("program");
  header.from = object.text("from");
  header.prefix = object.bytes("prefix");
  header.exported = object.text("exported");
  if (header.format != kExportFormat)
    object.refuse("the file has format " + std::to_string(header.format) + "; this version reads format " +
                  std::to_string(kExportFormat));
  return header;
}

ExportLine read_trailer(ObjectReader& object) {
  const auto content = Digest::parse(object.text("content"));
  const auto lines = Digest::parse(object.text("lines"));
  if (!content || !lines) object.refuse("\"content\" and \"lines\" of the last line have to be COUNT:HASH");
  return ExportTrailer{content.value_or(Digest()), lines.value_or(Digest())};
}

void read_value(ObjectReader& object, std::string_view line, Record& record) {
  const std::string shape = object.text("shape");
  if (shape != "json" && shape != "bytes") object.refuse("\"shape\" has to be \"json\" or \"bytes\"");
  record.shape = shape == "json" ? Shape::json : Shape::bytes;
  if (object.has("valueBase64")) {
    record.value = object.bytes("value");
  } else if (object.has("value") && record.shape == Shape::json) {
    record.value = RawMember(line, "\"value\"").find();
    if (record.value.empty()) object.refuse("\"value\" is written with escapes in its name");
  } else {
    object.refuse(record.shape == Shape::json ? "there is neither \"value\" nor \"valueBase64\""
                                              : "there is no \"valueBase64\", which values of shape bytes have");
  }
}

ExportLine read_record(ObjectReader& object, std::string_view line) {
  ListedRecord item;
  item.key = object.bytes("key");
  if (!object.has("key") && !object.has("keyBase64")) object.refuse("there is no \"key\"");
  Record& record = item.record;
  read_value(object, line, record);
  record.etag = object.bytes("etag");
  if (object.has("expires")) record.expires_at = read_time(object, "expires");
  if (!object.boolean("fields")) return item;
  RecordFields& fields = record.fields.emplace();
  fields.created = read_time(object, "created");
  fields.created_by = object.bytes("createdBy");
  fields.modified = read_time(object, "modified");
  fields.modified_by = object.bytes("modifiedBy");
  fields.content_type = object.bytes("contentType");
  fields.tags = read_pairs(object, "tags");
  fields.indexes = read_pairs(object, "indexes");
  return item;
}

void write_fields(ObjectText& out, const RecordFields& fields) {
  const auto unless_empty = [&out](std::string_view name, std::string_view value) {
    if (!value.empty()) out.bytes(name, value);
  };
  out.boolean("fields", true).text("created", time_text(fields.created));
  unless_empty("createdBy", fields.created_by);
  out.text("modified", time_text(fields.modified));
  unless_empty("modifiedBy", fields.modified_by);
  unless_empty("contentType", fields.content_type);
  write_pairs(out, "tags", fields.tags);
  write_pairs(out, "indexes", fields.indexes);
}

}  // namespace

std::string line_of(const ExportHeader& header) {
  ObjectText out;
  out.number("holdfastExport", header.format).text("program", header.program).text("from", header.from);
  out.bytes("prefix", header.prefix).text("exported", header.exported);
  return out.finish() + '\n';
}

std::string line_of(const ListedRecord& item) {
  ObjectText out;
  const Record& record = item.record;
  const bool is_json = record.shape == Shape::json;
  out.bytes("key", item.key).text("shape", is_json ? "json" : "bytes");
  if (is_json && fits_in_line(record.value)) {
    out.raw("value", record.value);
  } else {
    out.text("valueBase64", base64_encode(record.value));
  }
  if (!record.etag.empty()) out.bytes("etag", record.etag);
  if (record.expires_at) out.text("expires", time_text(*record.expires_at));
  if (record.fields) write_fields(out, *record.fields);
  return out.finish() + '\n';
}

std::string line_of(const ExportTrailer& trailer) {
  ObjectText out;
  out.boolean("end", true).text("content", trailer.content.text()).text("lines", trailer.lines.text());
  return out.finish() + '\n';
}

Result<ExportLine> parse_line(std::string_view line) {
  json::Parser parser;
  const auto parsed = parser.parse(line, json::Reading::whole_text);
  json::Object members;
  if (!parsed) return fail(Errc::invalid_argument, "it is not JSON: " + parsed.error().message);
  if (parsed->get(members) != simdjson::SUCCESS) return fail(Errc::invalid_argument, "it is no JSON object");
  ObjectReader object(members);
  ExportLine read = object.has("holdfastExport") ? read_header(object)
                    : object.has("end")          ? read_trailer(object)
                                                 : read_record(object, line);
  if (!object.problem().empty()) return fail(Errc::invalid_argument, object.problem());
  return read;
}

}  // namespace holdfast::migration
