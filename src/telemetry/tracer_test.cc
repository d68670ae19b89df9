#include "telemetry/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace holdfast::telemetry {
namespace {

using testing::ElementsAre;
using testing::Pair;

// Keeps what it gets; `gate`, when set, is waited for first.
class Kept final : public SpanExporter {
 public:
  struct Shared {
    std::mutex mutex;
    std::vector<std::string> names;
    std::shared_future<void> gate;
  };
  explicit Kept(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  std::string_view name() const override { return "kept"; }
  Status send(const std::vector<Span>& spans) override {
    if (shared_->gate.valid()) shared_->gate.wait();
    const std::lock_guard lock(shared_->mutex);
    for (const Span& span : spans) shared_->names.push_back(span.name);
    return fail(Errc::unavailable, "always");
  }

 private:
  std::shared_ptr<Shared> shared_;
};

std::unique_ptr<Tracer> tracer(double ratio, const std::shared_ptr<Kept::Shared>& shared) {
  std::vector<std::unique_ptr<SpanExporter>> exporters;
  exporters.push_back(std::make_unique<Kept>(shared));
  return std::make_unique<Tracer>(ratio, std::move(exporters));
}

Span named(std::string name) {
  Span span;
  span.name = std::move(name);
  return span;
}

TEST(Tracer, TheEndSendsWhatIsQueuedInOrder) {
  const auto shared = std::make_shared<Kept::Shared>();
  {
    auto one = tracer(1, shared);
    for (const char* name : {"a", "b", "c"}) one->end(named(name));
  }
  EXPECT_THAT(shared->names, ElementsAre("a", "b", "c"));
}

TEST(Tracer, AnExporterThatHangsMakesSpansDropAndNobodyWait) {
  const auto shared = std::make_shared<Kept::Shared>();
  std::promise<void> gate;
  shared->gate = gate.get_future().share();
  {
    auto one = tracer(1, shared);
    for (std::size_t i = 0; i < 3 * Tracer::kQueueMax; ++i) one->end(named("x"));
    EXPECT_GE(one->dropped(), Tracer::kQueueMax);
    EXPECT_LE(one->dropped(), 2 * Tracer::kQueueMax);
    gate.set_value();
  }
  EXPECT_GE(shared->names.size(), Tracer::kQueueMax);
}

TEST(Tracer, SamplesAsTheParentWasElseByTheRatio) {
  const Tracer all(1, {});
  const Tracer none(0, {});
  SpanContext parent = child_of(nullptr, true);
  EXPECT_TRUE(all.begin(nullptr).sampled);
  EXPECT_FALSE(none.begin(nullptr).sampled);
  EXPECT_TRUE(none.begin(&parent).sampled);
  parent.sampled = false;
  EXPECT_FALSE(all.begin(&parent).sampled);
  const Tracer half(0.5, {});
  int sampled = 0;
  for (int i = 0; i < 2000; ++i) sampled += half.begin(nullptr).sampled ? 1 : 0;
  EXPECT_GT(sampled, 700);
  EXPECT_LT(sampled, 1300);
}

TEST(SamplingRatio, IsDaprsDefaultForWhatIsNoNumber) {
  EXPECT_EQ(sampling_ratio("0.5"), 0.5);
  EXPECT_EQ(sampling_ratio("1"), 1);
  EXPECT_EQ(sampling_ratio("17"), 1);
  EXPECT_EQ(sampling_ratio("0"), 0);
  for (const std::string_view text : {"", "abc", "0.5x", "-1", "nan"}) EXPECT_EQ(sampling_ratio(text), 0.0001) << text;
}

TEST(Resource, TheEnvironmentMayNameTheService) {
  EXPECT_EQ(resource_of("app", "", "").service_name, "app");
  EXPECT_EQ(resource_of("app", "other", "service.name=third").service_name, "other");
  const Resource resource = resource_of("app", "", "service.name=third, team=a%20b,broken,=x");
  EXPECT_EQ(resource.service_name, "third");
  EXPECT_THAT(resource.attributes, ElementsAre(Pair("team", "a b")));
}

}  // namespace
}  // namespace holdfast::telemetry
