#include "cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/completion.h"
#include "cli/help.h"
#include "cli/output.h"
#include "config/flags.h"

namespace holdfast::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Commands, EveryRowIsExplainedAndCanRun) {
  std::set<std::string_view> names;
  for (const CommandRow& row : commands()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.summary.empty()) << row.name;
    EXPECT_THAT(std::string(row.summary), Not(EndsWith("."))) << row.name;
    EXPECT_NE(row.run == nullptr, row.run_raw == nullptr) << row.name;
    EXPECT_LE(row.words_min, row.words_max) << row.name;
    EXPECT_EQ(row.arguments.empty(), row.words_max == 0) << row.name;
    for (const OptionRow& option : options_of(row)) EXPECT_FALSE(option.help.empty()) << row.name << ' ' << option.name;
  }
}

// Help lists the options of all verbs once: one name, one meaning.
TEST(Commands, AnOptionMeansTheSameInEveryVerb) {
  for (const CommandRow& row : commands())
    for (const OptionRow& option : options_of(row))
      for (const CommandRow& verb : row.verbs)
        for (const OptionRow& other : verb.options)
          if (other.name == option.name) EXPECT_EQ(other.help, option.help) << verb.name << ' ' << other.name;
}

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(std::vector<std::string> arguments) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_program(arguments);
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

TEST(RunProgram, HelpIsHadInEveryWay) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"help"}, std::vector<std::string>{"--help"}, std::vector<std::string>{"-h"}}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, kDone);
    EXPECT_EQ(ran.out, overview_help(commands()));
  }
  for (const CommandRow& row : commands()) {
    const std::string name(row.name);
    EXPECT_EQ(run({"help", name}).out, command_help(row)) << name;
    EXPECT_EQ(run({name, "--help"}).out, command_help(row)) << name;
  }
}

TEST(RunProgram, VersionsAreNumbers) {
  EXPECT_EQ(run({"version"}).out, HOLDFAST_VERSION "\n");
  EXPECT_EQ(run({"--version"}).out, HOLDFAST_VERSION "\n");
}

TEST(RunProgram, MisuseIsExitCodeTwoAndNamesTheMistake) {
  EXPECT_EQ(run({"help", "nosuch"}).code, kMisused);
  const Ran option = run({"check", "--jsn"});
  EXPECT_EQ(option.code, kMisused);
  EXPECT_THAT(option.err, HasSubstr("did you mean --json?"));
  EXPECT_THAT(option.err, HasSubstr("holdfast help check"));
  const Ran word = run({"chekc"});
  EXPECT_EQ(word.code, kMisused);
  EXPECT_THAT(word.err, EndsWith("unknown command: chekc; did you mean check?\n"));
  EXPECT_EQ(run({"completion", "tcsh"}).code, kMisused);
  EXPECT_EQ(run({"schema", "--type", "state.nosuch"}).code, kMisused);
}

// ---- help ----

TEST(Help, TheOverviewNamesEveryCommandAndFlag) {
  const std::string help = overview_help(commands());
  for (const CommandRow& row : commands())
    EXPECT_THAT(help, HasSubstr("holdfast " + std::string(row.name))) << row.name;
  for (const auto& flag : config::flag_table()) EXPECT_THAT(help, HasSubstr("--" + std::string(flag.name)));
}

TEST(Help, ACommandNamesItsVerbsOptionsAndFlags) {
  const std::string state = command_help(*find_row(commands(), "state"));
  for (const char* text :
       {"holdfast state put STORE KEY [VALUE|-] [--type TYPE]", "save a record", "--limit N", "Exit codes: 0 done"})
    EXPECT_THAT(state, HasSubstr(text));
  EXPECT_THAT(command_help(*find_row(commands(), "serve")), HasSubstr("--dapr-http-port"));
}

TEST(Help, LinesBreakAtBlanksAndExamplesDoNot) {
  EXPECT_EQ(wrapped("aa bb cc dd", 5), "aa bb\ncc dd\n");
  EXPECT_EQ(wrapped("aaaaaaaa b", 5), "aaaaaaaa\nb\n");
  EXPECT_EQ(wrapped("a\n\n  an example, as it is\n\nb", 5), "a\n\n  an example, as it is\n\nb\n");
  EXPECT_EQ(wrapped("", 5), "");
}

// ---- the manual page ----

constexpr OptionRow kOddOptions[] = {{.name = "a-b", .argument = "\\X", .help = "'quoted' and \\back"}};
constexpr CommandRow kOdd[] = {{.name = "odd",
                                .arguments = ".dot",
                                .summary = "odd things",
                                .description = ".begins with a dot\n\n  'an example'\n\nends",
                                .options = kOddOptions,
                                .words_max = 1}};

TEST(ManPage, TextIsNeverTakenForARequest) {
  const std::string page = man_page(kOdd);
  EXPECT_THAT(page, HasSubstr(".PP\n\\&.begins with a dot\n"));
  EXPECT_THAT(page, HasSubstr(".nf\n  'an example'\n.fi\n"));
  EXPECT_THAT(page, HasSubstr("\\-\\-a\\-b \\eX\n\\&'quoted' and \\eback\n"));
  EXPECT_THAT(page, HasSubstr(".B holdfast odd\n\\&.dot [\\-\\-a\\-b \\eX]\n"));
}

TEST(ManPage, NamesEveryCommandAndFlag) {
  std::string page = man_page(commands());
  EXPECT_THAT(page, StartsWith(".TH HOLDFAST 1 "));
  for (std::size_t at = 0; (at = page.find("\\-", at)) != std::string::npos;) page.erase(at, 1);
  for (const CommandRow& row : commands()) EXPECT_THAT(page, HasSubstr(".SS " + std::string(row.name) + "\n"));
  for (const auto& flag : config::flag_table())
    EXPECT_THAT(page, HasSubstr("--" + std::string(flag.name))) << flag.name;
}

// ---- completion ----

TEST(Completion, ScriptsOfferEveryCommandOptionAndFlag) {
  for (const std::string_view shell : split_words(kShells)) {
    const auto script = completion_script(shell, commands());
    ASSERT_TRUE(script);
    const std::string dashes = shell == "fish" ? "-l " : "--";
    for (const CommandRow& row : commands()) {
      EXPECT_THAT(*script, HasSubstr(std::string(row.name))) << shell;
      for (const OptionRow& option : options_of(row))
        EXPECT_THAT(*script, HasSubstr(dashes + std::string(option.name))) << shell << ' ' << row.name;
    }
    for (const auto& flag : config::flag_table())
      if (flag.effective) EXPECT_THAT(*script, HasSubstr(dashes + std::string(flag.name))) << shell;
    EXPECT_THAT(*script, Not(HasSubstr("placement-host-address"))) << shell;
  }
}

TEST(Completion, WordsOfHelpAreTheCommands) {
  EXPECT_THAT(completion_script("bash", commands()).value(), HasSubstr("words='serve run state "));
}

constexpr CommandRow kQuoting[] = {{.name = "odd", .summary = "it's [odd]: so", .options = kOddOptions}};

TEST(Completion, HelpIsQuotedAsEachShellWants) {
  EXPECT_THAT(completion_script("zsh", kQuoting).value(), HasSubstr("'--a-b=['\\''quoted'\\'' and \\back]:\\X: '"));
  EXPECT_THAT(completion_script("fish", kQuoting).value(), HasSubstr("-l a-b -d '\\'quoted\\' and \\\\back' -x\n"));
}

TEST(Completion, OtherShellsAreRefused) {
  const auto script = completion_script("tcsh", commands());
  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().message, "there is completion for bash zsh fish, not for \"tcsh\"");
}

}  // namespace
}  // namespace holdfast::cli
