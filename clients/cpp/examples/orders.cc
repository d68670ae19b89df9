// Orders against a stock, with coroutines: nothing is sold twice, and nobody waits for a lock.
//
// Shows what Dapr's API has no words for: conditions without an etag, changes in place, transactions that check what
// they do not change, tags, listing, watching, and errors that say what to do. The buyers run at once. It is
// examples/orders, in C++.
//
//   holdfast run -- build/orders        # against a sidecar of its own, or DAPR_GRPC_PORT=... build/orders
#include <holdfast/aio.h>

#include <array>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

namespace aio = holdfast::aio;
using holdfast::Check;
using holdfast::Json;
using holdfast::Operation;
using holdfast::Put;

namespace {

constexpr const char* kStore = "statestore";

void open_shop(holdfast::Store store) {
  store.put("shop", Json{R"({"open":true})"});
  for (const auto& [article, count] : {std::pair("pen", 5), std::pair("ink", 3)}) {
    try {
      store.put(std::string("stock/") + article, count, {.if_absent = true});
    } catch (const holdfast::PreconditionFailed&) {
      std::cout << "there is stock of " << article << " already\n";
    }
  }
}

// Takes one from the stock and writes the order, or neither, and only while the shop is open. Repeats conflicts.
aio::Task<std::string> order(aio::Store store, std::string buyer, std::string article) {
  while (true) {
    auto shop_read = store.get("shop"), stock_read = store.get("stock/" + article);
    const auto shop = co_await shop_read;
    const auto stock = co_await stock_read;
    if (!shop || shop->value != R"({"open":true})") co_return "closed";
    if (!stock || stock->integer() == 0) co_return "sold out";
    auto counted = store.increment("orders/last");
    const auto number = std::to_string(10000 + (co_await counted).integer());
    std::vector<Operation> operations;
    operations.push_back(Check{.key = "shop", .etag = shop->etag});
    operations.push_back(Put{.key = "stock/" + article, .value = stock->integer() - 1, .etag = stock->etag});
    Put placed{.key = "orders/" + number, .value = buyer, .ttl = std::chrono::hours(24 * 30), .if_absent = true};
    placed.tags["article"] = article;
    operations.push_back(placed);
    try {
      co_await store.transact(std::move(operations));
      co_return "served";
    } catch (const holdfast::PreconditionFailed&) {
      // Somebody else was served: read again.
    }
  }
}

aio::Task<> sell() {
  aio::Client client;
  const std::array<std::pair<const char*, const char*>, 7> buyers = {{{"ann", "pen"},
                                                                      {"ben", "pen"},
                                                                      {"cem", "ink"},
                                                                      {"dora", "ink"},
                                                                      {"eva", "ink"},
                                                                      {"finn", "ink"},
                                                                      {"gus", "pen"}}};
  std::vector<aio::Pending<std::string>> outcomes;
  for (const auto& [buyer, article] : buyers)
    outcomes.push_back(aio::spawn(order(client.store(kStore), buyer, article)));
  for (std::size_t i = 0; i < buyers.size(); ++i) {
    const std::string outcome = co_await outcomes[i];
    std::cout << buyers[i].first << ", " << buyers[i].second << ": " << outcome << '\n';
  }
}

int count(auto&& scan) {
  int number = 0;
  for (const auto& record : scan) number += !record.key.empty();
  return number;
}

}  // namespace

int main() {
  holdfast::Client client;
  auto store = client.store(kStore);
  open_shop(store);
  aio::run(sell());

  int sold = 0;
  for (const char* article : {"pen", "ink"}) {
    const int orders = count(store.scan("orders/1", {.tags = {{"article", article}}}));
    std::cout << article << ": " << orders << " sold, " << store.get(std::string("stock/") + article)->value
              << " left\n";
    sold += orders;
  }
  if (sold != 6 || store.get("stock/ink")->integer() != 0) {
    std::cerr << "the stock and the orders do not agree\n";
    return 1;
  }
  try {
    store.increment("stock/ink", -1, {.min = 0});
  } catch (const holdfast::PreconditionFailed& refused) {
    std::cout << "one ink less: " << refused.message() << '\n';
  }
  std::cout << "deleted " << store.erase_prefix("orders/").deleted << " records of orders\n";
}
