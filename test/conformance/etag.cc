// Etags and the other preconditions of single writes. One rule for every engine: an etag that does
// not match, or a key that is not there, refuses the write; a first write wins only where no live
// record is.
#include <algorithm>
#include <cctype>
#include <set>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Precondition;

template <class T>
std::string told_by(const Result<T>& refused) {
  return refused ? "the call succeeded" : refused.error().current_etag;
}

TEST_P(EtagConformance, EveryWriteGivesANewEtagAndReadsShowIt) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  std::set<std::string> seen;
  for (int i = 0; i < 10; ++i) {
    const auto written = store().set(put(name, "same value"));
    ASSERT_TRUE(written);
    EXPECT_FALSE(written->etag.empty());
    EXPECT_EQ(store().etag(name), written->etag);
    // CockroachDB's store in Dapr resets the etag to 2 on every overwrite: 1, 2, 2, 2.
    EXPECT_TRUE(seen.insert(written->etag).second) << "etag " << written->etag << " came twice";
  }
}

TEST_P(EtagConformance, MatchingEtagWritesAndGivesTheNext) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string first = store().set(put(name, "1"))->etag;
  const auto second = store().set(put(name, "2", IfMatch{first}));
  ASSERT_TRUE(second);
  EXPECT_NE(second->etag, first);
  EXPECT_EQ(store().value(name), "2");
  EXPECT_EQ(store().etag(name), second->etag);
}

TEST_P(EtagConformance, StaleEtagIsRefusedAndLeavesTheRecordAsItWas) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  std::vector<std::string> stale;
  for (int i = 0; i < 5; ++i) stale.push_back(store().set(put(name, "v" + std::to_string(i)))->etag);
  const std::string current = stale.back();
  stale.pop_back();
  for (const std::string& etag : stale) {
    const auto refused = store().set(put(name, "overwritten", IfMatch{etag}));
    ASSERT_FALSE(refused) << "a stale etag overwrote a later write";
    EXPECT_TRUE(is_refused(refused));
    EXPECT_EQ(store().value(name), "v4");
    EXPECT_EQ(store().etag(name), current);
  }
}

TEST_P(EtagConformance, UsedEtagIsRefusedTheSecondTime) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string etag = store().set(put(name, "1"))->etag;
  ASSERT_TRUE(store().set(put(name, "2", IfMatch{etag})));
  const auto refused = store().set(put(name, "3", IfMatch{etag}));
  EXPECT_TRUE(is_refused(refused));
  EXPECT_EQ(store().value(name), "2");
}

// Nothing that resembles an etag, or an attack on the statement that compares it, matches.
TEST_P(EtagConformance, TextThatIsNoEtagOfTheRecordIsRefused) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string etag = store().set(put(name, "1"))->etag;
  std::string toggled = etag;  // MySQL's default collation compares etags without case
  for (char& c : toggled) c = std::islower(c) ? static_cast<char>(std::toupper(c)) : static_cast<char>(std::tolower(c));
  std::vector<std::string> bad{"bad-etag",
                               "",
                               "*",
                               "0",
                               "1",
                               "-1",
                               "FFFF",
                               "99999999999999999999999",
                               "' OR 1=1 --",
                               "%",
                               etag + " ",
                               " " + etag,
                               "0" + etag,
                               etag + "0",
                               etag + std::string(1, '\0'),
                               "+" + etag,
                               "\"" + etag + "\"",
                               "11111111-1111-4111-8111-111111111111",
                               std::string(5000, '7'),
                               "\xff\xfe",
                               etag.substr(0, etag.size() - 1)};
  if (toggled != etag) bad.push_back(toggled);
  for (const std::string& text : bad) {
    if (text == etag) continue;
    SCOPED_TRACE("etag \"" + text.substr(0, 50) + "\"");
    const auto written = store().set(put(name, "2", IfMatch{text}));
    EXPECT_TRUE(is_bad_etag(written));
    const auto erased = store().erase(drop(name, IfMatch{text}));
    EXPECT_TRUE(is_bad_etag(erased));
    EXPECT_EQ(store().value(name), "1");
    EXPECT_EQ(store().etag(name), etag);
  }
}

// Redis, MongoDB, Cosmos DB and Table storage in Dapr write, or insert, although the etag names a
// record that is not there; several delete "successfully".
TEST_P(EtagConformance, EtagOnAKeyThatIsNotThereIsRefused) {
  HOLDFAST_NEEDS(etag);
  const std::string other = store().set(put(key("other"), "1"))->etag;
  const auto written = store().set(put(key("absent"), "1", IfMatch{other}));
  EXPECT_TRUE(is_refused(written));
  EXPECT_FALSE(store().exists(key("absent")));
  const auto erased = store().erase(drop(key("absent"), IfMatch{other}));
  EXPECT_TRUE(is_refused(erased));
}

TEST_P(EtagConformance, DeletingNeedsTheCurrentEtag) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string stale = store().set(put(name, "1"))->etag;
  const std::string current = store().set(put(name, "2"))->etag;
  const auto refused = store().erase(drop(name, IfMatch{stale}));
  EXPECT_TRUE(is_refused(refused));
  EXPECT_EQ(store().value(name), "2");
  ASSERT_TRUE(store().erase(drop(name, IfMatch{current})));
  EXPECT_FALSE(store().exists(name));
}

TEST_P(EtagConformance, AnyOfSeveralEtagsMayMatch) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string first = store().set(put(name, "1"))->etag;
  const std::string second = store().set(put(name, "2"))->etag;
  ASSERT_TRUE(store().set(put(name, "3", IfMatch{first, second})));
  const auto refused = store().set(put(name, "4", IfMatch{first, second, "bad-etag"}));
  EXPECT_TRUE(is_bad_etag(refused));
  EXPECT_EQ(store().value(name), "3");
  ASSERT_TRUE(store().erase(drop(name, IfMatch{first, store().etag(name)})));
}

TEST_P(EtagConformance, PresentNeedsARecord) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  EXPECT_TRUE(is_refused(store().set(put(name, "1", Precondition::present()))));
  EXPECT_TRUE(is_refused(store().erase(drop(name, Precondition::present()))));
  EXPECT_FALSE(store().exists(name));
  ASSERT_TRUE(store().set(put(name, "1")));
  EXPECT_TRUE(store().set(put(name, "2", Precondition::present())));
  EXPECT_TRUE(store().erase(drop(name, Precondition::present())));
  EXPECT_FALSE(store().exists(name));
}

TEST_P(EtagConformance, FirstWriteNeedsThatThereIsNoRecord) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put(name, "1", Precondition::absent())));
  const auto refused = store().set(put(name, "2", Precondition::absent()));
  // Six of Dapr's stores answer a plain error here, and three overwrite.
  EXPECT_TRUE(is_refused(refused));
  EXPECT_EQ(store().value(name), "1");
  ASSERT_TRUE(store().erase(drop(name)));
  EXPECT_TRUE(store().set(put(name, "3", Precondition::absent())));
}

// Redis in Dapr: the first first-write over a key that was written plainly succeeds.
TEST_P(EtagConformance, FirstWriteIsRefusedOverAPlainlyWrittenRecord) {
  HOLDFAST_NEEDS(etag);
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  const auto refused = store().set(put(key("a"), "2", Precondition::absent()));
  EXPECT_TRUE(is_refused(refused));
  EXPECT_EQ(store().value(key("a")), "1");
}

// Redis in Dapr: after one first-write every plain write fails until the key is deleted.
TEST_P(EtagConformance, FirstWriteDoesNotStick) {
  HOLDFAST_NEEDS(etag);
  ASSERT_TRUE(store().set(put(key("a"), "1", Precondition::absent())));
  EXPECT_TRUE(store().set(put(key("a"), "2")));
  EXPECT_TRUE(store().set(put(key("a"), "3")));
  EXPECT_EQ(store().value(key("a")), "3");
}

TEST_P(EtagConformance, RefusalTellsTheCurrentEtagIfItTellsAny) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string stale = store().set(put(name, "1"))->etag;
  const std::string current = store().set(put(name, "2"))->etag;
  for (const std::string& told : {told_by(store().set(put(name, "3", IfMatch{stale}))),
                                  told_by(store().set(put(name, "3", Precondition::absent()))),
                                  told_by(store().erase(drop(name, IfMatch{stale})))})
    EXPECT_TRUE(told.empty() || told == current) << told;
  EXPECT_EQ(told_by(store().set(put(key("absent"), "1", IfMatch{stale}))), "");
}

// Engines that count versions per key start again at 1 for a key that was deleted: an old etag
// would then overwrite what it never saw.
TEST_P(EtagConformance, ARecreatedKeyNeverGetsAnEtagItHadBefore) {
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  std::vector<std::string> old;
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 3; ++i) {
      const std::string etag = store().set(put(name, "same"))->etag;
      EXPECT_EQ(std::ranges::count(old, etag), 0) << "etag " << etag << " came again";
      old.push_back(etag);
    }
    ASSERT_TRUE(store().erase(drop(name)));
  }
  ASSERT_TRUE(store().set(put(name, "new")));
  for (const std::string& etag : old) EXPECT_FALSE(store().set(put(name, "stale", IfMatch{etag})));
  EXPECT_EQ(store().value(name), "new");
}

TEST_P(EtagConformance, EtagsAreTheSameThroughEveryHandle) {
  HOLDFAST_NEEDS(etag);
  test::TestLoop other_loop;
  Handle other(instance(), other_loop);
  const std::string name = key("a");
  const std::string etag = store().set(put(name, "1"))->etag;
  EXPECT_EQ(other.etag(name), etag);
  ASSERT_TRUE(other.set(put(name, "2", IfMatch{etag})));
  EXPECT_FALSE(store().set(put(name, "3", IfMatch{etag})));
}

TEST_P(EtagConformance, WithoutEtagsConditionalWritesAreUnsupportedAndChangeNothing) {
  HOLDFAST_LACKS(etag);
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put(name, "1")));
  for (const Precondition& when : {Precondition::absent(), Precondition::present()}) {
    EXPECT_TRUE(is_unsupported(store().set(put(name, "2", when))));
    EXPECT_TRUE(is_unsupported(store().erase(drop(name, when))));
  }
  EXPECT_TRUE(is_unsupported(store().set(put(name, "2", IfMatch{"1"}))));
  EXPECT_TRUE(is_unsupported(store().erase(drop(name, IfMatch{"1"}))));
  EXPECT_EQ(store().value(name), "1");
}

}  // namespace
}  // namespace holdfast::conformance
