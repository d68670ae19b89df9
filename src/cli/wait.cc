#include "cli/wait.h"

#include <fmt/format.h>

#include <iostream>
#include <thread>

#include "cli/http_client.h"

namespace holdfast::cli {

namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kPeriod{100};
constexpr std::chrono::milliseconds kRequestTime{500};

std::string why_not(const Result<HttpResponse>& response) {
  return response ? fmt::format("it answers {}", response->status) : response.error().message;
}

}  // namespace

int wait_for_sidecar(const config::Flags& flags) {
  const Address address{"localhost", std::to_string(flags.dapr_http_port)};
  HttpRequest request;
  request.target = "/v1.0/healthz/outbound";
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto response = send(address, request, kRequestTime);
    if (response && response->status == 204) return 0;
    if (std::chrono::steady_clock::now() >= give_up) {
      std::cerr << fmt::format("holdfast: no sidecar was ready on port {} within {} s: {}\n", flags.dapr_http_port,
                               kPatience.count(), why_not(response));
      return 1;
    }
    std::this_thread::sleep_for(kPeriod);
  }
}

}  // namespace holdfast::cli
