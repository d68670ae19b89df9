#include "config/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace holdfast::config {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Flags parse(std::vector<std::string> arguments) {
  auto flags = parse_flags(arguments);
  if (!flags) {
    ADD_FAILURE() << flags.error().message;
    return {};
  }
  return std::move(*flags);
}

std::string error_of(std::vector<std::string> arguments) {
  const auto flags = parse_flags(arguments);
  return flags ? "no error" : flags.error().message;
}

TEST(Flags, DefaultsAreThoseOfTheTable) {
  const Flags flags = parse({});
  // Every default of the table, given on the command line, changes nothing.
  std::vector<std::string> arguments;
  for (const FlagRow& row : flag_table())
    if (!row.fallback.empty()) arguments.push_back("--" + std::string(row.name) + "=" + std::string(row.fallback));
  const Flags same = parse(arguments);
  EXPECT_EQ(flags.dapr_http_port, same.dapr_http_port);
  EXPECT_EQ(flags.dapr_grpc_port, same.dapr_grpc_port);
  EXPECT_EQ(flags.metrics_port, same.metrics_port);
  EXPECT_EQ(flags.metrics_listen_address, same.metrics_listen_address);
  EXPECT_EQ(flags.enable_metrics, same.enable_metrics);
  EXPECT_EQ(flags.mode, same.mode);
  EXPECT_EQ(flags.max_body_bytes, same.max_body_bytes);
  EXPECT_EQ(flags.read_buffer_bytes, same.read_buffer_bytes);
  EXPECT_EQ(flags.log_level, same.log_level);
  EXPECT_EQ(flags.graceful_shutdown, same.graceful_shutdown);
  EXPECT_EQ(flags.app_port, same.app_port);
  EXPECT_EQ(flags.app_protocol, same.app_protocol);
  EXPECT_EQ(flags.app_max_concurrency, same.app_max_concurrency);
  EXPECT_EQ(flags.app_channel_address, same.app_channel_address);
  EXPECT_EQ(flags.loops, same.loops);
  EXPECT_EQ(flags.max_inflight_bytes, same.max_inflight_bytes);
  EXPECT_EQ(flags.max_connections, same.max_connections);
  EXPECT_EQ(flags.header_timeout, same.header_timeout);
  EXPECT_EQ(flags.idle_timeout, same.idle_timeout);
  EXPECT_EQ(flags.enable_api_logging, std::nullopt);
  EXPECT_EQ(flags.enable_dashboard, std::nullopt);
  EXPECT_THAT(flags.given, IsEmpty());
}

TEST(Flags, NamesAreUniqueAndEffectiveOnesAreExplained) {
  std::set<std::string_view> names;
  for (const FlagRow& row : flag_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.effective, !row.help.empty()) << row.name;
  }
}

TEST(Flags, AreReadInEverySpelling) {
  const Flags flags = parse({"--app-id", "orders", "-dapr-http-port", "3600", "--dapr-grpc-port=3601",
                             "-log-level=debug", "--log-as-json", "--enable-metrics=false"});
  EXPECT_EQ(flags.app_id, "orders");
  EXPECT_EQ(flags.dapr_http_port, 3600);
  EXPECT_EQ(flags.dapr_grpc_port, 3601);
  EXPECT_EQ(flags.log_level, "debug");
  EXPECT_TRUE(flags.log_as_json);
  EXPECT_FALSE(flags.enable_metrics);
  EXPECT_TRUE(flags.is_given("dapr-http-port"));
  EXPECT_FALSE(flags.is_given("metrics-port"));
}

TEST(Flags, ABareBooleanDoesNotTakeTheNextArgument) {
  const Flags flags = parse({"--log-as-json", "false", "--enable-api-logging"});
  EXPECT_TRUE(flags.log_as_json);
  EXPECT_THAT(flags.arguments, ElementsAre("false"));
  EXPECT_EQ(flags.enable_api_logging, true);
  EXPECT_EQ(parse({"--enable-api-logging=false"}).enable_api_logging, false);
}

TEST(Flags, ListsRepeatAndSplitAtCommas) {
  const Flags flags =
      parse({"--resources-path", "a,b", "--resources-path=c", "--components-path", "d", "--config=x,,y"});
  EXPECT_THAT(flags.resources_paths, ElementsAre("a", "b", "c"));
  EXPECT_THAT(flags.configs, ElementsAre("x", "y"));
  EXPECT_THAT(parse({"--components-path", "d"}).resources_paths, ElementsAre("d"));
  EXPECT_THAT(parse({"--resources-path=", "--components-path", "d"}).resources_paths, ElementsAre("d"));
}

TEST(Flags, TheLastOfSeveralHolds) {
  const Flags flags = parse({"--app-id", "a", "--app-id", "b"});
  EXPECT_EQ(flags.app_id, "b");
  EXPECT_THAT(flags.given, ElementsAre("app-id"));
}

TEST(Flags, ValuesMayLookLikeFlagsOrBeEmpty) {
  EXPECT_EQ(parse({"--app-max-concurrency", "-1"}).app_max_concurrency, -1);
  EXPECT_EQ(parse({"--log-file", "--x"}).log_file, "--x");
  EXPECT_EQ(parse({"--app-id=", "--log-file", ""}).app_id, "");
  EXPECT_EQ(parse({"--app-id=[a,b]"}).app_id, "[a,b]");
  EXPECT_THAT(parse({"--allowed-origins", "https://a.example,https://b.example"}).allowed_origins,
              ElementsAre("https://a.example", "https://b.example"));
  EXPECT_EQ(parse({"--log-file=a=b"}).log_file, "a=b");
}

TEST(Flags, TheNewSizesBeatTheOldOnes) {
  EXPECT_EQ(parse({"--dapr-http-max-request-size", "8"}).max_body_bytes, 8u << 20);
  EXPECT_EQ(parse({"--dapr-http-max-request-size", "8", "--max-body-size", "16Mi"}).max_body_bytes, 16u << 20);
  EXPECT_EQ(parse({"--dapr-http-max-request-size", "-1"}).max_body_bytes, 4u << 20);
  EXPECT_EQ(parse({"--max-body-size=0"}).max_body_bytes, 0u);
  EXPECT_EQ(parse({"--dapr-http-read-buffer-size", "8"}).read_buffer_bytes, 8u << 10);
  EXPECT_EQ(parse({"--read-buffer-size", "16Ki"}).read_buffer_bytes, 16u << 10);
}

TEST(Flags, GracefulSecondsBelowZeroAreTheDefault) {
  EXPECT_EQ(parse({"--dapr-graceful-shutdown-seconds", "-3"}).graceful_shutdown, seconds(5));
  EXPECT_EQ(parse({"--dapr-graceful-shutdown-seconds=0"}).graceful_shutdown, seconds(0));
  EXPECT_EQ(parse({"--dapr-block-shutdown-duration", "1m"}).block_shutdown, seconds(60));
}

TEST(Flags, ThoseOfDaprdWithoutEffectAreListed) {
  const Flags flags = parse({"--placement-host-address", "localhost:50005", "--app-id=a", "--enable-mtls",
                             "--enable-profiling=false", "--profile-port", "7777"});
  EXPECT_THAT(flags.without_effect,
              ElementsAre("placement-host-address", "enable-mtls", "enable-profiling", "profile-port"));
}

TEST(Flags, DashesAloneEndTheFlags) {
  const Flags flags = parse({"run", "--app-id", "a", "--", "node", "--inspect", "app.js"});
  EXPECT_EQ(flags.app_id, "a");
  EXPECT_THAT(flags.arguments, ElementsAre("run", "node", "--inspect", "app.js"));
}

TEST(Flags, AskingForHelpIsNoError) {
  EXPECT_TRUE(parse({"--help"}).help);
  EXPECT_TRUE(parse({"-h"}).help);
  EXPECT_FALSE(parse({}).help);
}

TEST(Flags, MistakesAreNamedAsDaprdNamesThem) {
  EXPECT_EQ(error_of({"--nosuch", "1"}), "unknown flag: --nosuch");
  EXPECT_EQ(error_of({"-x"}), "unknown flag: --x");
  EXPECT_EQ(error_of({"--nosuch=1"}), "unknown flag: --nosuch");
  EXPECT_EQ(error_of({"--app-id"}), "flag needs an argument: --app-id");
  EXPECT_EQ(error_of({"--dapr-http-port", "abc"}),
            "invalid argument \"abc\" for \"--dapr-http-port\" flag: must be an integer from 0 to 65535");
  EXPECT_EQ(error_of({"--dapr-http-port=65536"}),
            "invalid argument \"65536\" for \"--dapr-http-port\" flag: must be an integer from 0 to 65535");
  EXPECT_EQ(error_of({"--enable-metrics=maybe"}),
            "invalid argument \"maybe\" for \"--enable-metrics\" flag: must be true or false");
  EXPECT_THAT(error_of({"--max-body-size", "4MB"}),
              HasSubstr("invalid argument \"4MB\" for \"--max-body-size\" flag: "));
  EXPECT_EQ(error_of({"--header-timeout", "10"}),
            "invalid argument \"10\" for \"--header-timeout\" flag: time: missing unit in duration \"10\"");
  EXPECT_THAT(error_of({"--idle-timeout", "-1s"}), HasSubstr("must not be negative"));
  EXPECT_THAT(error_of({"--max-connections", "-1"}), HasSubstr("must be an integer from 0"));
}

TEST(CheckFlags, RefusesWhatDaprdRefusesToStartWith) {
  const auto check = [](std::vector<std::string> arguments) {
    const auto status = check_flags(parse(std::move(arguments)));
    return status ? std::string("ok") : status.error().message;
  };
  EXPECT_EQ(check({"--app-id", "a"}), "ok");
  EXPECT_EQ(check({}), "parameter app-id cannot be empty");
  EXPECT_EQ(check({"--app-id", "a.b"}), "parameter app-id cannot contain dots");
  EXPECT_EQ(check({"--app-id", "a", "--mode", "x"}), "invalid mode: x");
  EXPECT_THAT(check({"--app-id", "a", "--mode", "kubernetes"}), HasSubstr("not supported"));
  EXPECT_EQ(check({"--app-id", "a", "--log-level", "loud"}), "invalid value for --log-level: loud");
  EXPECT_EQ(check({"--app-id", "a", "--app-port", "3500"}),
            "the 'dapr-http-port' argument value 3500 conflicts with 'app-port'");
  EXPECT_EQ(check({"--app-id", "a", "--app-port", "50001"}),
            "the 'dapr-grpc-port' argument value 50001 conflicts with 'app-port'");
}

TEST(FlagsHelp, NamesEveryFlagWithItsDefault) {
  const std::string help = flags_help();
  for (const FlagRow& row : flag_table()) EXPECT_THAT(help, HasSubstr("--" + std::string(row.name)));
  EXPECT_THAT(help, HasSubstr("64Mi"));
  EXPECT_THAT(help, HasSubstr("accepted and do nothing"));
}

}  // namespace
}  // namespace holdfast::config
