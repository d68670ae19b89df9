// The client for coroutines: the classes of holdfast/client.h with the same names and arguments, whose calls begin at
// once and give a Pending (holdfast/task.h, which says on which thread a coroutine goes on).
//
//   holdfast::aio::Client client;
//   auto store = client.store("statestore");
//   co_await store.put("orders/17", 13);
//   auto scan = store.scan("orders/");
//   while (auto record = co_await scan.next()) use(*record);
#pragma once

#include "holdfast/client.h"
#include "holdfast/task.h"

namespace holdfast {

namespace aio {
struct Awaited {
  template <class T>
  using Result = Pending<T>;
};

using Client = BasicClient<Awaited>;
using Session = BasicSession<Awaited>;
using Store = BasicStore<Awaited>;
using Scan = BasicScan<Awaited>;
using Watch = BasicWatch<Awaited>;
}  // namespace aio

extern template class BasicClient<aio::Awaited>;
extern template class BasicSession<aio::Awaited>;
extern template class BasicStore<aio::Awaited>;
extern template class BasicScan<aio::Awaited>;
extern template class BasicWatch<aio::Awaited>;

}  // namespace holdfast
