#include "daemon/metrics_endpoint.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "wire/grpc/grpc.h"

namespace holdfast::daemon {

using state::OperationKind;
using state::SharedResiliency;
using state::StoreMetrics;
using telemetry::ServerMetrics;

namespace {

// A label's value.
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

void append_histogram(std::string& out, std::string_view name, std::string_view labels, std::span<const double> bounds,
                      const HistogramSum& sum) {
  std::uint64_t cumulated = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    cumulated += sum.buckets[i];
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bounds[i], cumulated);
  }
  out += fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n", name, labels,
                     sum.count, sum.sum);
}

// The head of a metric, and its series as they are appended.
class Family {
 public:
  Family(std::string name, std::string_view type, std::string_view help) : name_(std::move(name)) {
    text_ = fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
    head_bytes_ = text_.size();
  }
  void add(std::string_view labels, auto value) { text_ += fmt::format("{}{{{}}} {}\n", name_, labels, value); }
  void add(std::string_view labels, std::span<const double> bounds, const HistogramSum& sum) {
    append_histogram(text_, name_, labels, bounds, sum);
  }
  // Nothing when there is no series.
  void write_to(std::string& out) const {
    if (text_.size() > head_bytes_) out += text_;
  }

 private:
  std::string name_;
  std::string text_;
  std::size_t head_bytes_;
};

// The one of this loop, made when it is first asked for.
template <class Counts>
std::shared_ptr<Counts> at_loop(std::vector<std::shared_ptr<Counts>>& loops, std::size_t loop) {
  if (loops.size() <= loop) loops.resize(loop + 1);
  if (!loops[loop]) loops[loop] = std::make_shared<Counts>();
  return loops[loop];
}

HistogramSum sum_of(std::span<const std::shared_ptr<StoreMetrics>> loops, OperationKind kind, bool success) {
  HistogramSum sum;
  for (const auto& metrics : loops)
    if (metrics) sum.add(metrics->series(kind, success));
  return sum;
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
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::shared_ptr<StoreMetrics> MetricsSources::store(const std::string& component, std::size_t loop) {
  const std::lock_guard lock(mutex_);
  return at_loop(stores_[component], loop);
}

std::shared_ptr<state::NearCacheCounts> MetricsSources::near_cache(const std::string& component, std::size_t loop) {
  const std::lock_guard lock(mutex_);
  return at_loop(near_caches_[component], loop);
}

void MetricsSources::add_resiliency(const std::string& component, std::shared_ptr<const SharedResiliency> resiliency) {
  const std::lock_guard lock(mutex_);
  resiliency_[component] = std::move(resiliency);
}

void MetricsSources::add_server(const ServerMetrics& metrics) {
  const std::lock_guard lock(mutex_);
  servers_.push_back(&metrics);
}

void MetricsSources::component_loaded(std::string type) {
  const std::lock_guard lock(mutex_);
  ++loaded_[std::move(type)];
}

void MetricsSources::component_failed(std::string type, std::string name, std::string reason) {
  const std::lock_guard lock(mutex_);
  ++failed_[{std::move(type), std::move(name), std::move(reason)}];
}

void MetricsSources::secret_done(std::string_view store, bool bulk, bool success, double elapsed_ms) {
  const std::lock_guard lock(mutex_);
  secrets_[{std::string(store), bulk, success}].record(latency_bounds_ms(), elapsed_ms);
}

void MetricsSources::set_resiliency_names(std::vector<std::string> names) {
  const std::lock_guard lock(mutex_);
  resiliency_names_ = std::move(names);
}

void MetricsSources::append_stores(std::string& out, const std::string& labels) const {
  Family counts("dapr_component_state_count", "counter", "Operations performed on the state component.");
  Family latencies("dapr_component_state_latencies", "histogram",
                   "How long the state component took to answer, in ms.");
  for (const auto& [name, loops] : stores_) {
    for (std::size_t kind = 0; kind < state::kOperationKinds; ++kind) {
      for (const bool success : {true, false}) {
        const HistogramSum sum = sum_of(loops, static_cast<OperationKind>(kind), success);
        if (sum.count == 0) continue;
        const std::string series = fmt::format("{},component=\"{}\",operation=\"{}\",success=\"{}\"", labels,
                                               label(name), name_of(static_cast<OperationKind>(kind)), success);
        counts.add(series, sum.count);
        latencies.add(series, latency_bounds_ms(), sum);
      }
    }
  }
  counts.write_to(out);
  latencies.write_to(out);
}

void MetricsSources::append_near_caches(std::string& out, const std::string& labels) const {
  using Counts = state::NearCacheCounts;
  Family counts("dapr_component_state_near_cache_count", "counter", "What the near cache of the state component did.");
  Family items("dapr_component_state_near_cache_items", "gauge", "Records in the near cache of the state component.");
  Family bytes("dapr_component_state_near_cache_bytes", "gauge", "Memory of the near cache of the state component.");
  for (const auto& [name, loops] : near_caches_) {
    const std::string series = fmt::format("{},component=\"{}\"", labels, label(name));
    const auto sum = [&loops = loops](std::atomic<std::uint64_t> Counts::* which) {
      std::uint64_t all = 0;
      for (const auto& one : loops)
        if (one) all += ((*one).*which).load(std::memory_order_relaxed);
      return all;
    };
    counts.add(series + ",event=\"hit\"", sum(&Counts::hits));
    counts.add(series + ",event=\"miss\"", sum(&Counts::misses));
    counts.add(series + ",event=\"invalidation\"", sum(&Counts::invalidations));
    counts.add(series + ",event=\"resync\"", sum(&Counts::resyncs));
    items.add(series, sum(&Counts::items));
    bytes.add(series, sum(&Counts::bytes));
  }
  for (const Family* family : {&counts, &items, &bytes}) family->write_to(out);
}

void MetricsSources::append_secrets(std::string& out, const std::string& labels) const {
  Family counts("dapr_component_secret_count", "counter", "Operations performed on the secret component.");
  Family latencies("dapr_component_secret_latencies", "histogram",
                   "How long the secret component took to answer, in ms.");
  for (const auto& [key, histogram] : secrets_) {
    HistogramSum sum;
    sum.add(histogram);
    const std::string series = fmt::format("{},component=\"{}\",operation=\"{}\",success=\"{}\"", labels,
                                           label(key.store), key.bulk ? "bulk_get" : "get", key.success);
    counts.add(series, sum.count);
    latencies.add(series, latency_bounds_ms(), sum);
  }
  counts.write_to(out);
  latencies.write_to(out);
}

namespace {

using SeriesKey = std::tuple<std::string, std::string, int>;
using SeriesSums = std::map<SeriesKey, HistogramSum>;

void append_http(std::string& out, const std::string& app, const SeriesSums& sums) {
  Family requests("dapr_http_server_request_count", "counter", "HTTP requests answered.");
  Family responses("dapr_http_server_response_count", "counter", "HTTP answers sent.");
  Family latencies("dapr_http_server_latency", "histogram", "How long an HTTP request took, in ms.");
  for (const auto& [key, sum] : sums) {
    const auto& [method, path, status] = key;
    const std::string series =
        fmt::format("{},method=\"{}\",path=\"{}\",status=\"{}\"", app, method, label(path), status);
    requests.add(series, sum.count);
    responses.add(series, sum.count);
    latencies.add(series, latency_bounds_ms(), sum);
  }
  for (const Family* family : {&requests, &responses, &latencies}) family->write_to(out);
}

void append_grpc(std::string& out, const std::string& app, const SeriesSums& sums) {
  Family completed("dapr_grpc_io_server_completed_rpcs", "counter", "gRPC calls completed.");
  Family latencies("dapr_grpc_io_server_server_latency", "histogram", "How long a gRPC call took, in ms.");
  for (const auto& [key, sum] : sums) {
    const auto& [method, path, status] = key;
    const std::string series = fmt::format("{},grpc_server_method=\"{}\",grpc_server_status=\"{}\"", app, label(path),
                                           grpc::go_name(static_cast<grpc::Code>(status)));
    completed.add(series, sum.count);
    latencies.add(series, latency_bounds_ms(), sum);
  }
  completed.write_to(out);
  latencies.write_to(out);
}

void append_sizes(std::string& out, std::string_view name, std::string_view help, const std::string& app,
                  std::span<const ServerMetrics* const> servers, const Histogram& (ServerMetrics::*which)() const) {
  HistogramSum sum;
  for (const ServerMetrics* server : servers) sum.add((server->*which)());
  if (sum.count == 0) return;
  Family family(std::string(name), "histogram", help);
  family.add(app, size_bounds(), sum);
  family.write_to(out);
}

}  // namespace

void MetricsSources::append_servers(std::string& out, const std::string& app) const {
  SeriesSums http;
  SeriesSums grpc;
  for (const ServerMetrics* server : servers_) {
    server->each_http([&](const auto& one) { http[{one.method, one.path, one.status}].add(one.latency); });
    server->each_grpc([&](const auto& one) { grpc[{one.method, one.path, one.status}].add(one.latency); });
  }
  append_http(out, app, http);
  append_sizes(out, "dapr_http_server_request_bytes", "Bytes of HTTP request bodies.", app, servers_,
               &ServerMetrics::http_request_bytes);
  append_sizes(out, "dapr_http_server_response_bytes", "Bytes of HTTP response bodies.", app, servers_,
               &ServerMetrics::http_response_bytes);
  append_grpc(out, app, grpc);
  append_sizes(out, "dapr_grpc_io_server_received_bytes_per_rpc", "Bytes of gRPC requests.", app, servers_,
               &ServerMetrics::grpc_request_bytes);
  append_sizes(out, "dapr_grpc_io_server_sent_bytes_per_rpc", "Bytes of gRPC answers.", app, servers_,
               &ServerMetrics::grpc_response_bytes);
}

void MetricsSources::append_components(std::string& out, const std::string& app) const {
  Family loaded("dapr_runtime_component_init_total", "counter", "Components initialised.");
  for (const auto& [type, count] : loaded_) loaded.add(fmt::format("{},component=\"{}\"", app, label(type)), count);
  Family failed("dapr_runtime_component_init_fail_total", "counter", "Components that could not be initialised.");
  for (const auto& [failure, count] : failed_)
    failed.add(fmt::format("{},component=\"{}\",componentName=\"{}\",reason=\"{}\"", app, label(failure.type),
                           label(failure.name), label(failure.reason)),
               count);
  loaded.write_to(out);
  failed.write_to(out);
}

void MetricsSources::append_errors(std::string& out, const std::string& app) const {
  Family errors("dapr_error_code_total", "counter", "Error codes answered.");
  errors_.each([&](const std::string& code, std::uint64_t count) {
    errors.add(fmt::format("{},category=\"{}\",error_code=\"{}\"", app, telemetry::category_of(code), label(code)),
               count);
  });
  errors.write_to(out);
}

namespace {

std::string_view state_name(SharedResiliency::BreakerState state) {
  switch (state) {
    case SharedResiliency::BreakerState::closed:
      return "closed";
    case SharedResiliency::BreakerState::open:
      return "open";
    case SharedResiliency::BreakerState::half_open:
      return "half-open";
  }
  return "unknown";
}

}  // namespace

void MetricsSources::append_resiliency(std::string& out, const std::string& labels) const {
  Family loaded("dapr_resiliency_loaded", "gauge", "Resiliency resources loaded.");
  for (const std::string& name : resiliency_names_) loaded.add(fmt::format("{},name=\"{}\"", labels, label(name)), 1);
  Family counts("dapr_resiliency_count", "counter", "Calls that a resiliency policy guarded.");
  Family activations("dapr_resiliency_activations_total", "counter", "Times that a resiliency policy stepped in.");
  Family breakers("dapr_resiliency_cb_state", "gauge",
                  "The state a circuit breaker is in: 1 for that, 0 for the others.");
  std::string name;
  for (const std::string& one : resiliency_names_) name += (name.empty() ? "" : ",") + one;
  for (const auto& [store, shared] : resiliency_) {
    const auto series = [&, &store = store](std::string_view policy, std::string_view status) {
      return fmt::format(
          "{},name=\"{}\",policy=\"{}\",flow_direction=\"outbound\",target=\"Statestore_{}\",status=\"{}\"", labels,
          label(name), policy, label(store), status);
    };
    const std::uint64_t calls = shared->counts.calls;
    const std::string_view breaker = state_name(shared->breaker_state());
    if (shared->policy().timeout) {
      counts.add(series("timeout", ""), calls);
      activations.add(series("timeout", ""), shared->counts.timeouts.load());
    }
    if (shared->policy().retry) {
      counts.add(series("retry", ""), calls);
      activations.add(series("retry", ""), shared->counts.retries.load());
    }
    if (!shared->policy().breaker) continue;
    counts.add(series("circuitbreaker", breaker), calls);
    activations.add(series("circuitbreaker", "open"), shared->counts.trips.load());
    for (const std::string_view status : {"closed", "half-open", "open", "unknown"})
      breakers.add(series("circuitbreaker", status), status == breaker ? 1 : 0);
  }
  for (const Family* family : {&loaded, &counts, &activations, &breakers}) family->write_to(out);
}

std::string MetricsSources::page(const service::Runtime& runtime) const {
  const std::string app = fmt::format("app_id=\"{}\"", label(runtime.app_id));
  const std::string labels = fmt::format("{},namespace=\"{}\"", app, label(runtime.name_space));
  const std::lock_guard lock(mutex_);
  std::string out;
  append_stores(out, labels);
  append_near_caches(out, labels);
  append_secrets(out, labels);
  append_servers(out, app);
  append_components(out, app);
  append_errors(out, app);
  append_resiliency(out, labels);
  out += fmt::format(
      "# HELP process_resident_memory_bytes Resident memory.\n# TYPE process_resident_memory_bytes gauge\n"
      "process_resident_memory_bytes {}\n",
      resident_bytes());
  out += fmt::format(
      "# HELP process_cpu_seconds_total Processor time used.\n# TYPE process_cpu_seconds_total counter\n"
      "process_cpu_seconds_total {}\n",
      cpu_seconds());
  return out;
}

telemetry::Stats MetricsSources::read_stats() const {
  telemetry::Stats stats;
  stats.uptime_seconds = milliseconds_since(began_) / 1e3;
  stats.resident_bytes = resident_bytes();
  stats.cpu_seconds = cpu_seconds();
  const std::lock_guard lock(mutex_);
  for (const auto& [name, loops] : stores_) {
    telemetry::StoreStats& store = stats.stores.emplace_back(name);
    for (std::size_t i = 0; i < state::kOperationKinds; ++i) {
      const auto kind = static_cast<OperationKind>(i);
      const telemetry::CallStats calls{sum_of(loops, kind, true), sum_of(loops, kind, false)};
      if (calls.succeeded.count + calls.failed.count > 0) store.operations.push_back({name_of(kind), calls});
    }
  }
  for (const ServerMetrics* server : servers_) {
    server->each_http([&](const auto& one) {
      if (one.path != "/v2/stats") (one.status < 400 ? stats.http.succeeded : stats.http.failed).add(one.latency);
    });
    server->each_grpc(
        [&](const auto& one) { (one.status == 0 ? stats.grpc.succeeded : stats.grpc.failed).add(one.latency); });
  }
  for (const auto& [failure, count] : failed_)
    stats.failed_components.push_back({failure.name, failure.type, failure.reason, count});
  return stats;
}

Task<void> MetricsHandler::handle(http::Request&, http::Response& response) {
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = sources_.page(runtime_);
  co_return;
}

namespace {

// A store that is not there, or that may not be asked, was not reached.
template <class T>
bool reached(const service::SecretResult<T>& result) {
  return result || result.error().kind == service::SecretFailure::Kind::store_failed;
}

}  // namespace

service::SecretResult<service::Secret> CountedSecrets::get(std::string_view store, std::string_view key) const {
  const SteadyTime began = std::chrono::steady_clock::now();
  auto result = inner_.get(store, key);
  if (reached(result)) metrics_.secret_done(store, false, result.has_value(), milliseconds_since(began));
  return result;
}

service::SecretResult<service::Secrets> CountedSecrets::get_all(std::string_view store) const {
  const SteadyTime began = std::chrono::steady_clock::now();
  auto result = inner_.get_all(store);
  if (reached(result)) metrics_.secret_done(store, true, result.has_value(), milliseconds_since(began));
  return result;
}

}  // namespace holdfast::daemon
