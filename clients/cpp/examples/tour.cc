#include <holdfast/client.h>

#include <iostream>

using namespace std::chrono_literals;
using holdfast::Json;

int main() {
  holdfast::Client client;  // DAPR_GRPC_PORT and DAPR_API_TOKEN, as `holdfast run` sets them
  auto orders = client.store("statestore");

  orders.put("orders/17", Json{R"({"total":12.5})"}, {.ttl = 1h, .tags = {{"shop", "berlin"}}});
  auto record = orders.get("orders/17");  // nothing if there is none
  std::cout << record->value << ' ' << record->created_by << ' ' << record->etag << '\n';

  orders.put("orders/17", Json{R"({"total":13})"}, {.etag = record->etag});
  try {  // nobody's change is overwritten
    orders.put("orders/17", Json{R"({"total":14})"}, {.etag = record->etag});
  } catch (const holdfast::PreconditionFailed& moved) {
    std::cout << "changed meanwhile; now it is " << *moved.current_etag() << '\n';
  }

  orders.put("orders/18", "paid", {.if_absent = true});  // a creation
  orders.merge("orders/17", Json{R"({"paid":true})"});
  std::cout << orders.increment("visits", 1, {.max = 100}).integer() << '\n';

  orders.transact({holdfast::Check{.key = "orders/18", .if_present = true},  // all or nothing
                   holdfast::Put{.key = "paid/18", .value = true, .if_absent = true},
                   holdfast::Delete{.key = "cart/18"}});
  for (const auto& found : orders.scan("orders/", {.values = true}))
    std::cout << found.key << ' ' << found.value << '\n';
}
