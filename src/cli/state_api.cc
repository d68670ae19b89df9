#include "cli/state_api.h"

#include <fmt/format.h>

#include "api/http/target.h"
#include "api/http/v2_routes.h"
#include "cli/store_files.h"
#include "daemon/components.h"
#include "net/loop_thread.h"
#include "net/on_loop.h"
#include "stores/all.h"

namespace holdfast::cli {
namespace {

constexpr Milliseconds kCloseGrace{10'000};

class RunningSidecar final : public StateApi {
 public:
  explicit RunningSidecar(Address address) : address_(std::move(address)) {}
  Result<HttpResponse> send(const HttpRequest& request) override { return cli::send(address_, request); }

 private:
  const Address address_;
};

std::shared_ptr<http::Request> as_received(const HttpRequest& request) {
  auto received = std::make_shared<http::Request>();
  received->method = http::parse_method(request.method);
  received->target = request.target;
  for (const auto& [name, value] : request.headers) received->headers.add(name, value);
  received->body = request.body;
  return received;
}

HttpResponse as_received(http::Response&& response) {
  HttpResponse received{.status = response.status, .headers = {}, .body = std::move(response.body)};
  response.headers.for_each(
      [&received](std::string_view name, std::string_view value) { received.headers.emplace_back(name, value); });
  if (!response.content_type.empty()) received.headers.emplace_back("Content-Type", response.content_type);
  return received;
}

// Holds the request: the caller may have given up waiting.
Task<HttpResponse> answer(api::V2Routes* routes, std::shared_ptr<http::Request> request) {
  const api::Target target = api::Target::split(request->target);
  http::Response response = co_await routes->handle(*request, target);
  co_return as_received(std::move(response));
}

// A sidecar without its ports: one loop, the stores and the routes.
class OpenedFiles final : public StateApi {
 public:
  explicit OpenedFiles(std::string app_id) {
    runtime_.app_id = std::move(app_id);
    runtime_.name_space = config::process_environment()("NAMESPACE").value_or("");
  }
  ~OpenedFiles() override {
    components_.close_all(kCloseGrace);
    running_.stop();  // a call that nobody waited for to its end uses what is below
  }

  Status open(const std::vector<state::Component>& wanted) {
    const auto no_policy = [](const std::string&) { return state::ResiliencyPolicy(); };
    return components_.apply(wanted, no_policy, daemon::Components::Failures::end_it);
  }

  Result<HttpResponse> send(const HttpRequest& request) override {
    auto answered = net::on_loop<HttpResponse>(
        running_.loop(), kAnswerTime, [this, received = as_received(request)] { return answer(&routes_, received); });
    if (!answered)
      return fail(Errc::unavailable, fmt::format("the store did not answer within {} s", kAnswerTime.count()));
    return std::move(*answered);
  }

 private:
  service::Runtime runtime_;
  daemon::MetricsSources metrics_;
  const state::Registry registry_{stores::all()};
  service::StoreTable table_;
  service::KeyTurns turns_;
  net::LoopThread running_;
  service::Service service_{table_, Clock::system(), running_.loop(), turns_};
  api::LoopContext context_;
  api::V2Routes routes_{service_, runtime_, context_};
  daemon::Components components_{registry_, {&running_.loop()}, {&table_}, runtime_, metrics_};
};

}  // namespace

std::unique_ptr<StateApi> sidecar_at(Address address) { return std::make_unique<RunningSidecar>(std::move(address)); }

Result<std::unique_ptr<StateApi>> open_store_files(const StoreFiles& files) {
  quiet_stores();
  std::vector<state::Component> wanted;
  if (files.store.empty()) {
    auto all = find_stores(files.paths, files.app_id);
    if (!all) return fail(all.error());
    wanted = std::move(*all);
  } else {
    auto one = find_store(files.paths, files.store, files.app_id);
    if (!one) return fail(one.error());
    if (auto allowed = refuse_memory(*one); !allowed) return fail(allowed.error());
    wanted.push_back(std::move(*one));
  }
  if (!files.may_make_files)
    for (const state::Component& component : wanted)
      if (auto there = refuse_new_file(component); !there) return fail(there.error());
  auto opened = std::make_unique<OpenedFiles>(files.app_id);
  if (auto ok = opened->open(wanted); !ok) return fail(Errc::unavailable, std::move(ok.error().message));
  return opened;
}

}  // namespace holdfast::cli
