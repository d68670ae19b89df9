#include "api/v2.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/patch.h"
#include "base/encoding.h"
#include "service/index_entries.h"
#include "state/keys.h"
#include "wire/json/json.h"

namespace holdfast::api {

using namespace std::string_view_literals;

using namespace state;
using service::Call;
using service::CallContext;
using service::StoreEntry;

namespace {

constexpr std::string_view kEncoded = "b64.";

bool may_stand_in_entity_tag(std::string_view etag) {
  bool may = !etag.starts_with(kEncoded);
  for (const char c : etag) {
    const auto byte = static_cast<unsigned char>(c);
    may &= (byte >= 0x21) & (byte <= 0x7e) & (byte != '"');
  }
  return may;
}

// What stands between the quotes; encoded, it is in `room`.
std::string_view opaque_tag(std::string_view etag, std::string& room) {
  if (may_stand_in_entity_tag(etag)) return etag;
  room.append(kEncoded).append(base64url_encode(etag));
  return room;
}

}  // namespace

void append_entity_tag(std::string& out, std::string_view etag) {
  std::string room;
  out += '"';
  out += opaque_tag(etag, room);
  out += '"';
}

void append_entity_tag_json(std::string& out, std::string_view etag) {
  std::string room;
  out += R"("\")"sv;
  json::append_escaped(out, opaque_tag(etag, room));
  out += R"(\"")"sv;
}

std::string entity_tag(std::string_view etag) {
  std::string out;
  append_entity_tag(out, etag);
  return out;
}

std::string from_entity_tag(std::string_view tag) {
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  if (tag.size() >= 2 && tag.front() == '"' && tag.back() == '"') tag = tag.substr(1, tag.size() - 2);
  if (!tag.starts_with(kEncoded)) return std::string(tag);
  return base64url_decode(tag.substr(kEncoded.size())).value_or(std::string(tag));
}

std::vector<std::string> entity_tags(std::string_view field) {
  std::vector<std::string> members;
  while (!field.empty()) {
    field = trim(field);
    // A comma may stand inside the quotes.
    const std::size_t open = field.starts_with("W/") ? 2 : 0;
    std::size_t end = 0;
    if (open < field.size() && field[open] == '"') {
      const std::size_t close = field.find('"', open + 1);
      end = close == std::string_view::npos ? field.size() : close + 1;
    } else {
      end = std::min(field.find(','), field.size());
    }
    const std::string_view member = trim(field.substr(0, end));
    if (!member.empty()) {
      std::string etag = member == "*" ? "*" : from_entity_tag(member);
      // Only a bare star means "any". No store's etag is a star, so a quoted one stays quoted and matches nothing.
      if (etag == "*" && member != "*") etag = member;
      members.push_back(std::move(etag));
    }
    field.remove_prefix(end);
    field = trim(field);
    if (field.starts_with(',')) field.remove_prefix(1);
    else if (!field.empty() && end == 0) break;
  }
  return members;
}

Precondition Conditions::precondition() {
  if (kind != Precondition::Kind::one_of) return {kind, {}};
  views.assign(etags.begin(), etags.end());
  return Precondition::one_of(views);
}

Status check_v2_key(std::string_view key) {
  if (key.empty()) return fail(Errc::invalid_argument, "the key is empty; put it behind the store's name");
  if (key.size() > kKeyBytesMax)
    return fail(Errc::invalid_argument, fmt::format("the key is {} bytes; at most {} are allowed", key.size(), kKeyBytesMax));
  if (!is_utf8(key)) return fail(Errc::invalid_argument, "the key is not UTF-8");
  if (key.find(kKeySeparator) != std::string_view::npos)
    return fail(Errc::invalid_argument, "the key contains '||', which separates prefixes in stored keys");
  return {};
}

bool is_json_type(std::string_view content_type) {
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  return iequals(type, kJsonType) || (type.size() > 5 && iequals(type.substr(type.size() - 5), "+json"));
}

std::string content_type_of(const Record& record) {
  if (record.fields && !record.fields->content_type.empty()) return record.fields->content_type;
  return std::string(record.shape == Shape::json ? kJsonType : kBytesType);
}

Result<service::StoreRef> V2::find_store(std::string_view name) {
  service::StoreRef entry = service_.stores().find(name);
  if (entry == nullptr) {
    std::string known;
    for (const auto& other : service_.stores().entries()) known += (known.empty() ? "" : ", ") + other->name;
    return fail(Errc::not_found, fmt::format("there is no state store \"{}\"; loaded: {}. Check the component's name and "
                                             "its scopes", name, known.empty() ? "none" : known));
  }
  if (!entry->store)
    return fail(Errc::unavailable, fmt::format("state store {} is not ready yet: {}", name, entry->pending_reason));
  return entry;
}

const std::string& key_of(const Command& command) {
  return std::visit([](const auto& one) -> const std::string& { return one.key; }, command);
}

void default_to_session(const StoreEntry& entry, CallContext& context) {
  if (context.consistency == Consistency::unspecified && entry.consistency == Consistency::unspecified)
    context.consistency = Consistency::session;
}

Result<SetRequest> V2::prepare(const StoreEntry& entry, PutCommand& command) const {
  if (auto ok = check_v2_key(command.key); !ok) return fail(ok.error());
  if (auto ok = service::check_index_entries(command.indexes); !ok) return fail(std::move(ok.error()));
  SetRequest request;
  request.key = command.key;
  request.value = command.value;
  if (is_json_type(command.content_type) && !command.force_bytes) {
    if (!json::is_valid(command.value))
      return fail(Errc::invalid_argument, "the body is not one valid JSON value, though its content type says so");
    request.shape = Shape::json;
  }
  request.when = command.when.precondition();
  request.ttl = command.ttl;
  request.content_type = command.content_type.empty() ? kBytesType : std::string_view(command.content_type);
  request.tags = command.tags;
  request.indexes = command.indexes;
  if (entry.trust_created_by) {
    request.created_by = command.created_by;
    request.modified_by = command.modified_by;
  }
  request.want_record = command.want_record;
  return request;
}

Outcome outcome_of(const SetRequest& request, Written written) {
  Outcome outcome;
  outcome.etag = entity_tag(written.etag);
  outcome.created = written.created;
  outcome.record.shape = request.shape;
  outcome.record.etag = std::move(written.etag);
  outcome.record.expires_at = written.expires_at;
  outcome.record.fields = std::move(written.fields);
  return outcome;
}

Task<Result<Outcome>> V2::put(StoreEntry& entry, CallContext context, PutCommand& command) {
  auto request = prepare(entry, command);
  if (!request) co_return fail(request.error());
  default_to_session(entry, context);
  auto written = co_await service_.set(Call{entry, context}, *request);
  if (!written) co_return fail(std::move(written.error()));
  co_return outcome_of(*request, std::move(*written));
}

Task<Result<std::optional<Record>>> V2::get(StoreEntry& entry, CallContext context, std::string_view key,
                                            bool want_value) {
  if (auto ok = check_v2_key(key); !ok) return ready<Result<std::optional<Record>>>(fail(std::move(ok.error())));
  default_to_session(entry, context);
  GetRequest request;
  request.key = key;
  request.want_value = want_value;
  request.want_fields = true;
  return service_.get(Call{entry, context}, request);
}

Task<Result<Deleted>> V2::erase(StoreEntry& entry, CallContext context, std::string_view key, Conditions& when) {
  if (auto ok = check_v2_key(key); !ok) return ready<Result<Deleted>>(fail(std::move(ok.error())));
  default_to_session(entry, context);
  return service_.erase(Call{entry, context}, DeleteRequest{key, when.precondition()});
}

namespace {

using service::Change;

std::unexpected<Error> nothing_to_patch() {
  return fail(Errc::not_found, "there is no record to patch; PUT one first");
}

// What can be said of a patch without the record: a request that is wrong is told so whatever there is.
Status check_patch(const PatchCommand& command) {
  if (command.kind == PatchCommand::Kind::append) return {};
  if (command.kind == PatchCommand::Kind::increment) {
    if (auto increment = read_increment(command.body); !increment) return fail(std::move(increment.error()));
    return {};
  }
  if (json::is_valid(command.body)) return {};
  return fail(Errc::invalid_argument, "the body is not one valid JSON value, though its content type says so");
}

// What is patched, as JSON text.
Result<Change> patched_json(PatchCommand::Kind kind, std::string_view body, const Record* now) {
  Result<std::string> text = fail(Errc::internal, "no such patch");
  if (kind == PatchCommand::Kind::merge) {
    if (now == nullptr) return nothing_to_patch();
    text = merge_patch(now->value, body);
  } else if (kind == PatchCommand::Kind::increment) {
    const auto increment = read_increment(body);
    if (!increment) return fail(increment.error());
    text =
        incremented(now != nullptr ? std::string_view(now->value) : std::string_view(increment->initial), *increment);
  } else {
    text = with_element(now != nullptr ? std::string_view(now->value) : "[]", body);
  }
  if (!text) return fail(std::move(text.error()));
  Change change{std::move(*text), now != nullptr ? now->shape : Shape::json, std::string(kJsonType)};
  if (now != nullptr) change.content_type = content_type_of(*now);
  return change;
}

Result<Change> appended(std::string_view bytes, const Record* now) {
  if (now == nullptr) return Change{std::string(bytes), Shape::bytes, std::string(kBytesType)};
  Change change{now->value, now->shape, content_type_of(*now)};
  change.value += bytes;
  if (change.shape == Shape::json && !json::is_valid(change.value))
    return fail(Errc::invalid_argument, "the stored value is JSON, and would be none with these bytes behind it");
  return change;
}

}  // namespace

Task<Result<Outcome>> V2::patch(StoreEntry& entry, CallContext context, PatchCommand& command) {
  if (auto ok = check_v2_key(command.key); !ok) co_return fail(ok.error());
  if (auto ok = check_patch(command); !ok) co_return fail(std::move(ok.error()));
  default_to_session(entry, context);
  service::UpdateRequest request;
  request.key = command.key;
  request.when = command.when.precondition();
  request.ttl = command.ttl;
  if (entry.trust_created_by) request.modified_by = command.modified_by;
  request.want_record = command.want_record;
  const service::Changing changing = [&command](const Record* now) {
    return command.kind == PatchCommand::Kind::append ? appended(command.body, now)
                                                      : patched_json(command.kind, command.body, now);
  };
  auto updated = co_await service_.update(Call{entry, context}, request, changing);
  if (!updated) co_return fail(std::move(updated.error()));
  SetRequest written;
  written.shape = updated->change.shape;
  Outcome outcome = outcome_of(written, std::move(updated->written));
  outcome.record.value = std::move(updated->change.value);
  co_return outcome;
}

}  // namespace holdfast::api
