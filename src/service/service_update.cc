// Changes in place: read, change, write back if nobody came between.
#include <fmt/format.h>

#include "service/service.h"

namespace holdfast::service {

using namespace state;

Task<Result<Updated>> Service::update(Call call, UpdateRequest request, const Changing& changing) {
  const auto scope = Scope::enter(call.entry, call.context, {Right::get, Right::write});
  if (!scope) co_return fail(scope.error());
  if (auto ok = scope->check_key(request.key); !ok) co_return fail(ok.error());
  if (!call.entry.store->capabilities().etag)
    co_return fail(
        Errc::unsupported,
        fmt::format("state store {} has no conditional writes, which a change in place needs", call.entry.name));
  const KeyTurns::Turn turn = co_await turns_.of(call.entry.name + '\n' + scope->stored_key(request.key), loop_);
  for (int round = 0; round < kUpdateRounds; ++round) {
    auto updated = co_await try_update(call, request, changing);
    if (!updated) co_return fail(std::move(updated.error()));
    if (*updated) co_return std::move(**updated);
  }
  co_return fail(Errc::conflict,
                 fmt::format("nothing was changed: others wrote \"{}\" in state store {} first, {} times "
                             "in a row. Try again",
                             request.key, call.entry.name, kUpdateRounds));
}

Task<Result<std::optional<Updated>>> Service::try_update(Call call, UpdateRequest request, const Changing& changing) {
  // What is read has to be the newest there is, however weak a promise the caller asks of the write.
  Call reading = call;
  reading.context.consistency = Consistency::strong;
  if (!served_level(call.entry, Consistency::strong, false)) reading.context.consistency = Consistency::unspecified;
  auto now = co_await get(reading, {.key = request.key, .want_value = true, .want_fields = true});
  if (!now) co_return fail(std::move(now.error()));
  const Record* const record = *now ? &**now : nullptr;
  const std::string_view etag = record != nullptr ? std::string_view(record->etag) : std::string_view();
  if (!request.when.holds(record != nullptr ? &etag : nullptr)) {
    Error error(Errc::precondition_failed, fmt::format("nothing was changed: \"{}\" in state store {} is not what the "
                                                       "request expected. Read it again and decide anew",
                                                       request.key, call.entry.name));
    error.current_etag = etag;
    co_return fail(std::move(error));
  }
  auto change = changing(record);
  if (!change) {
    if (change.error().code == Errc::precondition_failed) change.error().current_etag = etag;
    co_return fail(std::move(change.error()));
  }
  SetRequest write;
  write.key = request.key;
  write.value = change->value;
  write.shape = change->shape;
  write.when = record != nullptr ? Precondition::one_of({&etag, 1}) : Precondition::absent();
  write.ttl = request.ttl;
  write.keep_expiry = !request.ttl && record != nullptr && record->expires_at.has_value();
  write.content_type = change->content_type;
  write.modified_by = request.modified_by;
  if (record == nullptr) write.created_by = request.modified_by;
  write.want_record = request.want_record;
  if (record != nullptr && record->fields) {
    write.tags = record->fields->tags;
    write.indexes = record->fields->indexes;
  }
  auto written = co_await set(call, write);
  if (written) co_return Updated{std::move(*written), std::move(*change)};
  if (written.error().code == Errc::precondition_failed) co_return std::nullopt;
  co_return fail(std::move(written.error()));
}

}  // namespace holdfast::service
