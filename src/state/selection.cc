#include "state/selection.h"

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::state {

using Op = Filter::Op;

namespace {

// The value at a dotted path; nothing where a name on the way is absent or no object has it.
std::optional<json::Element> at_path(json::Element value, std::string_view path) {
  for (;;) {
    const std::size_t dot = path.find('.');
    json::Object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
    if (object.at_key(path.substr(0, dot)).get(value) != simdjson::SUCCESS) return std::nullopt;
    if (dot == std::string_view::npos) return value;
    path.remove_prefix(dot + 1);
  }
}

bool equals(json::Element value, const Scalar& scalar) {
  if (std::holds_alternative<std::nullptr_t>(scalar)) return value.is_null();
  if (const bool* flag = std::get_if<bool>(&scalar)) {
    bool found = false;
    return value.get_bool().get(found) == simdjson::SUCCESS && found == *flag;
  }
  if (const double* number = std::get_if<double>(&scalar)) {
    double found = 0;
    return value.get_double().get(found) == simdjson::SUCCESS && found == *number;
  }
  std::string_view found;
  return value.get_string().get(found) == simdjson::SUCCESS && found == std::get<std::string>(scalar);
}

template <class T>
bool compare(Op op, const T& found, const T& asked) {
  switch (op) {
    case Op::gt:
      return found > asked;
    case Op::gte:
      return found >= asked;
    case Op::lt:
      return found < asked;
    default:
      return found <= asked;
  }
}

// Whether the value is greater, or less; only numbers and strings are.
bool is_ordered(Op op, json::Element value, const Scalar& scalar) {
  if (const double* number = std::get_if<double>(&scalar)) {
    double found = 0;
    return value.get_double().get(found) == simdjson::SUCCESS && compare(op, found, *number);
  }
  if (const std::string* text = std::get_if<std::string>(&scalar)) {
    std::string_view found;
    return value.get_string().get(found) == simdjson::SUCCESS && compare<std::string_view>(op, found, *text);
  }
  return false;
}

Place::Key sort_key(const std::optional<json::Element>& value) {
  if (!value || value->is_null()) return std::monostate();
  bool flag = false;
  if (value->get_bool().get(flag) == simdjson::SUCCESS) return flag;
  double number = 0;
  if (value->get_double().get(number) == simdjson::SUCCESS) return number;
  std::string_view text;
  if (value->get_string().get(text) == simdjson::SUCCESS) return std::string(text);
  return Place::Other();
}

void append_key(std::string& out, const Place::Key& key) {
  if (const bool* flag = std::get_if<bool>(&key)) {
    out += *flag ? "true" : "false";
  } else if (const double* number = std::get_if<double>(&key)) {
    json::append_number(out, *number);
  } else if (const std::string* text = std::get_if<std::string>(&key)) {
    json::append_string(out, base64url_encode(*text));  // JSON would not keep every byte
  } else {
    out += std::holds_alternative<Place::Other>(key) ? "{}" : "null";
  }
}

// A token is a JSON array in base64url: the place's sort keys, then its record's key; strings in
// base64url.
std::optional<Place> parse_token(std::string_view token, std::size_t sorts) {
  const auto text = base64url_decode(token);
  if (!text || !json::is_valid(*text)) return std::nullopt;
  json::Parser parser;
  const auto value = parser.parse(*text);
  json::Array array;
  if (!value || value->get_array().get(array) != simdjson::SUCCESS || array.size() != sorts + 1) return std::nullopt;
  Place place;
  for (const json::Element one : array) {
    place.keys.push_back(sort_key(one));
    if (auto* packed = std::get_if<std::string>(&place.keys.back())) {
      auto plain = base64url_decode(*packed);
      if (!plain) return std::nullopt;
      *packed = std::move(*plain);
    }
  }
  auto* key = std::get_if<std::string>(&place.keys.back());
  if (key == nullptr) return std::nullopt;
  place.key = std::move(*key);
  place.keys.pop_back();
  return place;
}

}  // namespace

bool matches(const Filter& filter, json::Element value) {
  const auto one = [value](const Filter& part) { return matches(part, value); };
  if (filter.op == Op::all_of) return std::ranges::all_of(filter.filters, one);
  if (filter.op == Op::any_of) return std::ranges::any_of(filter.filters, one);
  const auto found = at_path(value, filter.path);
  const auto equal = [&found](const Scalar& scalar) { return found && equals(*found, scalar); };
  switch (filter.op) {
    case Op::eq:
    case Op::in:
      return std::ranges::any_of(filter.values, equal);
    case Op::neq:
      return std::ranges::none_of(filter.values, equal);
    default:
      return found && !filter.values.empty() && is_ordered(filter.op, *found, filter.values.front());
  }
}

Result<Selection> Selection::begin(const Query& query) {
  Selection selection(query);
  if (!query.token.empty()) {
    selection.after_ = parse_token(query.token, query.sort.size());
    if (!selection.after_) return fail(Errc::invalid_argument, "the token is not one of this query's");
  }
  return selection;
}

void Selection::offer(ListedRecord&& record) {
  if (record.record.shape != Shape::json) return;
  const auto value = parser_.parse(record.record.value);
  if (!value) return;
  if (!query_->filter.empty() && !matches(query_->filter.front(), *value)) return;
  Place place = place_of(record.key, *value);
  if (after_ && !before(*after_, place)) return;
  rows_.push_back({std::move(place), std::move(record)});
  if (query_->limit != 0 && rows_.size() >= 2 * (static_cast<std::size_t>(query_->limit) + 1) + 1000) trim();
}

bool Selection::is_full() const { return query_->sort.empty() && query_->limit != 0 && rows_.size() > query_->limit; }

QueryPage Selection::finish() && {
  std::ranges::sort(rows_, [this](const Row& a, const Row& b) { return before(a.place, b.place); });
  QueryPage page;
  if (query_->limit != 0 && rows_.size() > query_->limit) {
    rows_.resize(query_->limit);
    page.token = token_of(rows_.back().place);
  }
  for (Row& row : rows_) page.items.push_back(std::move(row.record));
  return page;
}

void Selection::trim() {
  const auto end_of_page = rows_.begin() + query_->limit + 1;
  std::ranges::nth_element(rows_, end_of_page, [this](const Row& a, const Row& b) { return before(a.place, b.place); });
  rows_.erase(end_of_page, rows_.end());
}

bool Selection::before(const Place& a, const Place& b) const {
  for (std::size_t i = 0; i < query_->sort.size(); ++i) {
    if (a.keys[i] == b.keys[i]) continue;
    return query_->sort[i].descending ? b.keys[i] < a.keys[i] : a.keys[i] < b.keys[i];
  }
  return a.key < b.key;
}

Place Selection::place_of(std::string_view key, json::Element value) const {
  Place place;
  place.key = key;
  for (const Sort& sort : query_->sort) place.keys.push_back(sort_key(at_path(value, sort.path)));
  return place;
}

std::string Selection::token_of(const Place& place) const {
  std::string text = "[";
  for (const Place::Key& key : place.keys) {
    append_key(text, key);
    text += ',';
  }
  append_key(text, place.key);
  text += ']';
  return base64url_encode(text);
}

}  // namespace holdfast::state
