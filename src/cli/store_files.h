// The stores that component files describe, for tools that open them themselves: `check --deep`, `state migrate`.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/components.h"
#include "net/loop.h"
#include "state/component.h"
#include "state/store.h"

namespace holdfast::cli {

// The files of all paths, in order: of a directory those that a sidecar reads. Errc::not_found names the path.
Result<std::vector<std::string>> list_paths(const std::vector<std::string>& paths);

// What a sidecar for `app_id` would load from these files, with the secrets of the secret stores among them.
Result<config::Resources> load_stores(const std::vector<std::string>& files, const std::string& app_id);

// The log goes to standard output, where it would stand between the results of a tool.
void quiet_stores();

// The state store of that name in files or directories; without a name, the only one. Errc::not_found and
// Errc::invalid_argument say what there is instead; `chooser` is what gives a name, where it may be missing.
Result<state::Component> find_store(const std::vector<std::string>& paths, const std::string& name,
                                    const std::string& app_id, std::string_view chooser = "");
// All of them; Errc::not_found when there is none.
Result<std::vector<state::Component>> find_stores(const std::vector<std::string>& paths, const std::string& app_id);

bool is_sqlite(const state::Component& component);

// Errc::not_found where opening the store would make an SQLite file.
Status refuse_new_file(const state::Component& component);

// Errc::unsupported for a store whose records are in the memory of one process: nobody else sees them.
Status refuse_memory(const state::Component& component);

// A store opened by the tool itself, as a sidecar would: not for components that a sidecar refuses.
class OpenedStore {
 public:
  // `loop` runs on another thread, and outlives the result. Waits up to the component's initTimeout.
  static Result<std::unique_ptr<OpenedStore>> open(const state::Component& component, net::Loop& loop);
  // Closes it; no call may be running.
  ~OpenedStore();

  // To be used on the loop.
  state::StateStore& store() { return *store_; }
  // Equal for components that mean the same store, whatever their secrets are. No secret can be read from it.
  const std::string& identity() const { return identity_; }
  const std::string& name() const { return component_.name; }
  // For people: "orders (state.sqlite)".
  std::string full_name() const { return component_.name + " (" + component_.type + ")"; }

 private:
  OpenedStore(state::Component component, net::Loop& loop) : component_(std::move(component)), loop_(loop) {}

  const state::Component component_;
  net::Loop& loop_;
  std::string identity_;
  std::shared_ptr<state::StoreCore> core_;
  std::unique_ptr<state::StateStore> store_;
};

}  // namespace holdfast::cli
