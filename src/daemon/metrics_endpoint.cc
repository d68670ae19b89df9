#include "daemon/metrics_endpoint.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <map>

namespace holdfast::daemon {

using state::OperationKind;
using state::StoreMetrics;

namespace {

std::string label(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// One operation of one store, summed over the loops.
struct Sum {
  std::uint64_t count = 0;
  double sum_ms = 0;
  std::array<std::uint64_t, StoreMetrics::kBuckets> buckets{};
};

Sum sum_of(const std::vector<std::shared_ptr<StoreMetrics>>& loops, OperationKind kind, bool success) {
  Sum sum;
  for (const auto& metrics : loops) {
    const StoreMetrics::Series& series = metrics->series(kind, success);
    sum.count += series.count.load(std::memory_order_relaxed);
    sum.sum_ms += static_cast<double>(series.sum_ns.load(std::memory_order_relaxed)) / 1e6;
    for (std::size_t i = 0; i < sum.buckets.size(); ++i)
      sum.buckets[i] += series.buckets[i].load(std::memory_order_relaxed);
  }
  return sum;
}

void append_histogram(std::string& out, const std::string& labels, const Sum& sum) {
  const auto bounds = StoreMetrics::latency_bucket_bounds_ms();
  std::uint64_t cumulated = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    cumulated += sum.buckets[i];
    out += fmt::format("dapr_component_state_latencies_bucket{{{},le=\"{}\"}} {}\n", labels, bounds[i], cumulated);
  }
  out += fmt::format("dapr_component_state_latencies_bucket{{{},le=\"+Inf\"}} {}\n", labels, sum.count);
  out += fmt::format("dapr_component_state_latencies_sum{{{}}} {}\n", labels, sum.sum_ms);
  out += fmt::format("dapr_component_state_latencies_count{{{}}} {}\n", labels, sum.count);
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void MetricsSources::add_store(std::string component, std::shared_ptr<StoreMetrics> metrics) {
  const std::lock_guard lock(mutex_);
  for (Store& store : stores_) {
    if (store.component == component) {
      store.loops.push_back(std::move(metrics));
      return;
    }
  }
  stores_.push_back({std::move(component), {std::move(metrics)}});
}

void MetricsSources::component_loaded(std::string type) {
  const std::lock_guard lock(mutex_);
  loaded_.push_back(std::move(type));
}

void MetricsSources::component_failed(std::string type, std::string name, std::string reason) {
  const std::lock_guard lock(mutex_);
  failed_.push_back({std::move(type), std::move(name), std::move(reason)});
}

void MetricsSources::append_stores(std::string& out, const std::string& labels) const {
  std::string counts =
      "# HELP dapr_component_state_count The number of operations performed on the state component.\n"
      "# TYPE dapr_component_state_count counter\n";
  std::string latencies =
      "# HELP dapr_component_state_latencies The latency of the response from the state component, in ms.\n"
      "# TYPE dapr_component_state_latencies histogram\n";
  for (const Store& store : stores_) {
    for (std::size_t kind = 0; kind < state::kOperationKinds; ++kind) {
      for (const bool success : {true, false}) {
        const Sum sum = sum_of(store.loops, static_cast<OperationKind>(kind), success);
        if (sum.count == 0) continue;
        const std::string series =
            fmt::format("{},component=\"{}\",operation=\"{}\",success=\"{}\"", labels, label(store.component),
                        name_of(static_cast<OperationKind>(kind)), success);
        counts += fmt::format("dapr_component_state_count{{{}}} {}\n", series, sum.count);
        append_histogram(latencies, series, sum);
      }
    }
  }
  out += counts + latencies;
}

void MetricsSources::append_components(std::string& out, const service::Runtime& runtime) const {
  std::map<std::string, int> by_type;
  for (const std::string& type : loaded_) ++by_type[type];
  out += "# TYPE dapr_runtime_component_init_total counter\n";
  for (const auto& [type, count] : by_type)
    out += fmt::format("dapr_runtime_component_init_total{{app_id=\"{}\",component=\"{}\"}} {}\n", label(runtime.app_id),
                       label(type), count);
  out += "# TYPE dapr_runtime_component_init_fail_total counter\n";
  for (const Failure& failure : failed_)
    out += fmt::format(
        "dapr_runtime_component_init_fail_total{{app_id=\"{}\",component=\"{}\",componentName=\"{}\",reason=\"{}\"}} 1\n",
        label(runtime.app_id), label(failure.type), label(failure.name), label(failure.reason));
}

std::string MetricsSources::page(const service::Runtime& runtime) const {
  const std::lock_guard lock(mutex_);
  std::string out;
  append_stores(out, fmt::format("app_id=\"{}\",namespace=\"{}\"", label(runtime.app_id), label(runtime.name_space)));
  append_components(out, runtime);
  out += fmt::format("# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes {}\n", resident_bytes());
  out += fmt::format("# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total {}\n", cpu_seconds());
  return out;
}

Task<http::Response> MetricsHandler::handle(http::Request&) {
  http::Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = sources_.page(runtime_);
  co_return response;
}

}  // namespace holdfast::daemon
