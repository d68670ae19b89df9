// The process log: one line an event, in daprd's text or JSON form (keys time, level, msg, app_id, instance,
// scope, type, ver), to standard output or a file. Thread-safe. Values and secrets are never logged by callers.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast::log {

enum class Level { debug, info, warning, error, fatal };

struct Options {
  Level level = Level::info;
  bool json = false;
  std::string file;  // empty: standard output
  std::string app_id;
  std::string version;
  std::string prefix;  // of each line; not with JSON
};

// Once, before any thread logs. False when the file cannot be opened.
bool configure(const Options& options);
// "debug", "info", "warn", "warning", "error", "fatal", any case.
bool parse_level(std::string_view text, Level& out);
bool enabled(Level level);
// More of a line, in its order; values are quoted as the message is.
using Fields = std::vector<std::pair<std::string_view, std::string>>;
// `scope` names the part that speaks, e.g. "holdfast.runtime".
void write(Level level, std::string_view scope, std::string_view message, const Fields& fields = {});

template <class... Args>
void debug(std::string_view scope, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, scope, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void info(std::string_view scope, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, scope, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void warn(std::string_view scope, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::warning)) write(Level::warning, scope, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void error(std::string_view scope, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, scope, fmt::format(text, std::forward<Args>(args)...));
}
template <class... Args>
void fatal(std::string_view scope, fmt::format_string<Args...> text, Args&&... args) {
  if (enabled(Level::fatal)) write(Level::fatal, scope, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace holdfast::log
