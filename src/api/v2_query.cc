// Queries of v2.
#include <fmt/format.h>

#include <algorithm>

#include "api/v2.h"
#include "service/index_entries.h"

namespace holdfast::api {

using namespace state;
using service::Call;
using service::CallContext;
using service::StoreEntry;

Task<Result<QueryPage>> V2::query(StoreEntry& entry, CallContext context, QueryCommand& command) {
  if (auto ok = service::check_index_entries(command.indexes); !ok) co_return fail(std::move(ok.error()));
  service::SearchRequest request;
  request.query = std::move(command.query);
  if (request.query.limit == 0) request.query.limit = kListLimitDefault;
  if (request.query.limit > kListLimitMax)
    co_return fail(Errc::invalid_argument,
                   fmt::format("the page's limit is {}; at most {} are allowed", request.query.limit, kListLimitMax));
  request.query.key_prefix = command.prefix;
  request.text = std::move(command.text);
  request.tags = std::move(command.tags);
  request.indexes = std::move(command.indexes);
  // Tokens belong to them, and the next page may name them in another order.
  std::ranges::sort(request.tags);
  std::ranges::sort(request.indexes);
  request.may_scan = command.may_scan;
  default_to_session(entry, context);
  auto page = co_await service_.search(Call{entry, context}, std::move(request));
  if (page && !command.fields.is_everything())
    for (ListedRecord& item : page->items) item.record.value = command.fields.of_value(item.record.value);
  co_return page;
}

}  // namespace holdfast::api
