#include "api/query_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/json/json.h"
#include "wire/json/raw.h"

namespace holdfast::api {

using json::RawMember;
using json::RawValue;
using Kind = json::RawValue::Kind;

namespace {

std::unexpected<Error> wrong(std::string message) { return fail(Errc::invalid_argument, std::move(message)); }

Status read_flag(const RawValue& value, bool& out) {
  if (!value.is(Kind::boolean)) return wrong("is neither true nor false");
  out = value.text() == "true";
  return {};
}

Status read_text(const RawValue& value, std::string& out) {
  if (!value.is(Kind::string)) return wrong(fmt::format("is {} and should be a string", json::name_of(value.kind())));
  out = value.string();
  return {};
}

Status read_texts(const RawValue& value, std::vector<std::string>& out) {
  if (!value.is(Kind::array)) return wrong("is not an array of strings");
  for (const RawValue& element : value.elements())
    if (auto ok = read_text(element, out.emplace_back()); !ok) return ok;
  return {};
}

Status read_pairs(const RawValue& value, state::Pairs& out) {
  if (!value.is(Kind::object)) return wrong("is not an object of strings");
  for (const RawMember& member : value.members()) {
    std::string text;
    if (auto ok = read_text(member.value, text); !ok) return fail(with_context(std::move(ok.error()), member.name));
    out.emplace_back(member.name, std::move(text));
  }
  return {};
}

Status read_fields(const RawValue& value, Projection& out) {
  std::vector<std::string> paths;
  if (auto ok = read_texts(value, paths); !ok) return ok;
  auto fields = Projection::of(paths);
  if (!fields) return fail(std::move(fields.error()));
  out = std::move(*fields);
  return {};
}

// What a query of v2 has beside Dapr's.
Status read_further_member(const RawMember& member, QueryCommand& out) {
  if (member.name == "page") return {};  // state::parse_query() reads it
  if (member.name == "prefix") return read_text(member.value, out.prefix);
  if (member.name == "tags") return read_pairs(member.value, out.tags);
  if (member.name == "indexes") return read_pairs(member.value, out.indexes);
  if (member.name == "fields") return read_fields(member.value, out.fields);
  if (member.name == "scan") return read_flag(member.value, out.may_scan);
  return wrong("is unknown; known: filter, sort, page, prefix, tags, indexes, fields, scan");
}

template <class Further>
Status read(std::string_view json, QueryCommand& out, Further further) {
  auto root = RawValue::read(json);
  if (!root) return fail(with_context(std::move(root.error()), "the query"));
  if (!root->is(Kind::object))
    return wrong(fmt::format("the query is {} and should be an object", json::name_of(root->kind())));
  for (const RawMember& member : root->members()) {
    Status ok;
    if (member.name == "filter" || member.name == "sort")
      out.text += fmt::format("{}:{}", member.name, member.value.text());
    else
      ok = further(member);
    if (!ok) return fail(with_context(std::move(ok.error()), fmt::format("\"{}\"", member.name)));
  }
  auto query = state::parse_query(json);
  if (!query) return fail(std::move(query.error()));
  out.query = std::move(*query);
  return {};
}

}  // namespace

Status read_query(std::string_view json, QueryCommand& out) {
  if (json.empty()) json = "{}";
  return read(json, out, [](const RawMember&) -> Status { return wrong("is unknown; known: filter, sort"); });
}

Result<QueryCommand> read_query_body(std::string_view body) {
  QueryCommand command;
  if (auto ok =
          read(body, command, [&command](const RawMember& member) { return read_further_member(member, command); });
      !ok)
    return fail(std::move(ok.error()));
  return command;
}

Result<Projection> Projection::of(const std::vector<std::string>& paths) {
  if (paths.size() > kQueryFieldsMax)
    return wrong(fmt::format("there are {} fields; at most {} are taken", paths.size(), kQueryFieldsMax));
  Projection projection;
  for (const std::string& path : paths) {
    Node* node = &projection.root_;
    std::size_t depth = 0;
    for (std::string_view rest = path;;) {
      const std::size_t dot = rest.find('.');
      const std::string_view name = rest.substr(0, dot);
      if (name.empty()) return wrong(fmt::format("\"{}\" is no path: names with a dot between them", path));
      if (++depth > state::kQueryDepthMax)
        return wrong(fmt::format("a path has more than {} names", state::kQueryDepthMax));
      const auto found = std::ranges::find(node->members, name, &Node::name);
      node = found != node->members.end() ? &*found : &node->members.emplace_back(Node{std::string(name), false, {}});
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
    node->is_whole = true;
  }
  return projection;
}

std::string Projection::of_value(std::string_view json) const {
  std::string out;
  return append(out, json, root_) ? out : "{}";
}

// Whether anything is there.
bool Projection::append(std::string& out, std::string_view json, const Node& node) {
  if (node.is_whole) {
    out += json;
    return true;
  }
  const auto value = RawValue::read(json);
  if (!value || !value->is(Kind::object)) return false;
  std::string text = "{";
  std::vector<const Node*> taken;
  for (const RawMember& member : value->members()) {
    const auto wanted = std::ranges::find(node.members, member.name, &Node::name);
    if (wanted == node.members.end() || std::ranges::find(taken, &*wanted) != taken.end()) continue;
    taken.push_back(&*wanted);
    std::string part;
    if (!append(part, member.value.text(), *wanted)) continue;
    json::append_name(text, member.name);
    text += part;
  }
  if (text == "{") return false;
  out += text + "}";
  return true;
}

}  // namespace holdfast::api
