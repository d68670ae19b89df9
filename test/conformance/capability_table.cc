#include "conformance/capability_table.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "state/capability_fields.h"

namespace holdfast::conformance {

namespace {

using state::Capabilities;
using state::Consistency;

constexpr std::string_view kBegin =
    "<!-- capabilities: the conformance suite checks this, `tools/dev docs` writes it -->\n";
constexpr std::string_view kEnd = "<!-- end of capabilities -->";
constexpr std::string_view kNo = "–";
constexpr std::string_view kNotWritten = "?";  // a row that this column's run has not written yet
constexpr std::size_t kLeading = 2;            // cells of a row before those of the stores

struct Row {
  std::string name;
  std::string what;
  std::string cell;
};

std::string grouped(std::uint64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

std::string cell_of(bool value) { return std::string(value ? "✓" : kNo); }
std::string cell_of(std::uint32_t value) {
  if (value == state::kUnlimited) return "no limit";
  return value == 0 ? std::string(kNo) : grouped(value);
}
std::string cell_of(std::uint64_t value) {
  constexpr std::uint64_t kMiB = 1 << 20;
  if (value == 0) return "none known";
  return value % kMiB == 0 ? grouped(value / kMiB) + " MiB" : grouped(value);
}
std::string cell_of(Consistency asked, Consistency served) {
  if (served == Consistency::unspecified) return std::string(kNo);
  return served == asked ? "✓" : "as " + std::string(name_of(served));
}

void add_rows(std::vector<Row>& rows, const state::CapabilityField& field, const Capabilities::Levels& levels) {
  for (std::size_t i = levels.size(); i-- > 0;) {
    const auto level = static_cast<Consistency>(i);
    const std::string name = level == Consistency::unspecified ? "no level" : "`" + std::string(name_of(level)) + "`";
    rows.push_back({std::string(field.name) + " at " + name, i + 1 == levels.size() ? std::string(field.what) : "",
                    cell_of(level, levels[i])});
  }
}
void add_rows(std::vector<Row>& rows, const state::CapabilityField& field, auto value) {
  rows.push_back({"`" + std::string(field.name) + "`", std::string(field.what), cell_of(value)});
}

std::vector<Row> rows_of(const Capabilities& can) {
  std::vector<Row> rows;
  for (const state::CapabilityField& field : state::kCapabilityFields)
    std::visit([&](auto member) { add_rows(rows, field, can.*member); }, field.member);
  return rows;
}

std::string trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return std::string(text);
}

using Cells = std::vector<std::string>;

// "| a | b |"
Cells split(std::string_view line) {
  Cells cells;
  for (std::size_t at = line.find('|'); at != std::string_view::npos;) {
    const std::size_t next = line.find('|', at + 1);
    if (next != std::string_view::npos) cells.push_back(trimmed(line.substr(at + 1, next - at - 1)));
    at = next;
  }
  return cells;
}

std::string joined(const Cells& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += cell.empty() ? " |" : " " + cell + " |";
  return line + "\n";
}

std::vector<Cells> parse(std::string_view table) {
  std::vector<Cells> lines;
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size() - 1);
    lines.push_back(split(table.substr(0, end)));
    table.remove_prefix(end + 1);
  }
  return lines;
}

std::string table_with(const std::vector<Cells>& before, std::string_view column, const Capabilities& can) {
  Cells head = before.empty() || before[0].size() < kLeading ? Cells(kLeading) : before[0];
  auto place = static_cast<std::size_t>(std::ranges::find(head.begin() + kLeading, head.end(), column) - head.begin());
  if (place == head.size()) head.emplace_back(column);
  std::map<std::string, Cells> old;
  for (const Cells& line : before)
    if (!line.empty()) old.emplace(line[0], line);
  std::string table = joined(head) + "|" + [&head] {
    std::string rule;
    for (std::size_t i = 0; i < head.size(); ++i) rule += "---|";
    return rule;
  }() + "\n";
  for (const Row& row : rows_of(can)) {
    Cells cells = old.contains(row.name) ? old[row.name] : Cells();
    cells.resize(head.size(), std::string(kNotWritten));
    cells[0] = row.name;
    cells[1] = row.what;
    cells[place] = row.cell;
    table += joined(cells);
  }
  return table;
}

}  // namespace

std::string with_column(std::string_view page, std::string_view column, const Capabilities& can) {
  const std::size_t mark = page.find(kBegin);
  const std::size_t end = page.find(kEnd);
  if (mark == std::string_view::npos || end == std::string_view::npos || end < mark)
    throw std::runtime_error("the page has no table of capabilities between its marks");
  const std::size_t begin = mark + kBegin.size();
  std::string text(page.substr(0, begin));
  text += table_with(parse(page.substr(begin, end - begin)), column, can);
  text += page.substr(end);
  return text;
}

}  // namespace holdfast::conformance
