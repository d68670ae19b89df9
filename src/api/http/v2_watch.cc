// GET /v2/state/{store}:watch: server-sent events (the HTML standard, section "Server-sent events").
#include "api/caller.h"
#include "api/http/problem.h"
#include "api/http/v2_decode.h"
#include "api/http/v2_routes.h"
#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::api {

using namespace std::string_view_literals;

namespace {

constexpr std::string_view kVerb = ":watch";

// The first line of an event.
std::string_view line_of(state::WatchEvent::Kind kind) {
  using Kind = state::WatchEvent::Kind;
  switch (kind) {
    case Kind::put:
      return "event: put\n";
    case Kind::erase:
      return "event: delete\n";
    case Kind::expire:
      return "event: expire\n";
    case Kind::resync:
      return "event: resync\n";
    case Kind::ready:
      return "event: ready\n";
  }
  return "";
}

class ServerSentEvents final : public WatchForm {
 public:
  ServerSentEvents(RecordPlace place, bool want_values, const Clock& clock)
      : place_(place), want_values_(want_values), clock_(clock) {}

  void append(std::string& out, const state::WatchEvent& event) override {
    out += line_of(event.kind);
    if (!event.resume.empty()) {
      out += "id: "sv;
      out += event.resume;
      out += '\n';
    }
    out += "data: "sv;
    append_data(out, event);
    out += "\n\n"sv;
  }
  std::string_view heartbeat() const override { return ":\n\n"; }
  std::string_view content_type() const override { return "text/event-stream"; }

 private:
  // On one line: JSON text of ours holds no line break.
  void append_data(std::string& out, const state::WatchEvent& event) const {
    if (event.record && want_values_)
      return append_record_json(out, place_, event.key, *event.record, event.record->value, clock_.wall());
    if (event.key.empty()) {
      out += "{}"sv;
      return;
    }
    out += R"({"key":)"sv;
    json::append_string(out, event.key);
    if (event.record) {
      out += R"(,"etag":)"sv;
      append_entity_tag_json(out, event.record->etag);
    }
    out += '}';
  }

  RecordPlace place_;
  const bool want_values_;
  const Clock& clock_;
};

}  // namespace

bool V2Routes::is_watch(const http::Request& request) {
  if (request.method != http::Method::get || !request.target.starts_with(kState)) return false;
  const std::string_view path = Target::split(request.target).raw_path.substr(kState.size());
  if (path.find('/') != std::string_view::npos) return false;
  const auto name = percent_decode(path, Plus::literal);
  return name && name->ends_with(kVerb);
}

Task<Result<V2Routes::OpenedWatch>> V2Routes::open_watch(const http::Request& request) {
  const Target target = Target::split(request.target);
  const auto name = percent_decode(target.raw_path.substr(kState.size()), Plus::literal);  // see is_watch()
  auto entry = v2_.find_store(std::string_view(*name).substr(0, name->size() - kVerb.size()));
  if (!entry) co_return fail(std::move(entry.error()));
  WatchCommand command;
  if (auto ok = read_watch_parameters(target.query, command); !ok) co_return fail(std::move(ok.error()));
  if (command.key)
    if (auto ok = check_v2_key(*command.key); !ok) co_return fail(std::move(ok.error()));
  const service::CallContext context = call_context(request, v2_.runtime());
  service::WatchWhat what{.prefix = command.prefix,
                          .key = command.key,
                          .resume = request.headers.find("last-event-id"),
                          .want_values = command.want_values};
  auto watch = co_await v2_.service().watch(std::move(*entry), context, what);
  if (!watch) co_return fail(std::move(watch.error()));
  co_return OpenedWatch{std::move(*watch), context.isolation, command.want_values};
}

Task<void> V2Routes::watch(http::Request& request, net::BodyStream& stream, http::Response& response) {
  OpenedWatch opened;
  {
    auto result = co_await open_watch(request);
    if (!result) {
      response = problem(result.error(), request.target);
      co_return;
    }
    opened = std::move(*result);
  }
  stream.head_fields().add("Cache-Control", "no-store");
  ServerSentEvents form({opened.watch->entry(), opened.isolation}, opened.want_values, v2_.clock());
  co_await watches_.run(*opened.watch, stream, form, request, context_.access);
}

}  // namespace holdfast::api
