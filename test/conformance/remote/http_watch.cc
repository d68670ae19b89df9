#include "conformance/remote/http_watch.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "conformance/remote/http_forms.h"
#include "conformance/remote/http_store.h"
#include "conformance/remote/reach.h"

namespace holdfast::conformance {

using state::WatchEvent;

namespace {

constexpr std::array<std::pair<std::string_view, WatchEvent::Kind>, 5> kKinds{{{"put", WatchEvent::Kind::put},
                                                                               {"delete", WatchEvent::Kind::erase},
                                                                               {"expire", WatchEvent::Kind::expire},
                                                                               {"resync", WatchEvent::Kind::resync},
                                                                               {"ready", WatchEvent::Kind::ready}}};

}  // namespace

Result<std::unique_ptr<EventSource>> HttpEvents::open(std::uint16_t port, std::string_view store,
                                                      const state::WatchRequest& request, bool has_fields) {
  auto client = HttpClient::connect(port);
  if (!client) return fail(client.error());
  HttpRequest ask{"GET", "/v2/state/" + percent_encode(store) + ":watch", {}, {}};
  add_parameter(ask.target, request.exact ? "key" : "prefix", request.prefix);
  if (request.want_values) add_parameter(ask.target, "values", "true");
  if (!request.resume.empty()) ask.headers.emplace_back("Last-Event-ID", request.resume);
  auto answer = (*client)->begin(ask);
  if (!answer) return fail(answer.error());
  if (answer->status != 200) {
    if (const Status read = (*client)->read_body(*answer); !read) return fail(read.error());
    return problem_of(*answer);
  }
  if (answer->header("content-type") != "text/event-stream")
    return fail(Errc::internal, "the answer is no stream of events");
  return std::make_unique<HttpEvents>(std::move(*client), request.want_values, has_fields);
}

std::optional<WatchEvent> HttpEvents::next() {
  for (;;) {
    if (const auto event = stream_.next()) return event_of(*event);
    const auto chunk = client_->read_chunk();
    if (!chunk || !stream_.feed(*chunk)) return std::nullopt;
  }
}

// Nothing when it is malformed, which ends the watch.
std::optional<WatchEvent> HttpEvents::event_of(const http::ServerEvent& told) {
  WatchEvent event;
  const auto* const known =
      std::ranges::find(kKinds, std::string_view(told.kind), &std::pair<std::string_view, WatchEvent::Kind>::first);
  if (known == kKinds.end()) return std::nullopt;
  event.kind = known->second;
  event.resume = told.id;
  if (!read_data(told.data, event)) return std::nullopt;
  return event;
}

bool HttpEvents::read_data(std::string_view data, WatchEvent& event) {
  const auto document = parser_.parse(data);
  if (!document || !document->is_object()) return false;
  const json::Object object = document->get_object().value();
  event.key = text_of(object, "key");
  if (event.kind != WatchEvent::Kind::put) return true;
  if (!want_values_) {
    event.record.emplace().etag = etag_of(text_of(object, "etag"));
    return true;
  }
  auto item = listed_record_of(object, has_fields_);
  if (!item) return false;
  event.record = std::move(item->record);
  return true;
}

}  // namespace holdfast::conformance
