// Our HTTP API, /v2 (doc/api-v2.md, openapi.yaml). v2_routes.cc finds the route, v2_records.cc answers about one
// record, v2_many.cc about many, v2_query.cc a query, v2_watch.cc as things change, v2_stats.cc about the process;
// v2_decode.h reads what they are asked.
#pragma once

#include "api/http/target.h"
#include "api/loop_context.h"
#include "api/record_json.h"
#include "api/v2.h"
#include "api/watch.h"
#include "wire/http/message.h"

namespace holdfast::api {

inline constexpr std::string_view kState = "/v2/state/";  // and the store's name
inline constexpr std::string_view kRecordType = "application/vnd.holdfast.record+json";

class V2Routes {
 public:
  V2Routes(service::Service& service, const service::Runtime& runtime, LoopContext& context)
      : v2_(service, runtime), context_(context), watches_(service.loop()) {}

  Task<http::Response> handle(http::Request& request, const Target& target);
  // GET of /v2/state/{store}:watch, whose answer flows.
  static bool is_watch(const http::Request& request);
  // Fills `response` where no watch came to be; else what flowed is all of it.
  Task<void> watch(http::Request& request, net::BodyStream& stream, http::Response& response);

 private:
  // What a watch that goes on needs of what opened it.
  struct OpenedWatch {
    std::unique_ptr<service::Watch> watch;
    std::optional<std::string_view> isolation;  // points into the request
    bool want_values = false;
  };
  Task<Result<OpenedWatch>> open_watch(const http::Request& request);
  Task<http::Response> state_route(http::Request& request, const Target& target);
  Task<http::Response> put(http::Request& request, service::StoreRef entry, std::string key, std::string_view query);
  Task<http::Response> get(http::Request& request, service::StoreRef entry, std::string key, std::string_view query);
  Task<http::Response> erase(http::Request& request, service::StoreRef entry, std::string key, std::string_view query);
  Task<http::Response> patch(http::Request& request, service::StoreRef entry, std::string key, std::string_view query);
  Task<http::Response> list(http::Request& request, service::StoreRef entry, std::string_view query);
  Task<http::Response> erase_prefix(http::Request& request, service::StoreRef entry, std::string_view query);
  // POST /v2/state/{store}:VERB
  Task<http::Response> verb_route(http::Request& request, service::StoreRef entry, std::string_view verb,
                                  std::string_view query);
  Task<http::Response> batch_get(http::Request& request, service::StoreRef entry, std::string_view query);
  Task<http::Response> batch_write(http::Request& request, service::StoreRef entry, std::string_view query);
  Task<http::Response> transact(http::Request& request, service::StoreRef entry, std::string_view query);
  Task<http::Response> query(http::Request& request, service::StoreRef entry, std::string_view parameters);
  Task<http::Response> health();
  http::Response stores();
  http::Response stats() const;
  // Consistency and principal of a request; the problem when they cannot be read.
  Result<service::CallContext> context_of(const http::Request& request, std::string_view query) const;
  Result<std::vector<Command>> commands_of(const http::Request& request, std::string_view list) const;
  http::Response written(const http::Request& request, const RecordPlace& place, std::string_view key,
                         const Outcome& outcome, std::string_view value) const;
  void append_outcome(std::string& out, const RecordPlace& place, const Command& command, const Outcome& outcome) const;

  V2 v2_;
  LoopContext& context_;
  WatchList watches_;
};

}  // namespace holdfast::api
