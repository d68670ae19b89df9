#include "stores/redis/replication.h"

#include <algorithm>

#include "base/number.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {

std::optional<std::uint64_t> timeline_of(std::string_view replication_id) {
  constexpr std::size_t kDigits = 16;
  std::uint64_t number = 0;
  if (replication_id.size() < kDigits) return std::nullopt;
  if (!read_number(replication_id.substr(0, kDigits), number, 16) || number == 0) return std::nullopt;
  return number;
}

namespace {

// The value of "NAME:" at the beginning of a line.
std::string_view line_of(std::string_view info, std::string_view name) {
  while (!info.empty()) {
    const std::string_view line = info.substr(0, info.find("\r\n"));
    if (line.starts_with(name)) return line.substr(name.size());
    info.remove_prefix(std::min(info.size(), line.size() + 2));
  }
  return {};
}

}  // namespace

std::optional<Replication> read_replication(resp::Value reply) {
  if (reply.kind() != resp::Kind::text) return std::nullopt;
  const std::string_view role = line_of(reply.text(), "role:");
  if (role != "master" && role != "slave") return std::nullopt;
  Replication found;
  found.is_primary = role == "master";
  const auto timeline = timeline_of(line_of(reply.text(), "master_replid:"));
  const std::string_view offset =
      line_of(reply.text(), found.is_primary ? "master_repl_offset:" : "slave_repl_offset:");
  if (!timeline || !read_number(offset, found.reached.offset)) return std::nullopt;
  found.reached.timeline = *timeline;
  return found;
}

void append_replication_info(std::string& out) { resp::append_command(out, {"INFO", "replication"}); }

std::optional<std::uint64_t> read_primary_offset(resp::Value reply) {
  if (reply.kind() != resp::Kind::array || reply[0].text() != "master") return std::nullopt;
  const auto offset = resp::to_integer(reply[1]);
  if (!offset || *offset < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*offset);
}

void append_role(std::string& out) { resp::append_command(out, {"ROLE"}); }

void WrittenLately::add(SteadyTime asked, state::Position::Reached reached) {
  samples_[next_] = {asked, reached};
  next_ = (next_ + 1) % samples_.size();
}

bool WrittenLately::is_within(state::Position::Reached reached, Milliseconds most, SteadyTime now) const {
  return std::ranges::any_of(samples_, [&](const Sample& sample) {
    return sample.reached.timeline == reached.timeline && sample.reached.offset <= reached.offset &&
           sample.asked + most >= now;
  });
}

}  // namespace holdfast::stores::redis
