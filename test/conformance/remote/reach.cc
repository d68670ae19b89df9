#include "conformance/remote/reach.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "base/encoding.h"
#include "conformance/remote/http_client.h"
#include "wire/json/json.h"

namespace holdfast::conformance {

namespace {

constexpr std::string_view kEncoded = "b64.";

bool flag(json::Object from, std::string_view name) {
  bool value = false;
  if (from[name].get(value) != simdjson::SUCCESS) throw std::runtime_error("no capability " + std::string(name));
  return value;
}

// null: no limit.
std::uint64_t number(json::Object from, std::string_view name, std::uint64_t no_limit) {
  json::Element value;
  if (from[name].get(value) != simdjson::SUCCESS) throw std::runtime_error("no capability " + std::string(name));
  return value.is_null() ? no_limit : value.get_uint64().value();
}

state::Capabilities::Levels levels(json::Object from, std::string_view name) {
  state::Capabilities::Levels levels{};
  json::Object table;
  if (from[name].get(table) != simdjson::SUCCESS) throw std::runtime_error("no levels of " + std::string(name));
  for (const auto [level, served] : table) {
    const auto asked = state::parse_consistency(level);
    const auto given = state::parse_consistency(served.get_string().value());
    if (!asked || !given) throw std::runtime_error("a level has an unknown name");
    levels[static_cast<std::size_t>(*asked)] = *given;
  }
  return levels;
}

state::Capabilities read_capabilities(json::Object from, Calls calls) {
  state::Capabilities can;
  can.etag = flag(from, "etag");
  can.record_fields = flag(from, "recordFields");
  can.reports_created = flag(from, "reportsCreated");
  can.ttl = flag(from, "ttl");
  can.ttl_grain_ms = static_cast<std::uint32_t>(number(from, "ttlGrainMs", 0));
  can.transaction_ops_max = static_cast<std::uint32_t>(number(from, "transactionOperationsMax", state::kUnlimited));
  can.snapshot_read = flag(from, "snapshotRead");
  can.snapshot_list = flag(from, "snapshotList");
  can.list = flag(from, "list");
  can.ordered_list = flag(from, "orderedList");
  can.keys_like = calls == Calls::ours && flag(from, "keysLike");
  can.delete_prefix = calls == Calls::ours && flag(from, "deletePrefix");
  can.query = calls == Calls::ours && flag(from, "query");
  can.query_sort_keys_max = static_cast<std::uint32_t>(number(from, "querySortKeysMax", state::kUnlimited));
  can.query_by_index = flag(from, "queryByIndex");
  can.secondary_index = flag(from, "secondaryIndex");
  can.watch = calls == Calls::ours && flag(from, "watch");
  can.watch_resume = can.watch && flag(from, "watchResume");
  can.watch_coalesces = can.watch && flag(from, "watchCoalesces");
  can.exact_json = flag(from, "exactJson");
  can.durable = flag(from, "durable");
  can.key_bytes_max = number(from, "keyBytesMax", 0);
  can.value_bytes_max = number(from, "valueBytesMax", 0);
  can.reads = levels(from, "reads");
  can.writes = levels(from, "writes");
  return can;
}

std::string text_of(const state::Scalar& value) {
  std::string text = "null";
  if (const auto* truth = std::get_if<bool>(&value)) text = *truth ? "true" : "false";
  if (const auto* number = std::get_if<double>(&value)) text = fmt::format("{}", *number);
  if (const auto* string = std::get_if<std::string>(&value)) {
    text.clear();
    json::append_string(text, *string);
  }
  return text;
}

constexpr std::string_view name_of(state::Filter::Op op) {
  using Op = state::Filter::Op;
  switch (op) {
    case Op::eq:
      return "EQ";
    case Op::neq:
      return "NEQ";
    case Op::gt:
      return "GT";
    case Op::gte:
      return "GTE";
    case Op::lt:
      return "LT";
    case Op::lte:
      return "LTE";
    case Op::in:
      return "IN";
    case Op::all_of:
      return "AND";
    case Op::any_of:
      return "OR";
  }
  return "";
}

std::string text_of(const state::Filter& filter) {
  const bool is_unit = filter.filters.empty();
  std::vector<std::string> parts;
  for (const state::Filter& part : filter.filters) parts.push_back(text_of(part));
  for (const state::Scalar& value : filter.values) parts.push_back(text_of(value));
  std::string inside = fmt::format("{}", fmt::join(parts, ","));
  if (!is_unit || filter.op == state::Filter::Op::in) inside = "[" + inside + "]";
  if (is_unit) inside = fmt::format("{{{}:{}}}", text_of(state::Scalar(filter.path)), inside);
  return fmt::format(R"({{"{}":{}}})", name_of(filter.op), inside);
}

}  // namespace

std::string query_text(const state::Query& query) {
  std::vector<std::string> members;
  if (!query.filter.empty()) members.push_back("\"filter\":" + text_of(query.filter[0]));
  std::vector<std::string> keys;
  for (const state::Sort& sort : query.sort)
    keys.push_back(fmt::format(R"({{"key":{},"order":"{}"}})", text_of(state::Scalar(sort.path)),
                               sort.descending ? "DESC" : "ASC"));
  if (!keys.empty()) members.push_back(fmt::format("\"sort\":[{}]", fmt::join(keys, ",")));
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

state::Capabilities reachable_of(std::uint16_t http_port, std::string_view store, Calls calls) {
  auto client = HttpClient::connect(http_port);
  if (!client) throw std::runtime_error(client.error().message);
  const auto answer = (*client)->send({"GET", "/v2/stores", {}, {}});
  if (!answer || answer->status != 200) throw std::runtime_error("the daemon does not tell its stores");
  json::Parser parser;
  const auto document = parser.parse(answer->body);
  if (!document) throw std::runtime_error("/v2/stores is not JSON");
  for (const json::Element entry : (*document)["stores"].get_array().value()) {
    if (entry["name"].get_string().value() != store) continue;
    return read_capabilities(entry["capabilities"].get_object().value(), calls);
  }
  throw std::runtime_error("the daemon has no store " + std::string(store));
}

std::string tag_of(std::string_view etag) {
  const bool as_it_is = !etag.starts_with(kEncoded) &&
                        std::ranges::all_of(etag, [](char c) { return c == '!' || (c >= '#' && c <= '~'); });
  return as_it_is ? "\"" + std::string(etag) + "\"" : "\"" + std::string(kEncoded) + base64url_encode(etag) + "\"";
}

std::string etag_of(std::string_view tag) {
  if (tag.size() < 2 || !tag.starts_with('"') || !tag.ends_with('"')) return {};
  tag = tag.substr(1, tag.size() - 2);
  if (!tag.starts_with(kEncoded)) return std::string(tag);
  return base64url_decode(tag.substr(kEncoded.size())).value_or("");
}

std::optional<WallTime> parse_time(std::string_view text) {
  const std::string copy(text);
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int read = 0;
  if (std::sscanf(copy.c_str(), "%4d-%2u-%2uT%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second, &read) != 6)
    return std::nullopt;
  std::string_view rest = text.substr(static_cast<std::size_t>(read));
  std::int64_t us = 0;
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    std::int64_t unit = 100'000;
    for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), unit /= 10)
      us += (rest[0] - '0') * unit;
  }
  if (rest != "Z" && rest != "+00:00") return std::nullopt;
  const std::chrono::sys_days date{std::chrono::year(year) / std::chrono::month(month) / std::chrono::day(day)};
  const std::int64_t seconds =
      std::chrono::sys_seconds(date).time_since_epoch().count() + hour * 3600 + minute * 60 + second;
  return WallTime{seconds * 1'000'000 + us};
}

bool is_plain(const state::Precondition& when) {
  if (when.kind == state::Precondition::Kind::present) return false;
  // An empty etag is none, in Dapr's calls.
  return when.kind != state::Precondition::Kind::one_of || (when.etags.size() == 1 && !when.etags[0].empty());
}

bool is_plain(const state::SetRequest& request) {
  const bool type_is_implied = request.content_type == (request.shape == state::Shape::json ? kJsonType : "");
  return is_plain(request.when) && request.tags.empty() && request.indexes.empty() && type_is_implied &&
         !request.want_record;
}

std::int64_t whole_seconds(Milliseconds ttl) { return ttl.count() <= 0 ? -1 : (ttl.count() + 999) / 1000; }

Errc code_of_text(std::string_view text, Errc otherwise) {
  if (text.find("possible etag mismatch") != std::string_view::npos) return Errc::precondition_failed;
  if (text.find("invalid etag value") != std::string_view::npos) return Errc::etag_invalid;
  return otherwise;
}

Task<std::vector<Result<std::optional<state::Record>>>> read_alone_what_failed(
    state::StateStore& store, state::CallContext context, std::span<const state::GetRequest> requests,
    Result<std::vector<Result<std::optional<state::Record>>>> found) {
  if (!found) co_return all_failed<std::optional<state::Record>>(requests.size(), found.error());
  for (std::size_t i = 0; i < requests.size(); ++i)
    if (!(*found)[i]) (*found)[i] = co_await store.get(context, requests[i]);
  co_return std::move(*found);
}

std::vector<Result<state::Written>> written_as(const std::vector<Result<std::optional<state::Record>>>& records) {
  std::vector<Result<state::Written>> all;
  for (const auto& record : records) {
    auto& written = all.emplace_back();
    if (!record)
      written = fail(record.error());
    else if (*record)
      written->etag = (**record).etag;
  }
  return all;
}

}  // namespace holdfast::conformance
