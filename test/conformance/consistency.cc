// Levels of consistency: what a level is served as is declared, never weaker than asked, and kept.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Consistency;

constexpr Consistency kLevels[] = {Consistency::eventual, Consistency::consistent_prefix,
                                   Consistency::session,  Consistency::bounded_staleness,
                                   Consistency::quorum,   Consistency::strong};

state::CallContext at(Consistency level) {
  state::CallContext context;
  context.consistency = level;
  return context;
}

TEST_P(ConsistencyConformance, NoLevelIsDeclaredWeakerThanItsName) {
  for (const Consistency level : kLevels) {
    for (const auto& served :
         {can().reads[static_cast<std::size_t>(level)], can().writes[static_cast<std::size_t>(level)]})
      EXPECT_TRUE(served == Consistency::unspecified || served >= level) << name_of(level);
  }
}

TEST_P(ConsistencyConformance, ALevelIsServedOrRefusedAsDeclared) {
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put(name, "0")));
  for (const Consistency level : kLevels) {
    SCOPED_TRACE(name_of(level));
    const std::string value(name_of(level));
    const auto written = store().run(store().store().set(at(level), put(name, value)));
    if (can().writes[static_cast<std::size_t>(level)] == Consistency::unspecified) {
      EXPECT_TRUE(is_unsupported(written));
      EXPECT_NE(store().value(name), value);
    } else if (!written) {
      // A server without replicas cannot confirm on them; the write then stands on the primary.
      EXPECT_TRUE(failed_with(written, {Errc::replication_shortfall}));
    }
    const auto read = store().run(store().store().get(at(level), {.key = name}));
    if (can().reads[static_cast<std::size_t>(level)] == Consistency::unspecified) {
      EXPECT_TRUE(is_unsupported(read));
    } else {
      ASSERT_TRUE(read) << read.error().message;
    }
  }
}

TEST_P(ConsistencyConformance, AStrongReadSeesEveryAcknowledgedWriteOfOthers) {
  if (can().reads[static_cast<std::size_t>(Consistency::strong)] == Consistency::unspecified)
    GTEST_SKIP() << "this store does not serve strong reads";
  test::TestLoop other_loop;
  Handle other(instance(), other_loop);
  const std::string name = key("a");
  for (int i = 0; i < 50; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_TRUE(store().set(put(name, value)));
    const auto read = other.run(other.store().get(at(Consistency::strong), {.key = name}));
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((**read).value, value);
  }
}

TEST_P(ConsistencyConformance, AnUnspecifiedReadSeesTheHandlesOwnWrites) {
  const std::string name = key("a");
  for (int i = 0; i < 50; ++i) {
    const std::string value = std::to_string(i);
    ASSERT_TRUE(store().set(put(name, value)));
    EXPECT_EQ(store().value(name), value);
  }
}

TEST_P(ConsistencyConformance, ASessionReadOfAnotherHandleSeesTheSessionsWrites) {
  if (can().reads[static_cast<std::size_t>(Consistency::session)] == Consistency::unspecified)
    GTEST_SKIP() << "this store does not serve session reads";
  test::TestLoop other_loop;
  Handle other(instance(), other_loop);
  const std::string name = key("a");
  for (int i = 0; i < 50; ++i) {
    const std::string value = std::to_string(i);
    state::Position position;
    state::CallContext context = at(Consistency::session);
    context.position = &position;
    ASSERT_TRUE(store().run(store().store().set(context, put(name, value))));
    if (!can().session_positions) EXPECT_TRUE(position.empty());
    const auto read = other.run(other.store().get(context, {.key = name}));
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((**read).value, value);
  }
}

}  // namespace
}  // namespace holdfast::conformance
