#include "stores/postgresql/levels.h"

#include <algorithm>
#include <string>

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::stores::postgresql {

using state::Consistency;

// "s1, s2", "2 (s1, s2)", "FIRST 2 (s1, s2)", "ANY 1 (s1, s2)", "*"; names may be in double quotes.
SynchronousStandbys SynchronousStandbys::parse(std::string_view names) {
  SynchronousStandbys out;
  std::string_view text = trim(names);
  if (text.empty()) return out;
  out.awaited = 1;
  for (const std::string_view word : {"FIRST", "ANY"})
    if (text.size() > word.size() && iequals(text.substr(0, word.size()), word) &&
        (text[word.size()] == ' ' || text[word.size()] == '\t'))
      text = trim(text.substr(word.size()));
  const std::size_t open = text.find('(');
  if (open != std::string_view::npos && read_number(trim(text.substr(0, open)), out.awaited))
    text = text.substr(open + 1, text.rfind(')') - open - 1);
  bool quoted = false;
  std::string name;
  const auto end_name = [&] {
    if (name.empty()) return;
    ++out.listed;
    out.any = out.any || name == "*";
    name.clear();
  };
  for (const char c : text) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      end_name();
    else if (quoted || c != ' ')
      name += c;
  }
  end_name();
  return out;
}

bool SynchronousStandbys::are_majority(std::uint32_t connected) const {
  const std::uint32_t standbys = any ? std::max(connected, awaited) : listed;
  return 2 * (awaited + 1) > standbys + 1;
}

Levels levels_of(const SynchronousStandbys& standbys, std::uint32_t connected, bool reads_standbys,
                 bool waits_by_default) {
  Levels levels;
  const bool is_alone = standbys.awaited == 0;
  const bool has_quorum = is_alone || standbys.are_majority(connected);
  for (std::size_t i = 0; i < state::kConsistencyCount; ++i) {
    const auto level = static_cast<Consistency>(i);
    const bool asks_for_others = level >= Consistency::quorum;
    // Without standbys that it waits for, the primary is the quorum.
    levels.writes[i] = is_alone ? Consistency::strong : level;
    if (asks_for_others && !has_quorum) levels.writes[i] = Consistency::unspecified;
    const bool may_lag =
        level == Consistency::eventual || level == Consistency::consistent_prefix || level == Consistency::session;
    levels.reads[i] = reads_standbys && may_lag ? level : Consistency::strong;
  }
  if (!is_alone)
    levels.writes[static_cast<std::size_t>(Consistency::unspecified)] =
        waits_by_default && has_quorum ? Consistency::quorum : Consistency::session;
  return levels;
}

std::string_view commit_of(const SynchronousStandbys& standbys, Consistency level) {
  if (standbys.awaited == 0 || level == Consistency::unspecified) return {};
  if (level == Consistency::strong) return "remote_apply";
  return level == Consistency::quorum ? "on" : "local";
}

}  // namespace holdfast::stores::postgresql
