// Levels of consistency: what a level is served as is declared, never weaker than asked, and kept.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Consistency;

state::CallContext at(Consistency level) {
  state::CallContext context;
  context.consistency = level;
  return context;
}

// The cells of one level: it is served as declared, or refused and changes nothing.
void judge(Handle& store, Consistency level, const std::string& name) {
  const Consistency reads = store.can().reads[static_cast<std::size_t>(level)];
  const Consistency writes = store.can().writes[static_cast<std::size_t>(level)];
  EXPECT_TRUE(reads == Consistency::unspecified || reads >= level) << "read as " << name_of(reads);
  EXPECT_TRUE(writes == Consistency::unspecified || writes >= level) << "written as " << name_of(writes);
  ASSERT_TRUE(store.set(put(name, "before")));
  const auto written = store.run(store.store().set(at(level), put(name, "after")));
  if (writes == Consistency::unspecified) {
    EXPECT_TRUE(is_unsupported(written));
    EXPECT_EQ(store.value(name), "before");
  } else {
    // A server without replicas cannot confirm on them; the write then stands on the primary.
    if (!written) EXPECT_TRUE(failed_with(written, {Errc::replication_shortfall}));
    EXPECT_EQ(store.value(name), "after");
  }
  const auto read = store.run(store.store().get(at(level), {.key = name}));
  if (reads == Consistency::unspecified)
    EXPECT_TRUE(is_unsupported(read));
  else
    ASSERT_TRUE(read) << read.error().message;
}

#define HOLDFAST_LEVEL_IS_AS_DECLARED(Name, level)                    \
  TEST_P(ConsistencyConformance, Name##IsServedOrRefusedAsDeclared) { \
    HOLDFAST_JUDGES(reads);                                           \
    HOLDFAST_JUDGES(writes);                                          \
    judge(store(), Consistency::level, key("a"));                     \
  }

HOLDFAST_LEVEL_IS_AS_DECLARED(Eventual, eventual)
HOLDFAST_LEVEL_IS_AS_DECLARED(ConsistentPrefix, consistent_prefix)
HOLDFAST_LEVEL_IS_AS_DECLARED(Session, session)
HOLDFAST_LEVEL_IS_AS_DECLARED(BoundedStaleness, bounded_staleness)
HOLDFAST_LEVEL_IS_AS_DECLARED(Quorum, quorum)
HOLDFAST_LEVEL_IS_AS_DECLARED(Strong, strong)

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
  HOLDFAST_JUDGES(session_positions);
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
