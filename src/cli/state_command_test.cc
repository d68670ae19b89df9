#include "cli/state_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace holdfast::cli {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;
using Verb = StateCommand::Verb;

Result<StateCommand> parse(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
  return parse_state_command(arguments, [&](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(StateCommand, AddressAndTokenComeFromTheEnvironment) {
  const auto command = parse({"get", "s", "k"}, {{"DAPR_HTTP_PORT", "3501"}, {"DAPR_API_TOKEN", "t"}});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->address, "http://127.0.0.1:3501");
  EXPECT_EQ(command->token, "t");
  EXPECT_EQ(parse({"get", "s", "k"})->address, "http://127.0.0.1:3500");
  EXPECT_EQ(parse({"get", "--address", "http://h:1", "s", "k"})->address, "http://h:1");
}

TEST(StateCommand, FilesAreNamedWithCommasOrOneByOne) {
  const auto command = parse({"get", "s", "k", "--resources-path", "a,b", "--resources-path=c", "--app-id", "x"});
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_EQ(command->resources_paths, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(command->app_id, "x");
}

TEST(StateCommand, OptionsMayStandAnywhereAndWithAnEqualsSign) {
  const auto command = parse({"put", "--ttl=30s", "s", "k", "--type", "text/css", "v", "--if-absent"});
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_EQ(command->store, "s");
  EXPECT_EQ(command->key, "k");
  EXPECT_EQ(command->value, "v");
  EXPECT_EQ(command->ttl, "30s");
  EXPECT_EQ(command->type, "text/css");
  EXPECT_TRUE(command->if_absent);
  EXPECT_FALSE(command->value_from_input);
}

TEST(StateCommand, AMissingValueOrADashIsReadFromStandardInput) {
  EXPECT_TRUE(parse({"put", "s", "k"})->value_from_input);
  EXPECT_TRUE(parse({"put", "s", "k", "-"})->value_from_input);
}

TEST(StateCommand, WordsAfterTwoDashesAreNoOptions) {
  const auto command = parse({"put", "s", "--", "--ttl", "--json"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->key, "--ttl");
  EXPECT_EQ(command->value, "--json");
}

struct Misuse {
  const char* name;
  std::vector<std::string> arguments;
  const char* says;
};

class MisusedCommand : public testing::TestWithParam<Misuse> {};

TEST_P(MisusedCommand, IsToldWhatIsWrong) {
  const auto command = parse(GetParam().arguments);
  ASSERT_FALSE(command);
  EXPECT_EQ(command.error().code, Errc::invalid_argument);
  EXPECT_THAT(command.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    All, MisusedCommand,
    testing::Values(Misuse{"NoVerb", {}, "needs one of"}, Misuse{"UnknownVerb", {"list", "s"}, "\"list\" is none of"},
                    Misuse{"NoStore", {"get"}, "\"holdfast state get\" needs STORE KEY"},
                    Misuse{"NoKey", {"delete", "s"}, "needs STORE KEY"},
                    Misuse{"NoFile", {"backup", "s"}, "needs STORE FILE"},
                    Misuse{"TooManyWords", {"get", "s", "k", "x"}, "\"x\" is one word too many"},
                    Misuse{"UnknownOption", {"get", "s", "k", "--ttl", "1"}, "no option --ttl"},
                    Misuse{"NoOptionName", {"get", "s", "k", "--=1"}, "no option --"},
                    Misuse{"SwitchWithValue", {"get", "s", "k", "--json=yes"}, "takes no value"},
                    Misuse{"OptionWithoutValue", {"put", "s", "k", "v", "--ttl"}, "--ttl needs a value"},
                    Misuse{"IsolationEmpty", {"get", "s", "k", "--isolation="}, "1 to 128"},
                    Misuse{"IsolationText", {"ls", "s", "--isolation", "a b"}, "1 to 128"},
                    Misuse{"BothPlaces", {"get", "s", "k", "--address", "h:1", "--resources-path", "d"}, "exclude"},
                    Misuse{"AppIdOfASidecar", {"get", "s", "k", "--app-id", "a"}, "--resources-path"},
                    Misuse{"IndexText", {"ls", "s", "--index", "user_id"}, "NAME=VALUE"},
                    Misuse{"IndexName", {"ls", "s", "--index", "=1"}, "NAME=VALUE"},
                    Misuse{"LimitZero", {"ls", "s", "--limit", "0"}, "from 1"},
                    Misuse{"LimitText", {"ls", "s", "--limit", "10x"}, "from 1"},
                    Misuse{"NothingToClear", {"clear", "s"}, "--all"},
                    Misuse{"AllOfAPrefix", {"clear", "s", "p", "--all"}, "exclude"},
                    Misuse{"UnknownPatch", {"patch", "s", "k", "1", "--as", "add"}, "append-element"},
                    Misuse{"BothConditions", {"put", "s", "k", "v", "--if-absent", "--if-match", "e"}, "exclude"}),
    [](const auto& info) { return info.param.name; });

TEST(StateCommand, HelpIsNoMisuse) {
  EXPECT_EQ(parse({"help"})->verb, Verb::help);
  EXPECT_EQ(parse({"get", "--help"})->verb, Verb::help);
}

TEST(StateRequest, KeyAndStoreAreEscapedWhole) {
  const auto request = request_of(*parse({"get", "a b", "orders/17?x+%"}));
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/v2/state/a%20b/orders%2F17%3Fx%2B%25");
  EXPECT_TRUE(request.headers.empty());
}

TEST(StateRequest, ARecordIsAskedForByItsType) {
  const auto accepts = UnorderedElementsAre(Pair("Accept", "application/vnd.holdfast.record+json"));
  EXPECT_THAT(request_of(*parse({"get", "s", "k", "--record"})).headers, accepts);
  EXPECT_THAT(request_of(*parse({"get", "s", "k", "--json"})).headers, accepts);
}

TEST(StateRequest, PutCarriesValueTypeTtlConditionAndToken) {
  const auto request = request_of(*parse(
      {"put", "s", "k", "v", "--ttl", "1h", "--type", "text/css", "--if-match", "e1"}, {{"DAPR_API_TOKEN", "t"}}));
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.target, "/v2/state/s/k?ttl=1h");
  EXPECT_EQ(request.body, "v");
  EXPECT_THAT(request.headers, UnorderedElementsAre(Pair("dapr-api-token", "t"), Pair("Content-Type", "text/css"),
                                                    Pair("If-Match", "\"e1\"")));
  EXPECT_THAT(request_of(*parse({"put", "s", "k", "1", "--if-absent", "--json"})).headers,
              UnorderedElementsAre(Pair("Content-Type", "application/json"), Pair("If-None-Match", "*"),
                                   Pair("Prefer", "return=representation")));
}

TEST(StateRequest, APatchSaysWhatItDoesByItsType) {
  const auto merge = request_of(*parse({"patch", "s", "k", "{}", "--ttl", "1h", "--if-match", "*"}));
  EXPECT_EQ(merge.method + " " + merge.target, "PATCH /v2/state/s/k?ttl=1h");
  EXPECT_THAT(merge.headers,
              UnorderedElementsAre(Pair("Content-Type", "application/merge-patch+json"), Pair("If-Match", "*")));
  const auto add = request_of(*parse({"patch", "s", "k", "-2", "--as", "increment"}));
  EXPECT_EQ(add.body, R"({"by":-2})");
  EXPECT_THAT(add.headers, UnorderedElementsAre(Pair("Content-Type", "application/vnd.holdfast.increment+json")));
  EXPECT_EQ(request_of(*parse({"patch", "s", "k", R"({"max":3})", "--as", "increment"})).body, R"({"max":3})");
  EXPECT_THAT(request_of(*parse({"patch", "s", "k", "x", "--as", "append"})).headers,
              UnorderedElementsAre(Pair("Content-Type", "application/vnd.holdfast.append")));
  EXPECT_TRUE(parse({"patch", "s", "k"})->value_from_input);
}

TEST(StateRequest, ATransactionIsAnArrayOrTheWholeBody) {
  const auto request = request_of(*parse({"txn", "s", R"([{"op":"delete","key":"k"}])"}));
  EXPECT_EQ(request.method + " " + request.target, "POST /v2/state/s:transact");
  EXPECT_EQ(request.body, R"({"operations":[{"op":"delete","key":"k"}]})");
  EXPECT_EQ(request_of(*parse({"txn", "s", R"({"operations":[]})"})).body, R"({"operations":[]})");
  EXPECT_TRUE(parse({"txn", "s"})->value_from_input);
}

TEST(StateRequest, ClearGoesBySteps) {
  EXPECT_EQ(clear_request(*parse({"clear", "s", "a/&"})).target, "/v2/state/s?limit=1000&prefix=a%2F%26");
  EXPECT_EQ(clear_request(*parse({"clear", "s", "--all"})).target, "/v2/state/s?limit=1000&all=true");
}

TEST(StateRequest, EveryRequestAboutRecordsNamesTheIsolationKey) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"get", "s", "k"}, std::vector<std::string>{"put", "s", "k", "1"},
        std::vector<std::string>{"patch", "s", "k", "{}"}, std::vector<std::string>{"delete", "s", "k"},
        std::vector<std::string>{"txn", "s", "[]"}, std::vector<std::string>{"ls", "s"},
        std::vector<std::string>{"clear", "s", "p"}}) {
    std::vector<std::string> named = words;
    named.insert(named.end(), {"--isolation", "tenant-1"});
    const auto command = parse(named);
    ASSERT_TRUE(command) << command.error().message;
    const auto is_named = testing::Contains(Pair("Holdfast-Isolation", "tenant-1"));
    const auto headers = command->verb == Verb::list    ? page_request(*command, 1, "").headers
                         : command->verb == Verb::clear ? clear_request(*command).headers
                                                        : request_of(*command).headers;
    EXPECT_THAT(headers, is_named) << words[0];
  }
}

TEST(StateRequest, AQuotedEtagOrAStarGoesOutAsItIs) {
  EXPECT_THAT(request_of(*parse({"delete", "s", "k", "--if-match", "\"e\""})).headers,
              UnorderedElementsAre(Pair("If-Match", "\"e\"")));
  EXPECT_THAT(request_of(*parse({"delete", "s", "k", "--if-match", "*"})).headers,
              UnorderedElementsAre(Pair("If-Match", "*")));
}

TEST(StateRequest, APageNamesPrefixLimitAndCursor) {
  const auto command = *parse({"ls", "s", "a/&b", "--values"});
  EXPECT_EQ(page_request(command, 7, "").target, "/v2/state/s?limit=7&prefix=a%2F%26b&values=true");
  EXPECT_EQ(page_request(*parse({"ls", "s", "--index", "a&b=1=2", "--index=c="}), 9, "").target,
            "/v2/state/s?limit=9&index.a%26b=1%3D2&index.c=");
  EXPECT_EQ(page_request(*parse({"ls", "s"}), 1000, "c-1").target, "/v2/state/s?limit=1000&cursor=c-1");
}

TEST(StateRequest, TheTypeOfAValueIsGuessedFromItsBytes) {
  EXPECT_EQ(guessed_type("{\"a\":1}"), "application/json");
  EXPECT_EQ(guessed_type("12"), "application/json");
  EXPECT_EQ(guessed_type("hello"), "text/plain; charset=utf-8");
  EXPECT_EQ(guessed_type(""), "text/plain; charset=utf-8");
  EXPECT_EQ(guessed_type("\xff"), "application/octet-stream");
}

TEST(StateCommand, AWatchIsOfAPrefixOrOfAKey) {
  const auto all = parse({"watch", "s"}, {{"DAPR_API_TOKEN", "t"}});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(watch_request(*all, "").target, "/v2/state/s:watch?prefix=");
  EXPECT_THAT(watch_request(*all, "a.1").headers,
              UnorderedElementsAre(Pair("dapr-api-token", "t"), Pair("Accept", "text/event-stream"),
                                   Pair("Last-Event-ID", "a.1")));
  EXPECT_EQ(watch_request(*parse({"watch", "s", "a b/", "--values"}), "").target,
            "/v2/state/s:watch?prefix=a%20b%2F&values=true");
  const auto one = parse({"watch", "s", "--key", "k", "--after", "a.1", "--json"});
  ASSERT_TRUE(one) << one.error().message;
  EXPECT_EQ(watch_request(*one, "").target, "/v2/state/s:watch?key=k");
  EXPECT_EQ(one->after, "a.1");
  EXPECT_FALSE(parse({"watch", "s", "p", "--key", "k"}));
  EXPECT_FALSE(parse({"watch"}));
}

}  // namespace
}  // namespace holdfast::cli
