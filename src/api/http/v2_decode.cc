#include "api/http/v2_decode.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/http/target.h"
#include "api/v1.h"
#include "base/encoding.h"
#include "base/number.h"
#include "state/component.h"
#include "wire/json/raw.h"

namespace holdfast::api {

using json::RawMember;
using json::RawValue;
using Kind = json::RawValue::Kind;

namespace {

std::unexpected<Error> wrong(std::string message) { return fail(Errc::invalid_argument, std::move(message)); }

// ---- Conditions

Conditions if_match(std::vector<std::string> etags) {
  Conditions when;
  when.etags = std::move(etags);
  const bool any = std::ranges::find(when.etags, "*") != when.etags.end();
  when.kind = any ? state::Precondition::Kind::present : state::Precondition::Kind::one_of;
  return when;
}

Result<Conditions> if_none_match(std::string_view text) {
  if (trim(text) != "*") return wrong("If-None-Match takes only * on a write");
  Conditions when;
  when.kind = state::Precondition::Kind::absent;
  return when;
}

// "30s", "1m30s", or whole seconds; 0 and -1 mean none.
Result<std::optional<Milliseconds>> read_ttl(const std::string& text) {
  std::int64_t seconds = 0;
  Milliseconds ttl{};
  if (read_number(text, seconds) && seconds >= -1 && seconds <= 0x7fffffff) {
    ttl = std::chrono::seconds(seconds);
  } else if (auto duration = state::parse_go_duration(text); duration && *duration >= Milliseconds(0)) {
    ttl = *duration;
  } else {
    return wrong("ttl is neither whole seconds nor a duration such as 30s or 1h30m");
  }
  if (ttl <= Milliseconds(0)) return std::nullopt;
  return ttl;
}

}  // namespace

Result<Conditions> conditions_of(const http::Request& request) {
  const std::string_view match = request.headers.find("if-match");
  const std::string_view none_match = request.headers.find("if-none-match");
  if (!match.empty() && !none_match.empty()) return wrong("If-Match and If-None-Match exclude each other on a write");
  if (!none_match.empty()) return if_none_match(none_match);
  if (match.empty()) return Conditions();
  Conditions when = if_match(entity_tags(match));
  if (when.etags.empty()) return wrong("If-Match holds no entity tag");
  return when;
}

bool wants_representation(const http::Request& request) {
  return request.headers.find("prefer").find("return=representation") != std::string_view::npos;
}

// ---- Parameters

namespace {

// Calls `read(name, value)` for each; it says whether it knows the name.
template <class Read>
Status read_parameters(std::string_view query, std::string_view known, Read read) {
  for (const auto& [name, value] : query_parameters(query)) {
    if (name == "consistency") continue;
    Result<bool> done = read(name, value);
    if (!done) return fail(std::move(done.error()));
    if (!*done) return wrong(fmt::format("unknown parameter \"{}\"; known: {}", name, known));
  }
  return {};
}

Result<bool> read_flag(std::string_view name, std::string_view value, bool& out) {
  if (value != "true" && value != "false") return wrong(fmt::format("{} is neither true nor false", name));
  out = value == "true";
  return true;
}

Result<bool> read_limit(const std::string& value, std::uint32_t& out) {
  if (!read_number(value, out) || out == 0 || out > kListLimitMax)
    return wrong(fmt::format("limit is not a number from 1 to {}", kListLimitMax));
  return true;
}

}  // namespace

Status read_put_parameters(std::string_view query, PutCommand& out) {
  constexpr std::string_view kKnown = "ttl, consistency, tag.NAME, index.NAME, createdBy, modifiedBy";
  return read_parameters(query, kKnown, [&out](const std::string& name, const std::string& value) -> Result<bool> {
    if (name == "ttl") {
      auto ttl = read_ttl(value);
      if (!ttl) return fail(std::move(ttl.error()));
      out.ttl = *ttl;
    } else if (name.starts_with("tag.")) {
      set_metadata(out.tags, name.substr(4), value);
    } else if (name.starts_with("index.")) {
      set_metadata(out.indexes, name.substr(6), value);
    } else if (name == "createdBy") {
      out.created_by = value;
    } else if (name == "modifiedBy") {
      out.modified_by = value;
    } else {
      return false;
    }
    return true;
  });
}

Status read_patch_parameters(std::string_view query, PatchCommand& out) {
  constexpr std::string_view kKnown = "ttl, consistency, modifiedBy";
  return read_parameters(query, kKnown, [&out](const std::string& name, const std::string& value) -> Result<bool> {
    if (name == "ttl") {
      auto ttl = read_ttl(value);
      if (!ttl) return fail(std::move(ttl.error()));
      out.ttl = ttl->value_or(Milliseconds(0));  // none is asked for, where a PATCH without it keeps what there is
      return true;
    }
    if (name != "modifiedBy") return false;
    out.modified_by = value;
    return true;
  });
}

Status read_list_parameters(std::string_view query, ListCommand& out) {
  constexpr std::string_view kKnown = "prefix, like, limit, cursor, values, tag.NAME, index.NAME, consistency";
  return read_parameters(query, kKnown, [&out](const std::string& name, const std::string& value) -> Result<bool> {
    if (name == "limit") return read_limit(value, out.limit);
    if (name == "values") return read_flag(name, value, out.want_values);
    if (name == "prefix") {
      out.prefix = value;
    } else if (name == "like") {
      if (value.empty()) return wrong("like is an empty pattern, which matches no key");
      out.like = value;
    } else if (name == "cursor") {
      out.cursor = value;
    } else if (name.starts_with("tag.")) {
      out.tags.emplace_back(name.substr(4), value);
    } else if (name.starts_with("index.")) {
      out.indexes.emplace_back(name.substr(6), value);
    } else {
      return false;
    }
    return true;
  });
}

Status read_erase_parameters(std::string_view query, ErasePrefixCommand& out) {
  constexpr std::string_view kKnown = "prefix, all, limit, consistency";
  return read_parameters(query, kKnown, [&out](const std::string& name, const std::string& value) -> Result<bool> {
    if (name == "limit") return read_limit(value, out.limit);
    if (name == "all") return read_flag(name, value, out.all);
    if (name != "prefix") return false;
    out.prefix = value;
    return true;
  });
}

Status read_watch_parameters(std::string_view query, WatchCommand& out) {
  constexpr std::string_view kKnown = "prefix, key, values";
  auto read = read_parameters(query, kKnown, [&out](const std::string& name, const std::string& value) -> Result<bool> {
    if (name == "values") return read_flag(name, value, out.want_values);
    if (name == "prefix") {
      out.prefix = value;
    } else if (name == "key") {
      out.key = value;
    } else {
      return false;
    }
    return true;
  });
  if (read && out.key && !out.prefix.empty()) return wrong("key and prefix are two things to watch; give one of them");
  return read;
}

Status read_no_parameters(std::string_view query) {
  return read_parameters(query, "consistency",
                         [](const std::string&, const std::string&) -> Result<bool> { return false; });
}

Result<PatchCommand::Kind> patch_kind_of(std::string_view content_type) {
  constexpr std::pair<std::string_view, PatchCommand::Kind> kKinds[] = {
      {"application/merge-patch+json", PatchCommand::Kind::merge},
      {"application/vnd.holdfast.increment+json", PatchCommand::Kind::increment},
      {"application/vnd.holdfast.append", PatchCommand::Kind::append},
      {"application/vnd.holdfast.append+json", PatchCommand::Kind::append_element},
  };
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  std::string known;
  for (const auto& [name, kind] : kKinds) {
    if (iequals(type, name)) return kind;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  return wrong(fmt::format("the Content-Type of a PATCH says what it does; known: {}", known));
}

// ---- Bodies

namespace {

Result<std::string> read_string(const RawValue& value) {
  if (!value.is(Kind::string)) return wrong(fmt::format("is {} and should be a string", name_of(value.kind())));
  return value.string();
}

Status read_pairs(const RawValue& value, state::Pairs& out) {
  if (!value.is(Kind::object))
    return wrong(fmt::format("is {} and should be an object of strings", name_of(value.kind())));
  for (const RawMember& member : value.members()) {
    auto text = read_string(member.value);
    if (!text) return fail(with_context(std::move(text.error()), fmt::format("\"{}\"", member.name)));
    set_metadata(out, member.name, *text);
  }
  return {};
}

Status read_if_match(const RawValue& value, Conditions& out) {
  std::vector<std::string> etags;
  if (value.is(Kind::string)) {
    etags = entity_tags(value.string());
  } else if (value.is(Kind::array)) {
    for (const RawValue& element : value.elements()) {
      auto etag = read_string(element);
      if (!etag) return fail(std::move(etag.error()));
      etags.push_back(from_entity_tag(*etag));
    }
  } else {
    return wrong(fmt::format("is {} and should be an etag or an array of them", name_of(value.kind())));
  }
  if (etags.empty()) return wrong("holds no etag");
  out = if_match(std::move(etags));
  return {};
}

// One operation, as far as it was read.
struct Draft {
  std::string op;
  std::string key;
  bool has_key = false;
  bool has_condition = false;
  std::string not_of_a_put;  // the first member that only a put has
  std::optional<std::string> value_base64;
  std::optional<std::string> json;
  PutCommand put;
};

Result<bool> read_condition(const RawMember& member, Draft& draft) {
  if (member.name != "ifMatch" && member.name != "ifNoneMatch") return false;
  if (draft.has_condition) return wrong("excludes the other condition");
  draft.has_condition = true;
  if (member.name == "ifMatch") {
    if (auto ok = read_if_match(member.value, draft.put.when); !ok) return fail(std::move(ok.error()));
    return true;
  }
  auto text = read_string(member.value);
  if (!text) return fail(std::move(text.error()));
  auto when = if_none_match(*text);
  if (!when) return fail(std::move(when.error()));
  draft.put.when = std::move(*when);
  return true;
}

// What only a put has.
Result<bool> read_put_member(const RawMember& member, Draft& draft) {
  const RawValue& value = member.value;
  if (member.name == "value") {
    draft.json = std::string(value.text());
    return true;
  }
  if (member.name == "tags" || member.name == "indexes") {
    if (auto ok = read_pairs(value, member.name == "tags" ? draft.put.tags : draft.put.indexes); !ok)
      return fail(std::move(ok.error()));
    return true;
  }
  if (member.name == "ttl") {
    if (!value.is(Kind::number) && !value.is(Kind::string))
      return wrong(fmt::format("is {} and should be seconds or a duration", name_of(value.kind())));
    auto ttl = read_ttl(value.is(Kind::string) ? value.string() : std::string(value.text()));
    if (!ttl) return fail(std::move(ttl.error()));
    draft.put.ttl = *ttl;
    return true;
  }
  std::string* const place = member.name == "contentType"  ? &draft.put.content_type
                             : member.name == "createdBy"  ? &draft.put.created_by
                             : member.name == "modifiedBy" ? &draft.put.modified_by
                                                           : nullptr;
  if (place == nullptr && member.name != "valueBase64" && member.name != "shape") return false;
  auto text = read_string(value);
  if (!text) return fail(std::move(text.error()));
  if (place != nullptr) {
    *place = std::move(*text);
  } else if (member.name == "shape") {
    if (*text != "bytes" && *text != "json") return wrong("is neither \"json\" nor \"bytes\"");
    draft.put.force_bytes = *text == "bytes";
  } else {
    draft.value_base64 = base64_decode(*text);
    if (!draft.value_base64) return wrong("is not base64");
  }
  return true;
}

Status read_member(const RawMember& member, Draft& draft) {
  if (member.name == "op" || member.name == "key") {
    auto text = read_string(member.value);
    if (!text) return fail(std::move(text.error()));
    draft.has_key |= member.name == "key";
    (member.name == "op" ? draft.op : draft.key) = std::move(*text);
    return {};
  }
  auto done = read_condition(member, draft);
  if (done && !*done) {
    done = read_put_member(member, draft);
    if (done && *done && draft.not_of_a_put.empty()) draft.not_of_a_put = member.name;
  }
  if (!done) return fail(std::move(done.error()));
  if (!*done)
    return wrong(
        "is unknown; known: op, key, value, valueBase64, contentType, shape, ifMatch, ifNoneMatch, ttl, tags, "
        "indexes, createdBy, modifiedBy");
  return {};
}

Result<Command> finish_put(Draft draft) {
  if (draft.json.has_value() == draft.value_base64.has_value())
    return wrong("a put has either \"value\" or \"valueBase64\"");
  PutCommand& put = draft.put;
  put.key = std::move(draft.key);
  if (put.content_type.empty()) put.content_type = draft.json ? kJsonType : kBytesType;
  put.value = draft.json ? std::move(*draft.json) : std::move(*draft.value_base64);
  return std::move(put);
}

Result<Command> finish(Draft draft) {
  if (!draft.has_key) return wrong("there is no \"key\"");
  if (draft.op == "put") return finish_put(std::move(draft));
  if (draft.op != "delete" && draft.op != "check")
    return wrong(draft.op.empty() ? "there is no \"op\"; it is put, delete or check"
                                  : fmt::format("\"op\" is \"{}\"; it is put, delete or check", draft.op));
  if (!draft.not_of_a_put.empty()) return wrong(fmt::format("a {} has no \"{}\"", draft.op, draft.not_of_a_put));
  if (draft.op == "delete") return DeleteCommand{std::move(draft.key), std::move(draft.put.when)};
  if (!draft.has_condition) return wrong("a check needs \"ifMatch\" or \"ifNoneMatch\"");
  return CheckCommand{std::move(draft.key), std::move(draft.put.when)};
}

Result<Command> read_command(const RawValue& value) {
  if (!value.is(Kind::object)) return wrong(fmt::format("is {} and should be an object", name_of(value.kind())));
  Draft draft;
  for (const RawMember& member : value.members())
    if (auto ok = read_member(member, draft); !ok)
      return fail(with_context(std::move(ok.error()), fmt::format("\"{}\"", member.name)));
  return finish(std::move(draft));
}

// The members of a body, which have to be among the two names.
Result<std::vector<RawMember>> read_body(std::string_view body, std::string_view first, std::string_view second) {
  auto root = RawValue::read(body);
  if (!root) return fail(with_context(std::move(root.error()), "the body"));
  if (!root->is(Kind::object))
    return wrong(fmt::format("the body is {} and should be an object with \"{}\"", name_of(root->kind()), first));
  auto members = root->members();
  for (const RawMember& member : members)
    if (member.name != first && member.name != second)
      return wrong(
          fmt::format("unknown member \"{}\"; known: {}{}{}", member.name, first, second.empty() ? "" : ", ", second));
  return members;
}

}  // namespace

Result<BatchGetCommand> decode_batch_get(std::string_view body) {
  auto members = read_body(body, "keys", "values");
  if (!members) return fail(std::move(members.error()));
  BatchGetCommand command;
  for (const RawMember& member : *members) {
    if (member.name == "values") {
      if (!member.value.is(Kind::boolean)) return wrong("\"values\" is neither true nor false");
      command.want_values = member.value.text() == "true";
      continue;
    }
    if (!member.value.is(Kind::array)) return wrong("\"keys\" is not an array of strings");
    for (const RawValue& element : member.value.elements()) {
      if (!element.is(Kind::string)) return wrong(fmt::format("keys[{}] is not a string", command.keys.size()));
      command.keys.push_back(element.string());
    }
  }
  return command;
}

Result<std::vector<Command>> decode_commands(std::string_view body, std::string_view list) {
  auto members = read_body(body, list, {});
  if (!members) return fail(std::move(members.error()));
  std::vector<Command> commands;
  for (const RawMember& member : *members) {
    if (!member.value.is(Kind::array)) return wrong(fmt::format("\"{}\" is not an array", list));
    const std::vector<RawValue> elements = member.value.elements();
    if (elements.size() > kBatchMax)
      return wrong(fmt::format("there are {} {}; at most {} are taken", elements.size(), list, kBatchMax));
    for (std::size_t i = 0; i < elements.size(); ++i) {
      auto command = read_command(elements[i]);
      if (!command) return fail(with_context(std::move(command.error()), fmt::format("{}[{}]", list, i)));
      commands.push_back(std::move(*command));
    }
  }
  return commands;
}

}  // namespace holdfast::api
