// Whatever the text, the tree keeps the promises of state/query.h.
#include <cstddef>
#include <cstdint>
#include <string>

#include "require.h"
#include "state/query.h"

namespace state = holdfast::state;

namespace {

void check(const state::Filter& filter, std::size_t depth, std::size_t& nodes) {
  using Op = state::Filter::Op;
  FUZZ_REQUIRE(depth <= state::kQueryDepthMax);
  FUZZ_REQUIRE(++nodes <= state::kQueryNodesMax);
  if (filter.op == Op::all_of || filter.op == Op::any_of) {
    FUZZ_REQUIRE(filter.path.empty() && filter.values.empty() && filter.filters.size() >= 2);
    for (const state::Filter& child : filter.filters) check(child, depth + 1, nodes);
    return;
  }
  FUZZ_REQUIRE(!filter.path.empty() && filter.filters.empty());
  FUZZ_REQUIRE(filter.op == Op::in ? !filter.values.empty() : filter.values.size() == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto query = state::parse_query(std::string(reinterpret_cast<const char*>(data), size));
  if (!query) {
    FUZZ_REQUIRE(query.error().code == holdfast::Errc::invalid_argument && !query.error().message.empty());
    return 0;
  }
  std::size_t nodes = 0;
  FUZZ_REQUIRE(query->filter.size() <= 1);
  for (const state::Filter& filter : query->filter) check(filter, 1, nodes);
  for (const state::Sort& sort : query->sort) FUZZ_REQUIRE(!sort.path.empty());
  return 0;
}
