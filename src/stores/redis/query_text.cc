#include "stores/redis/query_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "base/encoding.h"
#include "base/number.h"
#include "wire/json/json.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {
namespace {

using state::Filter;
using state::Scalar;
using Column = SearchIndex::Column;
using Op = state::Filter::Op;
using Type = SearchIndex::Type;

template <class... Args>
std::unexpected<Error> refuse(fmt::format_string<Args...> text, Args&&... args) {
  return fail(Errc::invalid_argument, fmt::format(text, std::forward<Args>(args)...));
}

bool is_word_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

// A full-text value as the words the index keeps of it: everything else separates words there too, so nothing of the
// query language is left. In quotation marks the words have to follow each other. Empty when there is no word.
std::string phrase(std::string_view text) {
  std::string words;
  for (const char c : text) {
    if (is_word_byte(c))
      words += c;
    else if (!words.empty() && words.back() != ' ')
      words += ' ';
  }
  while (words.ends_with(' ')) words.pop_back();
  return words.empty() ? "" : '"' + words + '"';
}

// A tag with a backslash before everything that is not part of a word. Empty when the language has no way to say it.
std::string tag(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0x7f || (byte < 0x20 && !std::string_view("\t\n\v\f\r").contains(c))) return "";
    if (!is_word_byte(c)) out += '\\';
    out += c;
  }
  return out;
}

class Compiler {
 public:
  explicit Compiler(const SearchIndex& index) : index_(index) {}

  Result<std::string> condition(const Filter& filter) const {
    if (filter.op == Op::all_of) return joined(filter.filters, " ");
    if (filter.op == Op::any_of) return joined(filter.filters, " | ");
    auto at = column(filter.path);
    if (!at) return fail(std::move(at.error()));
    if (filter.op == Op::in) return among(*at, filter);
    if (filter.values.empty()) return fail(Errc::internal, "a filter of a query has no value");
    switch (filter.op) {
      case Op::eq:
        return equals(*at, filter.values.front());
      case Op::neq:
        return negated(equals(*at, filter.values.front()));
      default:
        return compares(*at, filter);
    }
  }

  // The column's number, which is its name in the index: var0, var1, ...
  Result<std::size_t> column(std::string_view path) const {
    for (std::size_t i = 0; i < index_.columns.size(); ++i)
      if (index_.columns[i].path == path) return i;
    return refuse("the search index \"{}\" does not cover the path \"{}\"; add it to the component's queryIndexes",
                  index_.name, path);
  }

 private:
  Result<std::string> joined(std::span<const Filter> filters, std::string_view between) const {
    if (filters.empty()) return fail(Errc::internal, "a filter of a query has no parts");
    std::string out;
    for (const Filter& filter : filters) {
      auto part = condition(filter);
      if (!part) return part;
      out += (out.empty() ? "(" : std::string(between)) + *part;
    }
    return out + ')';
  }

  static Result<std::string> negated(Result<std::string> part) {
    if (!part) return part;
    return fmt::format("(-{})", *part);
  }

  std::unexpected<Error> unfit(const Column& column, std::string_view what) const {
    return refuse("the path \"{}\" is a {} field of the search index \"{}\", which cannot compare {}", column.path,
                  name_of(column.type), index_.name, what);
  }

  Result<std::string> equals(std::size_t at, const Scalar& value) const {
    const Column& column = index_.columns[at];
    if (const double* number = std::get_if<double>(&value)) {
      if (column.type != Type::numeric) return unfit(column, "numbers");
      return fmt::format("@var{}:[{} {}]", at, *number, *number);
    }
    auto word = operand(column, value);
    if (!word) return word;
    return column.type == Type::text ? fmt::format("@var{}:({})", at, *word) : fmt::format("@var{}:{{{}}}", at, *word);
  }

  // A string, or for a tag a boolean, as it stands inside the parentheses of its field.
  Result<std::string> operand(const Column& column, const Scalar& value) const {
    if (const bool* flag = std::get_if<bool>(&value)) {
      if (column.type != Type::tag) return unfit(column, "booleans; TAG can");
      return *flag ? "true" : "false";
    }
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return unfit(column, std::holds_alternative<double>(value) ? "numbers" : "null");
    if (column.type == Type::numeric) return unfit(column, "strings");
    std::string word = column.type == Type::text ? phrase(*text) : tag(*text);
    if (word.empty()) return unfit(column, "with a text that has no letter or digit, or control characters");
    return word;
  }

  Result<std::string> compares(std::size_t at, const Filter& filter) const {
    const Column& column = index_.columns[at];
    const double* number = std::get_if<double>(&filter.values.front());
    if (number == nullptr) return unfit(column, "which of two values that are no numbers is the greater");
    if (column.type != Type::numeric) return unfit(column, "numbers");
    switch (filter.op) {
      case Op::gt:
        return fmt::format("@var{}:[({} +inf]", at, *number);
      case Op::gte:
        return fmt::format("@var{}:[{} +inf]", at, *number);
      case Op::lt:
        return fmt::format("@var{}:[-inf ({}]", at, *number);
      default:
        return fmt::format("@var{}:[-inf {}]", at, *number);
    }
  }

  Result<std::string> among(std::size_t at, const Filter& filter) const {
    const Column& column = index_.columns[at];
    if (filter.values.empty()) return fail(Errc::internal, "a list of a query is empty");
    std::string out;
    for (const Scalar& value : filter.values) {
      auto part = column.type == Type::numeric ? equals(at, value) : operand(column, value);
      if (!part) return part;
      out += (out.empty() ? "" : " | ") + *part;
    }
    if (column.type == Type::numeric) return '(' + out + ')';
    return column.type == Type::text ? fmt::format("@var{}:({})", at, out) : fmt::format("@var{}:{{{}}}", at, out);
  }

  const SearchIndex& index_;
};

Result<std::uint64_t> read_token(std::string_view token) {
  std::uint64_t offset = 0;
  if (token.empty()) return offset;
  if (!read_number(token, offset) || offset > (1u << 31)) return refuse("the token is not one of this query's");
  return offset;
}

Result<Type> read_type(std::string_view text) {
  for (const Type type : {Type::text, Type::numeric, Type::tag})
    if (iequals(text, name_of(type))) return type;
  return refuse("has the type \"{}\" where TEXT, NUMERIC or TAG has to stand", text);
}

Result<std::string> read_text(json::Object object, std::string_view name) {
  json::Element value;
  if (!json::find_member(object, name, value) || !value.is_string() || value.get_string().value_unsafe().empty())
    return refuse("needs a text under \"{}\"", name);
  return std::string(value.get_string().value_unsafe());
}

// A path goes into the schema as it is: names joined by dots and nothing that JSONPath understands.
bool is_plain_path(std::string_view path) {
  return !path.starts_with('.') && !path.ends_with('.') && !path.contains("..") &&
         std::ranges::all_of(path, [](char c) { return is_word_byte(c) || c == '.' || c == '-'; });
}

Result<Column> read_column(json::Element item) {
  if (!item.is_object()) return refuse("has an entry of \"indexes\" that is no object");
  const json::Object object = item.get_object().value_unsafe();
  auto path = read_text(object, "key");
  if (!path) return fail(std::move(path.error()));
  auto type_name = read_text(object, "type");
  if (!type_name) return fail(std::move(type_name.error()));
  auto type = read_type(*type_name);
  if (!type) return fail(std::move(type.error()));
  if (!is_plain_path(*path)) return refuse("has the key \"{}\"; write names joined by dots, as in person.org", *path);
  return Column{std::move(*path), *type};
}

Result<SearchIndex> read_index(json::Element item) {
  if (!item.is_object()) return refuse("has an entry that is no object");
  const json::Object object = item.get_object().value_unsafe();
  SearchIndex index;
  auto name = read_text(object, "name");
  if (!name) return fail(std::move(name.error()));
  index.name = std::move(*name);
  json::Element columns;
  if (!json::find_member(object, "indexes", columns) || !columns.is_array())
    return refuse("needs a list under \"indexes\" of \"{}\"", index.name);
  for (const json::Element entry : columns.get_array().value_unsafe()) {
    auto column = read_column(entry);
    if (!column) return fail(std::move(column.error()));
    index.columns.push_back(std::move(*column));
  }
  if (index.columns.empty()) return refuse("has the index \"{}\" without a key", index.name);
  return index;
}

}  // namespace

std::string_view name_of(SearchIndex::Type type) {
  return type == Type::text ? "TEXT" : type == Type::numeric ? "NUMERIC" : "TAG";
}

std::string name_of(std::size_t column) { return fmt::format("var{}", column); }
std::string path_of(const SearchIndex::Column& column) { return "$.data." + column.path; }

Result<std::vector<SearchIndex>> parse_search_indexes(std::string_view json) {
  std::vector<SearchIndex> indexes;
  if (trim(json).empty()) return indexes;
  json::Parser parser;
  auto root = parser.parse(json, json::Reading::whole_text);
  if (!root) return refuse("is not JSON: {}", root.error().message);
  if (!root->is_array()) return refuse("has to be a list of indexes");
  for (const json::Element item : root->get_array().value_unsafe()) {
    auto index = read_index(item);
    if (!index) return fail(std::move(index.error()));
    if (std::ranges::find(indexes, index->name, &SearchIndex::name) != indexes.end())
      return refuse("has the name \"{}\" twice", index->name);
    indexes.push_back(std::move(*index));
  }
  return indexes;
}

void append_create_index(std::string& out, const SearchIndex& index) {
  resp::begin_command(out, 5 + index.columns.size() * 5);
  for (const std::string_view word : {std::string_view("FT.CREATE"), std::string_view(index.name),
                                      std::string_view("ON"), std::string_view("JSON"), std::string_view("SCHEMA")})
    resp::append_argument(out, word);
  for (std::size_t i = 0; i < index.columns.size(); ++i) {
    resp::append_argument(out, path_of(index.columns[i]));
    resp::append_argument(out, "AS");
    resp::append_argument(out, name_of(i));
    resp::append_argument(out, name_of(index.columns[i].type));
    resp::append_argument(out, "SORTABLE");
  }
}

void append_drop_index(std::string& out, std::string_view name) { resp::append_command(out, {"FT.DROPINDEX", name}); }

void append_index_info(std::string& out, std::string_view name) { resp::append_command(out, {"FT.INFO", name}); }

Result<SearchCommand> compile_search(const SearchIndex& index, const state::Query& query) {
  const Compiler compiler(index);
  auto offset = read_token(query.token);
  if (!offset) return fail(std::move(offset.error()));
  Result<std::string> text = "*";
  if (!query.filter.empty()) text = compiler.condition(query.filter.front());
  if (!text) return fail(std::move(text.error()));
  if (query.sort.size() > 1)
    return refuse("the search module sorts by one key, and the query has {}", query.sort.size());
  // VERBATIM: a value is compared with itself and not with words of the same stem. DIALECT 3: what RETURN names comes
  // as JSON, where a string has its quotation marks.
  std::vector<std::string> words{"FT.SEARCH", index.name, std::move(*text), "VERBATIM"};
  if (!query.sort.empty()) {
    auto column = compiler.column(query.sort.front().path);
    if (!column) return fail(std::move(column.error()));
    words.insert(words.end(), {"SORTBY", name_of(*column), query.sort.front().descending ? "DESC" : "ASC"});
  }
  SearchCommand command;
  command.offset = *offset;
  command.limit = query.limit == 0 ? kSearchRowsMax : std::min(query.limit, kSearchRowsMax);
  words.insert(words.end(), {"LIMIT", std::to_string(command.offset), std::to_string(command.limit), "RETURN", "2",
                             "$.data", "$.version", "DIALECT", "3"});
  resp::begin_command(command.bytes, words.size());
  for (const std::string& word : words) resp::append_argument(command.bytes, word);
  return command;
}

Result<SearchPlan> plan_search(std::span<const SearchIndex> indexes, const state::Query& query) {
  std::optional<Error> first;
  std::string names;
  for (const SearchIndex& index : indexes) {
    names += (names.empty() ? "\"" : ", \"") + index.name + '"';
    if (!query.index.empty() && query.index != index.name) continue;
    auto command = compile_search(index, query);
    if (command) return SearchPlan{&index, std::move(*command)};
    if (!first) first = std::move(command.error());
  }
  if (first) return fail(std::move(*first));
  return refuse("there is no search index \"{}\"; the component's queryIndexes have {}", query.index, names);
}

std::string search_token_after(const SearchCommand& command, std::size_t rows, std::uint64_t total) {
  const std::uint64_t next = command.offset + rows;
  return rows == 0 || next >= total ? "" : std::to_string(next);
}

}  // namespace holdfast::stores::redis
