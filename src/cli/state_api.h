// Who answers what `holdfast state ...` asks: a running sidecar, or the stores of component files, opened here. Either
// is asked in the words of the v2 API, so that every verb is written once and means the same.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/http_client.h"

namespace holdfast::cli {

class StateApi {
 public:
  virtual ~StateApi() = default;
  // The whole answer, whatever its status. Errc::unavailable says why there is none.
  virtual Result<HttpResponse> send(const HttpRequest& request) = 0;
};

std::unique_ptr<StateApi> sidecar_at(Address address);

struct StoreFiles {
  std::vector<std::string> paths;  // files, and directories of them
  std::string store;               // the one that is opened; empty: all of them
  std::string app_id;
  bool may_make_files = false;  // an SQLite file that is not there is made, as a sidecar makes it
};
// What a sidecar of that application with these files would answer: its keys, its isolation, the same limits. Waits for
// each store up to its initTimeout. Errc::not_found: no such file or store; Errc::unavailable: it does not open.
// A store whose records live in the memory of a process is Errc::unsupported when it is named.
Result<std::unique_ptr<StateApi>> open_store_files(const StoreFiles& files);

}  // namespace holdfast::cli
