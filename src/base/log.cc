#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>

#include "base/clock.h"
#include "base/encoding.h"

namespace holdfast::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> out;
  std::string app_id;
  std::string instance;
  std::string version;
  std::string prefix;
  bool json = false;
};

State& state() {
  static State* const the_state = [] {
    auto* made = new State;
    made->out = std::make_shared<spdlog::logger>("holdfast", std::make_shared<spdlog::sinks::stdout_sink_mt>());
    made->out->set_pattern("%v");
    made->out->set_level(spdlog::level::trace);
    std::array<char, 256> host{};
    gethostname(host.data(), host.size() - 1);
    made->instance = host.data();
    made->version = HOLDFAST_VERSION;
    return made;
  }();
  return *the_state;
}

std::atomic<Level> threshold{Level::info};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warning: return "warning";
    case Level::error: return "error";
    case Level::fatal: return "fatal";
  }
  return "info";
}

// logfmt and JSON quote alike: both forms are one line whatever the message holds.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  const bool readable = is_utf8(text);  // bytes that are not text become replacement characters
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else if (static_cast<unsigned char>(c) >= 0x80 && !readable) {
          out += "\\ufffd";
        } else {
          out += c;
        }
    }
  }
  return out + '"';
}

}  // namespace

bool configure(const Options& options) {
  State& s = state();
  s.json = options.json;
  s.app_id = options.app_id;
  s.prefix = options.json ? std::string() : options.prefix;
  if (!options.version.empty()) s.version = options.version;
  threshold = options.level;
  if (options.file.empty()) return true;
  try {
    s.out = std::make_shared<spdlog::logger>(
        "holdfast", std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file));
    s.out->set_pattern("%v");
  } catch (const spdlog::spdlog_ex&) {
    return false;
  }
  return true;
}

bool parse_level(std::string_view text, Level& out) {
  const std::string lower = to_lower(text);
  if (lower == "debug") return out = Level::debug, true;
  if (lower == "info") return out = Level::info, true;
  if (lower == "warn" || lower == "warning") return out = Level::warning, true;
  if (lower == "error") return out = Level::error, true;
  if (lower == "fatal") return out = Level::fatal, true;
  return false;
}

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

void write(Level level, std::string_view scope, std::string_view message, const Fields& fields) {
  State& s = state();
  const std::string time = rfc3339_log(Clock::system().wall());
  std::string line;
  std::string more;
  for (const auto& [name, value] : fields)
    more += s.json ? fmt::format(R"(,"{}":{})", name, quoted(value)) : fmt::format(" {}={}", name, quoted(value));
  if (s.json) {
    line = fmt::format(
        R"({{"app_id":{},"instance":{},"level":"{}","msg":{},"scope":{},"time":"{}","type":"log","ver":{}{}}})",
        quoted(s.app_id), quoted(s.instance), name_of(level), quoted(message), quoted(scope), time,
        quoted(s.version), more);
  } else {
    line = s.prefix;
    line += fmt::format(R"(time="{}" level={} msg={} app_id={} instance={} scope={} type=log ver={}{})",
                       time, name_of(level), quoted(message), s.app_id, s.instance, scope, s.version, more);
  }
  s.out->info(line);
  s.out->flush();
}

}  // namespace holdfast::log
