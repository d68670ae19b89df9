#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace holdfast::bench {

std::string table(const Report& report) {
  std::string out = fmt::format("{}\n\n{:<9} {:<5} {:<13} {:<14} {:>9} {:>10} {:>8} {:>8} {:>9} {:>8} {:>7}\n",
                                report.machine, "server", "proto", "store", "operation", "in flight", "req/s", "p50 us",
                                "p99 us", "CPU us", "db us", "x floor");
  for (const Row& row : report.rows) {
    out += fmt::format("{:<9} {:<5} {:<13} {:<14} {:>9} {:>10.0f} {:>8.0f} {:>8.0f} {:>9.2f} {:>8} {:>7}{}\n",
                       row.server, row.protocol, row.store, row.operation, row.in_flight, row.per_second, row.p50_us,
                       row.p99_us, row.cpu_us, row.backend_us > 0 ? fmt::format("{:.2f}", row.backend_us) : "-",
                       row.ratio > 0 ? fmt::format("{:.2f}", row.ratio) : "-",
                       row.errors > 0 ? fmt::format("  {} errors", row.errors) : "");
  }
  out += '\n';
  for (const Fact& fact : report.facts) {
    std::string verdict;
    if (fact.bar > 0) {
      const bool holds = fact.at_least ? fact.value >= fact.bar : fact.value <= fact.bar;
      verdict = fmt::format("  (bar: {} {:.4g}: {})", fact.at_least ? "at least" : "at most", fact.bar,
                            holds ? "holds" : "MISSED");
    }
    out += fmt::format("{:<70} {:>10.2f} {}{}\n", fact.name, fact.value, fact.unit, verdict);
  }
  return out;
}

std::string json(const Report& report) {
  std::string out = fmt::format("{{\"machine\":\"{}\",\"rows\":[", report.machine);
  for (const Row& row : report.rows) {
    if (!out.ends_with('[')) out += ',';
    out += fmt::format(
        R"({{"server":"{}","protocol":"{}","store":"{}","operation":"{}","in_flight":{},"per_second":{:.1f},"p50_us":{:.1f},"p99_us":{:.1f},"cpu_us":{:.3f},"backend_us":{:.3f},"errors":{},"ratio":{:.3f}}})",
        row.server, row.protocol, row.store, row.operation, row.in_flight, row.per_second, row.p50_us, row.p99_us,
        row.cpu_us, row.backend_us, row.errors, row.ratio);
  }
  out += "],\"facts\":[";
  for (const Fact& fact : report.facts) {
    if (!out.ends_with('[')) out += ',';
    out += fmt::format(R"({{"name":"{}","value":{:.3f},"unit":"{}","bar":{:.3f},"at_least":{}}})", fact.name,
                       fact.value, fact.unit, fact.bar, fact.at_least);
  }
  return out + "]}\n";
}

std::string svg(const Report& report) {
  constexpr int kLabel = 210;
  constexpr int kWidth = 760;
  constexpr int kBar = 18;
  std::map<std::string, std::vector<const Row*>> groups;
  double most = 1;
  for (const Row& row : report.rows) {
    if (row.in_flight != 32 || row.cpu_us == 0) continue;
    groups[fmt::format("{} {} {}", row.protocol, row.store, row.operation)].push_back(&row);
    if (row.operation != "bulk-get-100") most = std::max(most, row.cpu_us);
  }
  std::string bars;
  int y = 50;
  for (const auto& [name, rows] : groups) {
    bars += fmt::format("<text x='{}' y='{}' text-anchor='end'>{}</text>", kLabel - 8, y + 13, name);
    for (const Row* row : rows) {
      const int width = static_cast<int>(std::min(1.0, row->cpu_us / most) * (kWidth - kLabel - 130));
      const char* colour = row->server == "floor" ? "#b8c0cc" : row->server == "holdfast" ? "#2f6fde" : "#d98c2b";
      bars +=
          fmt::format("<rect x='{}' y='{}' width='{}' height='{}' fill='{}'/><text x='{}' y='{}'>{:.1f} {}{}</text>",
                      kLabel, y, std::max(1, width), kBar - 3, colour, kLabel + width + 6, y + 13, row->cpu_us,
                      row->server, row->cpu_us > most ? " (cut)" : "");
      y += kBar;
    }
    y += 8;
  }
  return fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' width='{}' height='{}' font-family='sans-serif' "
      "font-size='12'><rect width='100%' height='100%' fill='white'/><text x='16' y='24' font-size='15'>"
      "CPU microseconds per request, 32 in flight</text>{}</svg>\n",
      kWidth, y + 20, bars);
}

}  // namespace holdfast::bench
