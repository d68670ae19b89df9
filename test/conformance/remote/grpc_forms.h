// What messages of holdfast.v2.State look like, for the stores at the other end of gRPC.
#pragma once

#include <string_view>

#include "conformance/remote/reach.h"
#include "holdfast/v2/state.pb.h"
#include "state/store.h"
#include "wire/grpc/grpc.h"

namespace holdfast::conformance {

// `reason` is that of the ErrorInfo.
Errc code_of(grpc::Code code, std::string_view reason);
holdfast::v2::Consistency level_of(state::Consistency level);
state::Record record_of(const holdfast::v2::Record& from, bool want_fields);

// Sets `when` only where there is a condition.
template <class Request>
void set_condition(Request& request, const state::Precondition& when) {
  using state::Precondition;
  switch (when.kind) {
    case Precondition::Kind::any:
      return;
    case Precondition::Kind::absent:
      request.mutable_when()->set_absent(true);
      return;
    case Precondition::Kind::present:
      request.mutable_when()->set_present(true);
      return;
    case Precondition::Kind::one_of:
      break;
  }
  for (const std::string_view etag : when.etags) request.mutable_when()->mutable_etags()->add_values(tag_of(etag));
}

}  // namespace holdfast::conformance
