#include "telemetry/trace_context.h"

#include <gtest/gtest.h>

namespace holdfast::telemetry {
namespace {

constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, ComesBackAsItWas) {
  const auto context = parse_traceparent(kExample);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(to_traceparent(*context), kExample);
  EXPECT_FALSE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->sampled);
}

TEST(Traceparent, WhatIsNotOneIsRefused) {
  for (std::size_t cut = 0; cut < kExample.size(); ++cut)
    EXPECT_FALSE(parse_traceparent(kExample.substr(0, cut))) << cut;
  for (const std::string_view bad : {
           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",    // upper case
           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",    // version ff
           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",    // no trace
           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",    // no span
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",  // version 00 has no more
           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
           "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
       })
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
}

TEST(Traceparent, ALaterVersionMayHaveMore) {
  EXPECT_TRUE(parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
  EXPECT_FALSE(parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.more"));
}

TEST(TraceBin, ComesBackAsItWas) {
  const SpanContext context = child_of(nullptr, true);
  const std::string bytes = to_trace_bin(context);
  EXPECT_EQ(bytes.size(), 29u);
  EXPECT_EQ(parse_trace_bin(bytes), context);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(parse_trace_bin(bytes.substr(0, cut)));
  std::string other = bytes;
  other[18] = 7;
  EXPECT_FALSE(parse_trace_bin(other));
}

TEST(ChildOf, KeepsTheTraceAndIsAnotherSpan) {
  const SpanContext parent = *parse_traceparent(kExample);
  const SpanContext child = child_of(&parent, false);
  EXPECT_EQ(child.trace, parent.trace);
  EXPECT_NE(child.span, parent.span);
  EXPECT_FALSE(child.sampled);
  EXPECT_NE(child_of(nullptr, true).trace, child_of(nullptr, true).trace);
}

TEST(Baggage, KeepsTheStandardsForm) {
  for (const std::string_view good : {"a=1", "a=1,b=2", " a = 1 , b=2;p;q=3 ", "a=", "key=%20value", "a=x=y"})
    EXPECT_TRUE(is_baggage(good)) << good;
  for (const std::string_view bad : {"", "a", "=1", "a=1,", "a=1,,b=2", "a b=1", "a=\"1\"", "a=1;", "a=1 2", "\xff=1"})
    EXPECT_FALSE(is_baggage(bad)) << bad;
  EXPECT_FALSE(is_baggage("a=" + std::string(9000, 'x')));
  std::string many = "a=1";
  for (int i = 0; i < 64; ++i) many += ",a=1";
  EXPECT_FALSE(is_baggage(many));
}

}  // namespace
}  // namespace holdfast::telemetry
