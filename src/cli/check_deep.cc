#include "cli/check_deep.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/store_files.h"
#include "net/loop_thread.h"
#include "net/on_loop.h"
#include "stores/all.h"

namespace holdfast::cli {
namespace {

using config::Finding;
using config::Severity;

// Holds the core: the caller may have given up waiting.
Task<Status> try_store(std::shared_ptr<state::StoreCore> core, net::Loop* loop, Milliseconds limit) {
  auto store = co_await core->open(*loop);
  if (!store) co_return fail(std::move(store.error()));
  state::CallContext context;
  context.deadline = std::chrono::steady_clock::now() + limit;
  Status answers = co_await (*store)->ping(context);
  const Status closed = co_await (*store)->close(context);
  store->reset();
  co_return answers ? closed : answers;
}

Status open_store(const state::StoreType& type, const state::Component& component, net::Loop& loop) {
  if (type.inspect != nullptr) return type.inspect(component);
  auto core = type.prepare(component, {.clock = Clock::system(), .loops = 1, .only_look = true});
  if (!core) return fail(std::move(core.error()));
  const Milliseconds limit = component.init_timeout;
  auto tried = net::on_loop<Status>(loop, limit,
                                    [core = std::move(*core), &loop, limit] { return try_store(core, &loop, limit); });
  if (!tried) return fail(Errc::deadline_exceeded, fmt::format("it did not answer within {} ms", limit.count()));
  return *tried;
}

std::string subject_of(const state::Component& component) { return fmt::format("component \"{}\"", component.name); }

Finding finding_of(const state::Component& component, Severity severity, std::string message) {
  return {component.file, component.line, severity, subject_of(component), "", std::move(message), ""};
}

// A store's messages begin `component "NAME" (TYPE): `, and a finding names its component by itself.
std::string without_subject(const state::Component& component, const std::string& message) {
  const std::size_t colon = message.find(": ");
  const bool is_named = colon != std::string::npos && message.starts_with(subject_of(component));
  return is_named ? message.substr(colon + 2) : message;
}

Finding try_component(const state::Registry& registry, const state::Component& component, net::Loop& loop) {
  const auto type = registry.find(component.type, component.version);
  if (!type) return finding_of(component, Severity::warning, "not opened: this version does not have its type");
  const Status works = open_store(**type, component, loop);
  if (works) return finding_of(component, Severity::note, fmt::format("works ({})", component.type));
  const Severity severity = works.error().code == Errc::not_found ? Severity::warning : Severity::error;
  return finding_of(component, severity, without_subject(component, works.error().message));
}

}  // namespace

std::vector<Finding> check_deep(const std::vector<std::string>& files, const std::string& app_id,
                                std::span<const Finding> found) {
  quiet_stores();
  const auto resources = load_stores(files, app_id);
  if (!resources) return {{"", 0, Severity::error, "", "", "no store is opened: " + resources.error().message, ""}};
  const state::Registry registry(stores::all());
  net::LoopThread running;
  std::vector<Finding> findings;
  for (const state::Component& component : resources->state_stores) {
    const bool has_errors = std::ranges::any_of(found, [&](const Finding& finding) {
      return finding.severity == Severity::error && finding.file == component.file &&
             finding.subject == subject_of(component);
    });
    findings.push_back(has_errors ? finding_of(component, Severity::note, "not opened, because of the errors above")
                                  : try_component(registry, component, running.loop()));
  }
  for (const config::ParkedComponent& parked : resources->parked)
    findings.push_back(
        finding_of(parked.component, Severity::warning,
                   fmt::format("not opened: it waits for the secret store \"{}\"", parked.secret_store)));
  return findings;
}

}  // namespace holdfast::cli
