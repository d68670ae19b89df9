#include "stores/postgresql/levels.h"

#include <gtest/gtest.h>

namespace holdfast::stores::postgresql {
namespace {

using state::Consistency;

TEST(PostgresqlLevelsTest, StandbyNamesAreReadAsTheServerReadsThem) {
  struct Row {
    const char* names;
    std::uint32_t awaited, listed;
    bool any;
  };
  for (const auto& [names, awaited, listed, any] : {
           Row{"", 0, 0, false},
           Row{"  ", 0, 0, false},
           Row{"s1", 1, 1, false},
           Row{"s1, s2", 1, 2, false},
           Row{"2 (s1, s2, s3)", 2, 3, false},
           Row{"FIRST 2 (s1,s2,s3)", 2, 3, false},
           Row{"any 1 (s1, \"a, b\")", 1, 2, false},
           Row{"*", 1, 1, true},
           Row{"ANY 2 (*)", 2, 1, true},
           Row{"first", 1, 1, false},
           Row{"any_standby, other", 1, 2, false},
       }) {
    const auto read = SynchronousStandbys::parse(names);
    EXPECT_EQ(read.awaited, awaited) << names;
    EXPECT_EQ(read.listed, listed) << names;
    EXPECT_EQ(read.any, any) << names;
  }
}

TEST(PostgresqlLevelsTest, AMajorityIsOfThePrimaryAndAllStandbys) {
  EXPECT_TRUE(SynchronousStandbys::parse("ANY 1 (s1, s2)").are_majority(2));
  EXPECT_FALSE(SynchronousStandbys::parse("ANY 1 (s1, s2, s3)").are_majority(3));
  EXPECT_TRUE(SynchronousStandbys::parse("ANY 2 (s1, s2, s3)").are_majority(0));
  EXPECT_TRUE(SynchronousStandbys::parse("s1").are_majority(5));
  EXPECT_FALSE(SynchronousStandbys::parse("*").are_majority(3));
  EXPECT_TRUE(SynchronousStandbys::parse("2 (*)").are_majority(4));
}

Consistency at(const state::Capabilities::Levels& levels, Consistency level) {
  return levels[static_cast<std::size_t>(level)];
}

TEST(PostgresqlLevelsTest, OneServerAloneServesEverythingStrongly) {
  const Levels levels = levels_of({}, 0, false, true);
  EXPECT_EQ(levels.reads, state::Capabilities::always_strong());
  EXPECT_EQ(levels.writes, state::Capabilities::always_strong());
  EXPECT_EQ(commit_of({}, Consistency::strong), "");
}

TEST(PostgresqlLevelsTest, WithStandbysAWriteWaitsAsLongAsItAsksFor) {
  const auto standbys = SynchronousStandbys::parse("ANY 1 (s1, s2)");
  const Levels levels = levels_of(standbys, 2, true, true);
  for (const auto level : {Consistency::eventual, Consistency::session, Consistency::quorum, Consistency::strong})
    EXPECT_EQ(at(levels.writes, level), level);
  EXPECT_EQ(at(levels.writes, Consistency::unspecified), Consistency::quorum);
  EXPECT_EQ(at(levels.reads, Consistency::session), Consistency::session);
  EXPECT_EQ(at(levels.reads, Consistency::bounded_staleness), Consistency::strong);
  EXPECT_EQ(at(levels.reads, Consistency::unspecified), Consistency::strong);
  EXPECT_EQ(commit_of(standbys, Consistency::strong), "remote_apply");
  EXPECT_EQ(commit_of(standbys, Consistency::quorum), "on");
  EXPECT_EQ(commit_of(standbys, Consistency::session), "local");
  EXPECT_EQ(commit_of(standbys, Consistency::unspecified), "");
}

TEST(PostgresqlLevelsTest, FewerThanAMajorityAreNoQuorum) {
  const Levels levels = levels_of(SynchronousStandbys::parse("ANY 1 (a, b, c, d)"), 4, false, true);
  EXPECT_EQ(at(levels.writes, Consistency::quorum), Consistency::unspecified);
  EXPECT_EQ(at(levels.writes, Consistency::strong), Consistency::unspecified);
  EXPECT_EQ(at(levels.writes, Consistency::session), Consistency::session);
  EXPECT_EQ(at(levels.reads, Consistency::strong), Consistency::strong);
}

}  // namespace
}  // namespace holdfast::stores::postgresql
