#include "migration/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "migration/json_text.h"

namespace holdfast::migration {
namespace {

using state::Capabilities;
using state::Consistency;

struct Line {
  Count count;
  std::string_view text;
};

// What became of the records, in the order of its weight.
constexpr Line kCopied[] = {
    {Count::written, "written"},
    {Count::replaced, "written over another record"},
    {Count::same, "there already, and equal"},
    {Count::different, "there already with other contents, and left as they are"},
    {Count::expired, "ran out on the way"},
    {Count::refused_ttl, "NOT written: they have an expiry, and the target has none (--drop-ttl keeps them for ever)"},
    {Count::refused_key, "NOT written: the key is too long for the target"},
    {Count::refused_value, "NOT written: the value is too large for the target"},
    {Count::rejected, "NOT written: the target refused them"},
    {Count::under_replicated, "written to fewer replicas than the target's component asks for"},
    {Count::lost_ttl, "without their expiry: they stay for ever"},
    {Count::lost_fields,
     "without content type, createdBy, modifiedBy, tags and indexes, which the target does not keep"},
    {Count::lost_times, "with new times of creation and change: a store sets them itself"},
    {Count::changed_json, "JSON of which the target keeps the meaning, and perhaps not the text"},
};
constexpr Line kCompared[] = {
    {Count::equal, "equal in the target"},
    {Count::reformatted, "of these in another text of the same JSON"},
    {Count::missing, "MISSING in the target"},
    {Count::unequal, "DIFFERENT in the target"},
    {Count::changed_since, "changed in the source since the migration began"},
    {Count::expired, "ran out since"},
};
// Of a comparison before anything is written.
constexpr Line kForeseen[] = {
    {Count::missing, "would be written"},
    {Count::changed_since, "would be written; they change just now"},
    {Count::equal, "are there already, and equal"},
    {Count::unequal, "are there already with other contents"},
    {Count::refused_ttl, "would NOT be written: they have an expiry, and the target has none"},
    {Count::refused_key, "would NOT be written: the key is too long for the target"},
    {Count::refused_value, "would NOT be written: the value is too large for the target"},
};

std::uint64_t not_written(const Tally& tally) {
  return tally[Count::refused_ttl] + tally[Count::refused_key] + tally[Count::refused_value] + tally[Count::rejected];
}

// Control characters must not steer a terminal.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return out;
}

void append_counts(std::string& out, const Tally& tally, std::span<const Line> lines) {
  for (const Line& line : lines)
    if (tally[line.count] > 0) out += fmt::format("{:>12}  {}\n", tally[line.count], line.text);
}

void append_examples(std::string& out, const Tally& tally) {
  for (const Example& example : tally.examples)
    out += fmt::format("  {}: {}\n", printable(example.key), printable(example.why));
}

std::string counts_json(const Tally& tally) {
  ObjectText out;
  for (std::size_t i = 0; i < kCountKinds; ++i)
    if (tally.counts[i] > 0) out.number(name_of(static_cast<Count>(i)), tally.counts[i]);
  return out.finish();
}

std::string walk_json(const Position& walk, bool with_hashes) {
  ObjectText out;
  out.boolean("done", walk.is_done).raw("counts", counts_json(walk.tally));
  if (walk.restarts > 0) out.number("restarts", walk.restarts).number("writtenBefore", walk.written_before);
  if (with_hashes) out.text("source", walk.tally.carried.text()).text("target", walk.tally.target.text());
  std::string examples;
  for (const Example& example : walk.tally.examples) {
    ObjectText one;
    one.text("kind", name_of(example.kind)).bytes("key", example.key).bytes("why", example.why);
    examples += (examples.empty() ? "" : ",") + one.finish();
  }
  out.raw("examples", "[" + examples + "]");
  return out.finish();
}

void append_rate(std::string& out, const Summary& summary) {
  const Journal& journal = summary.journal;
  const Tally& tally = summary.is_rehearsal ? journal.check.tally : journal.copy.tally;
  const double seconds = std::max(journal.seconds, 0.001);
  out += fmt::format("{} records, {:.1f} MiB, in {:.1f} s\n", tally[Count::read],
                     static_cast<double>(tally[Count::bytes]) / (1 << 20), seconds);
}

void append_comparison(std::string& out, const Summary& summary) {
  const Tally& tally = summary.journal.check.tally;
  out += "Compared afterwards:\n";
  append_counts(out, tally, kCompared);
  append_examples(out, tally);
  const bool has_unequal = tally[Count::missing] + tally[Count::unequal] > summary.journal.copy.tally[Count::different];
  if (has_unequal && tally.source != summary.journal.copy.tally.source)
    out +=
        "The source was written to meanwhile. A record without a time of change may have changed there rather than "
        "gone wrong.\n";
  out += fmt::format("Hash of the source {}\nHash of the target {}\n", tally.carried.text(), tally.target.text());
}

}  // namespace

std::vector<std::string> notes_on(const Capabilities& source, const Capabilities& target) {
  std::vector<std::string> notes;
  if (!target.etag)
    notes.emplace_back(
        "the target has no conditional writes: a record that somebody else writes to it in the same "
        "moment may be lost");
  if (!target.ttl) notes.emplace_back("the target has no expiry: it cannot take records that have one as they are");
  if (source.record_fields && !target.record_fields)
    notes.emplace_back("the target keeps no content type, tags, indexes, or who made and changed a record");
  if (!target.exact_json)
    notes.emplace_back("the target keeps the meaning of JSON, and not always its text; it is compared by meaning");
  if (target.ttl && target.ttl_grain_ms > 1)
    notes.push_back(fmt::format("an expiry in the target may be up to {} ms late", target.ttl_grain_ms));
  if (source.durable && !target.durable)
    notes.emplace_back(
        "the target, as configured, may lose what it has acknowledged when it fails, which the source "
        "does not");
  for (std::size_t i = 1; i < state::kConsistencyCount; ++i) {
    const auto level = static_cast<Consistency>(i);
    if (source.reads[i] != Consistency::unspecified && target.reads[i] == Consistency::unspecified)
      notes.push_back(fmt::format("the target cannot be read with consistency {}", name_of(level)));
  }
  return notes;
}

bool is_success(const Summary& summary) {
  const Tally& copied = summary.journal.copy.tally;
  const Tally& compared = summary.journal.check.tally;
  if (summary.is_rehearsal)
    return not_written(compared) == 0 && (compared[Count::unequal] == 0 || summary.existing != Existing::refuse);
  if (!summary.journal.copy.is_done || not_written(copied) > 0) return false;
  if (summary.existing == Existing::refuse && copied[Count::different] > 0) return false;
  if (!summary.is_compared) return true;
  return summary.journal.check.is_done && compared[Count::missing] == 0 && compared[Count::changed_since] == 0 &&
         compared[Count::unequal] <= copied[Count::different];
}

std::string text_of(const Summary& summary) {
  const Journal& journal = summary.journal;
  std::string out = fmt::format("{} to {}\n", printable(journal.from), printable(journal.to));
  for (const std::string& note : summary.notes) out += fmt::format("note: {}\n", note);
  append_rate(out, summary);
  if (summary.is_rehearsal) {
    append_counts(out, journal.check.tally, kForeseen);
    append_examples(out, journal.check.tally);
    return out + "Nothing was written (--dry-run).\n";
  }
  append_counts(out, journal.copy.tally, kCopied);
  append_examples(out, journal.copy.tally);
  if (journal.copy.restarts > 0)
    out += fmt::format("The source gave up its cursor {} times, and the walk began again; {} were written before.\n",
                       journal.copy.restarts, journal.copy.written_before);
  if (!summary.is_compared || !journal.copy.is_done) return out;
  append_comparison(out, summary);
  return out;
}

std::string json_of(const Summary& summary) {
  const Journal& journal = summary.journal;
  std::string notes;
  for (const std::string& note : summary.notes) {
    if (!notes.empty()) notes += ',';
    json::append_string(notes, note);
  }
  ObjectText out;
  out.bytes("from", journal.from).bytes("to", journal.to).boolean("success", is_success(summary));
  out.boolean("dryRun", summary.is_rehearsal).raw("seconds", fmt::format("{:.3f}", journal.seconds));
  if (!summary.is_rehearsal) out.raw("copy", walk_json(journal.copy, false));
  if (summary.is_rehearsal || summary.is_compared) out.raw("comparison", walk_json(journal.check, true));
  out.raw("notes", "[" + notes + "]");
  return out.finish() + '\n';
}

}  // namespace holdfast::migration
