#include "migration/journal.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "migration/json_text.h"

namespace holdfast::migration {
namespace {

constexpr std::uint64_t kFormat = 1;

std::string text_of(const Tally& tally) {
  ObjectText counts;
  for (std::size_t i = 0; i < kCountKinds; ++i) counts.number(name_of(static_cast<Count>(i)), tally.counts[i]);
  std::string examples = "[";
  for (const Example& example : tally.examples) {
    if (examples.size() > 1) examples += ',';
    ObjectText one;
    one.text("kind", name_of(example.kind)).bytes("key", example.key).bytes("why", example.why);
    examples += one.finish();
  }
  ObjectText out;
  out.raw("counts", counts.finish()).text("source", tally.source.text()).text("carried", tally.carried.text());
  out.text("target", tally.target.text()).raw("examples", examples + "]");
  return out.finish();
}

std::string text_of(const Position& position) {
  ObjectText out;
  out.boolean("done", position.is_done).bytes("cursor", position.cursor).bytes("mark", position.mark);
  out.number("restarts", position.restarts).number("writtenBefore", position.written_before);
  out.raw("tally", text_of(position.tally));
  return out.finish();
}

Digest digest_of(ObjectReader& object, std::string_view name) {
  const auto digest = Digest::parse(object.text(name));
  if (!digest) object.refuse(fmt::format("\"{}\" is no COUNT:HASH", name));
  return digest.value_or(Digest());
}

Count kind_of(std::string_view name) {
  for (std::size_t i = 0; i < kCountKinds; ++i)
    if (name_of(static_cast<Count>(i)) == name) return static_cast<Count>(i);
  return Count::rejected;
}

// Members of a member, with their problems told to the one that holds them.
template <class Read>
void within(ObjectReader& outer, std::string_view name, Read read) {
  if (!outer.has(name)) {
    outer.refuse(fmt::format("there is no \"{}\"", name));
    return;
  }
  const auto object = outer.object(name);
  if (!object) return;
  ObjectReader inner(*object);
  read(inner);
  if (!inner.problem().empty()) outer.refuse(inner.problem());
}

Tally read_tally(ObjectReader& object) {
  Tally tally;
  within(object, "counts", [&tally](ObjectReader& counts) {
    for (std::size_t i = 0; i < kCountKinds; ++i) tally.counts[i] = counts.number(name_of(static_cast<Count>(i)));
  });
  tally.source = digest_of(object, "source");
  tally.carried = digest_of(object, "carried");
  tally.target = digest_of(object, "target");
  const auto examples = object.array("examples");
  if (!examples) return tally;
  for (const json::Element item : *examples) {
    json::Object members;
    if (item.get(members) != simdjson::SUCCESS) continue;
    ObjectReader example(members);
    tally.examples.push_back({kind_of(example.text("kind")), example.bytes("key"), example.bytes("why")});
  }
  return tally;
}

Position read_position(ObjectReader& object) {
  Position position;
  position.is_done = object.boolean("done");
  position.cursor = object.bytes("cursor");
  position.mark = object.bytes("mark");
  position.restarts = static_cast<std::uint32_t>(object.number("restarts"));
  position.written_before = object.number("writtenBefore");
  within(object, "tally", [&position](ObjectReader& tally) { position.tally = read_tally(tally); });
  return position;
}

}  // namespace

std::string Journal::text() const {
  ObjectText out;
  out.number("holdfastMigration", kFormat).bytes("from", from).bytes("to", to).text("identity", identity);
  out.text("policy", policy);
  out.number("beganUs", static_cast<std::uint64_t>(began.us));
  out.number("milliseconds", static_cast<std::uint64_t>(seconds * 1000));
  out.raw("copy", text_of(copy)).raw("check", text_of(check));
  return out.finish() + '\n';
}

Result<Journal> Journal::parse(std::string_view text) {
  json::Parser parser;
  const auto parsed = parser.parse(text, json::Reading::whole_text);
  json::Object members;
  if (!parsed || parsed->get(members) != simdjson::SUCCESS) return fail(Errc::invalid_argument, "it is no JSON object");
  ObjectReader object(members);
  if (object.number("holdfastMigration") != kFormat)
    return fail(Errc::invalid_argument, "it is no state file of a migration by this version");
  Journal journal;
  journal.from = object.bytes("from");
  journal.to = object.bytes("to");
  journal.identity = object.text("identity");
  journal.policy = object.text("policy");
  journal.began.us = static_cast<std::int64_t>(object.number("beganUs"));
  journal.seconds = static_cast<double>(object.number("milliseconds")) / 1000;
  within(object, "copy", [&journal](ObjectReader& copy) { journal.copy = read_position(copy); });
  within(object, "check", [&journal](ObjectReader& check) { journal.check = read_position(check); });
  if (!object.problem().empty()) return fail(Errc::invalid_argument, object.problem());
  return journal;
}

Result<Journal> read_journal(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const Errc code = errno == ENOENT ? Errc::not_found : Errc::unavailable;
    return fail(code, fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto journal = Journal::parse(text);
  if (!journal)
    return fail(Errc::invalid_argument,
                fmt::format("{} cannot be gone on with: {}. Remove it to begin again, or name another with --resume",
                            path, journal.error().message));
  return journal;
}

}  // namespace holdfast::migration
