// A watch over HTTP: server-sent events.
#pragma once

#include <memory>

#include "conformance/remote/http_client.h"
#include "conformance/remote/watcher.h"
#include "wire/http/event_stream.h"
#include "wire/json/json.h"

namespace holdfast::conformance {

class HttpEvents final : public EventSource {
 public:
  // Asks for the watch on a connection of its own. An answer that is none is its error.
  static Result<std::unique_ptr<EventSource>> open(std::uint16_t port, std::string_view store,
                                                   const state::WatchRequest& request, bool has_fields);
  HttpEvents(std::unique_ptr<HttpClient> client, bool want_values, bool has_fields)
      : client_(std::move(client)), want_values_(want_values), has_fields_(has_fields) {}

  std::optional<state::WatchEvent> next() override;
  void stop() override { client_->shut_down(); }

 private:
  std::optional<state::WatchEvent> event_of(const http::ServerEvent& told);
  bool read_data(std::string_view data, state::WatchEvent& event);

  std::unique_ptr<HttpClient> client_;
  const bool want_values_;
  const bool has_fields_;
  http::EventStream stream_;
  json::Parser parser_;
};

}  // namespace holdfast::conformance
