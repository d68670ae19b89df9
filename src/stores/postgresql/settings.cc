#include "stores/postgresql/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "base/encoding.h"
#include "state/field_groups.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Setting;

constexpr std::string_view kNoTokens =
    "asks to sign in with a token, which this version does not do; remove the field and sign in with a password or a "
    "certificate";

// PostgreSQL cuts longer names, and two that are cut may be one.
constexpr std::size_t kNameBytesMost = 63;
constexpr std::string_view kLongestSuffix = "_holdfast_index_key";

bool is_name(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

// As Dapr, which writes names into SQL without quotes: PostgreSQL takes them in lower case.
std::optional<TableName> parse_table(std::string_view text) {
  const std::size_t dot = text.find('.');
  TableName name;
  if (dot != std::string_view::npos) name.schema = to_lower(text.substr(0, dot));
  name.table = to_lower(dot == std::string_view::npos ? text : text.substr(dot + 1));
  if (!is_name(name.table) || (dot != std::string_view::npos && !is_name(name.schema))) return std::nullopt;
  if (name.schema.size() > kNameBytesMost || name.table.size() + kLongestSuffix.size() > kNameBytesMost)
    return std::nullopt;
  return name;
}

std::string_view type_of(Engine engine) {
  if (engine == Engine::cockroachdb) return "state.cockroachdb";
  return engine == Engine::yugabytedb ? "state.yugabytedb" : "state.postgresql";
}

class Reader {
 public:
  Reader(const state::Component& component, const state::Settings& fields, Engine engine, Layout layout)
      : component_(component), fields_(fields) {
    out_.component = component.name;
    out_.engine = engine;
    out_.layout = layout;
    out_.type = type_of(engine);
  }

  Result<PostgresqlSettings> read(std::size_t cores) {
    for (auto step : {&Reader::check_sign_in, &Reader::read_connection, &Reader::read_tables, &Reader::read_times})
      if (Status ok = (this->*step)(); !ok) return fail(std::move(ok.error()));
    read_pool(cores);
    return std::move(out_);
  }

 private:
  std::unexpected<Error> refuse(std::string_view why, Errc code = Errc::invalid_argument) const {
    return fail(code, fmt::format("component \"{}\" ({}): {}{}", component_.name, out_.type, why,
                                  component_.file.empty() ? "" : " (" + component_.file + ")"));
  }

  Status check_sign_in() {
    for (const std::string_view field : {"useAzureAD", "useAWSIAM"})
      if (fields_.boolean(field)) return refuse(fmt::format("{} {}", field, kNoTokens), Errc::unsupported);
    return {};
  }

  Status read_connection() {
    static constexpr auto kOverrides = std::to_array<std::pair<std::string_view, std::string_view>>({
        {"host", "host"},
        {"hostaddr", "hostaddr"},
        {"port", "port"},
        {"database", "dbname"},
        {"user", "user"},
        {"password", "password"},
        {"sslRootCert", "sslrootcert"},
    });
    for (const auto& [field, word] : kOverrides)
      if (!fields_.text(field).empty()) out_.overrides.emplace_back(word, fields_.text(field));
    const std::string& text = fields_.text("connectionString");
    if (trim(text).empty()) {
      if (out_.overrides.empty())
        return refuse("missing connection string; set connectionString, or host, user and database");
    } else {
      auto parsed = parse_connection_string(text);
      if (!parsed) return refuse(parsed.error().message);
      out_.connection = std::move(*parsed);
    }
    note_server();
    return {};
  }

  void note_server() {
    const auto given = [this](std::string_view field, const std::string& otherwise) {
      return fields_.text(field).empty() ? otherwise : fields_.text(field);
    };
    const std::string host = given("host", given("hostaddr", out_.connection.host));
    const std::string port = given("port", out_.connection.port);
    const std::string database = given("database", out_.connection.database);
    // Of the other engines any node does.
    out_.has_several_hosts = out_.engine == Engine::postgresql && host.contains(',');
    out_.server = host.empty() ? "localhost" : host;
    if (!port.empty()) out_.server += ":" + port;
    if (!database.empty()) out_.server += "/" + database;
  }

  Status read_table(std::string_view field, std::string_view text, TableName& out) const {
    auto name = parse_table(text);
    if (!name)
      return refuse(
          fmt::format("{}: \"{}\" is no name of a table; use letters, digits and underscores, at most {}, with a "
                      "schema and a dot in front if need be",
                      field, text, kNameBytesMost - kLongestSuffix.size()));
    out = std::move(*name);
    return {};
  }

  Status read_tables() {
    const std::string& prefix = fields_.text("tablePrefix");
    const bool names_table =
        out_.layout == Layout::v1 && fields_.has("tableName") && !fields_.text("tableName").empty();
    out_.falls_back_to_state = out_.layout == Layout::v1 && !names_table && !prefix.empty();
    Status ok = names_table ? read_table("tableName", fields_.text("tableName"), out_.table)
                            : read_table("tablePrefix", prefix + "state", out_.table);
    const std::string& metadata = fields_.text("metadataTableName");
    if (ok) ok = read_table("metadataTableName", metadata.empty() ? "dapr_metadata" : metadata, out_.metadata_table);
    if (out_.layout == Layout::v2) {
      out_.migrations_row += "-state-v2-" + prefix;
      out_.cleanup_row += "-state-v2-" + prefix;
    }
    if (ok && out_.table == out_.metadata_table)
      return refuse("the records and metadataTableName have the same table; change one");
    return ok;
  }

  Status read_times() {
    out_.timeout = fields_.duration("timeout");
    if (out_.timeout < Milliseconds(1000)) return refuse("invalid value for 'timeout': must be at least 1s");
    const std::string& watch = fields_.text("watch");
    out_.watch_log = iequals(watch, "log");
    if (!out_.watch_log && !watch.empty() && !iequals(watch, "off")) return refuse("watch must be off or log");
    if (out_.watch_log && out_.engine != Engine::postgresql)
      return refuse("watch: log is there for PostgreSQL itself only; remove the field", Errc::unsupported);
    if (!fields_.text("cleanupInterval").empty()) out_.cleanup_interval = fields_.duration("cleanupInterval");
    return {};
  }

  void read_pool(std::size_t cores) {
    const std::string mode = to_lower(fields_.text("queryExecMode"));
    out_.prepares = mode.empty() || mode.starts_with("cache");
    out_.connections_max = static_cast<std::uint32_t>(std::clamp<std::size_t>(cores, 4, 1024));
    if (out_.connection.connections_max) out_.connections_max = *out_.connection.connections_max;
    if (const std::int64_t most = fields_.integer(fields_.has("maxConns") ? "maxConns" : "maxOpenConns"); most > 1)
      out_.connections_max =
          static_cast<std::uint32_t>(std::min<std::int64_t>(most, std::numeric_limits<std::uint32_t>::max()));
    if (out_.connection.idle_max) out_.idle_max = *out_.connection.idle_max;
    if (fields_.has("connectionMaxIdleTime"))
      if (const Milliseconds idle = fields_.duration("connectionMaxIdleTime"); idle.count() > 0) out_.idle_max = idle;
  }

  const state::Component& component_;
  const state::Settings& fields_;
  PostgresqlSettings out_;
};

}  // namespace

std::string TableName::quoted(std::string_view suffix) const {
  return schema.empty() ? fmt::format("\"{}{}\"", table, suffix)
                        : fmt::format("\"{}\".\"{}{}\"", schema, table, suffix);
}

std::span<const Setting> fields_of(Layout layout) {
  return layout == Layout::v1 ? std::span<const Setting>(state::kPostgresqlFieldsV1)
                              : std::span<const Setting>(state::kPostgresqlFieldsV2);
}

Result<PostgresqlSettings> PostgresqlSettings::read(const state::Component& component, Layout layout, std::size_t cores,
                                                    Engine engine) {
  auto fields = state::Settings::read(component, fields_of(layout));
  if (!fields) return fail(std::move(fields.error()));
  return Reader(component, *fields, engine, layout).read(cores);
}

}  // namespace holdfast::stores::postgresql
