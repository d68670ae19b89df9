#include <array>

#include "state/component.h"
#include "stores/memory/core.h"
#include "stores/memory/type.h"

namespace holdfast::stores {
namespace memory {
namespace {

constexpr std::array<state::Setting, 1> kSettings{{
    {.name = "maxBytes",
     .kind = state::SettingKind::bytes,
     .help = "what all records together may take, such as 64Mi; a write beyond it is refused. No "
             "limit when unset"},
}};

constexpr std::array<std::string_view, 5> kDaprFeatures{"ETAG", "TRANSACTIONAL", "TTL", "DELETE_WITH_PREFIX",
                                                        "KEYS_LIKE"};

Result<std::shared_ptr<state::StoreCore>> prepare(const state::Component& component,
                                                  const state::StoreEnvironment& environment) {
  const auto settings = state::Settings::read(component, kSettings);
  if (!settings) return fail(settings.error());
  MemorySettings memory;
  memory.component = component.name;
  if (settings->has("maxBytes")) memory.bytes_max = settings->bytes("maxBytes");
  return std::make_shared<MemoryCore>(environment.clock, std::move(memory));
}

}  // namespace

}  // namespace memory

const state::StoreType kMemoryType{
    .type = "state.in-memory",
    .alias = "",
    .version = "",
    .summary = "records in this process's memory; nothing survives it",
    .settings = memory::kSettings,
    .dapr_features = memory::kDaprFeatures,
    .prepare = memory::prepare,
    .dapr_hides_empty = true,
};

}  // namespace holdfast::stores
