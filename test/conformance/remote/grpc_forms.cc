#include "conformance/remote/grpc_forms.h"

#include <algorithm>

namespace holdfast::conformance {

using namespace state;

namespace pb = ::holdfast::v2;
using grpc::Code;

Errc code_of(grpc::Code code, std::string_view reason) {
  if (reason == "ETAG_INVALID") return Errc::etag_invalid;
  if (reason == "OUTCOME_UNKNOWN") return Errc::outcome_unknown;
  if (reason == "OVERLOADED") return Errc::overloaded;
  if (reason == "REPLICATION_SHORTFALL") return Errc::replication_shortfall;
  switch (code) {
    case Code::invalid_argument:
      return Errc::invalid_argument;
    case Code::unimplemented:
      return Errc::unsupported;
    case Code::permission_denied:
      return Errc::denied;
    case Code::not_found:
      return Errc::not_found;
    case Code::failed_precondition:
      return Errc::precondition_failed;
    case Code::aborted:
      return Errc::conflict;
    case Code::unavailable:
      return Errc::unavailable;
    case Code::deadline_exceeded:
      return Errc::deadline_exceeded;
    default:
      return Errc::internal;
  }
}

pb::Consistency level_of(Consistency level) {
  switch (level) {
    case Consistency::unspecified:
      break;
    case Consistency::eventual:
      return pb::CONSISTENCY_EVENTUAL;
    case Consistency::consistent_prefix:
      return pb::CONSISTENCY_CONSISTENT_PREFIX;
    case Consistency::session:
      return pb::CONSISTENCY_SESSION;
    case Consistency::bounded_staleness:
      return pb::CONSISTENCY_BOUNDED_STALENESS;
    case Consistency::quorum:
      return pb::CONSISTENCY_QUORUM;
    case Consistency::strong:
      return pb::CONSISTENCY_STRONG;
  }
  return pb::CONSISTENCY_UNSPECIFIED;
}

namespace {

Pairs pairs_of(const google::protobuf::Map<std::string, std::string>& map) {
  Pairs pairs(map.begin(), map.end());
  std::ranges::sort(pairs);
  return pairs;
}

WallTime time_of(const google::protobuf::Timestamp& time) {
  return WallTime{time.seconds() * 1'000'000 + time.nanos() / 1000};
}

}  // namespace

Record record_of(const pb::Record& from, bool want_fields) {
  Record record;
  record.value = from.value();
  record.shape = from.content_type() == kJsonType ? Shape::json : Shape::bytes;
  record.etag = etag_of(from.etag());
  if (from.has_expires()) record.expires_at = time_of(from.expires());
  if (!want_fields || !from.has_created()) return record;
  RecordFields& fields = record.fields.emplace();
  fields.created = time_of(from.created());
  fields.created_by = from.created_by();
  fields.modified = time_of(from.modified());
  fields.modified_by = from.modified_by();
  if (from.content_type() != kBytesType) fields.content_type = from.content_type();
  fields.tags = pairs_of(from.tags());
  fields.indexes = pairs_of(from.indexes());
  return record;
}

}  // namespace holdfast::conformance
