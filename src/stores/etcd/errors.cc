#include "stores/etcd/errors.h"

#include <fmt/format.h>

namespace holdfast::stores::etcd {

namespace {

struct Words {
  std::string_view part;
  Trouble trouble;
};

// The first that is in what the server said.
constexpr Words kWords[] = {
    {"no leader", Trouble::no_leader},
    {"invalid auth token", Trouble::not_signed_in},
    {"user name is empty", Trouble::not_signed_in},
    {"revision of auth store is old", Trouble::not_signed_in},
    {"requested lease not found", Trouble::lease_gone},
    {"required revision has been compacted", Trouble::compacted},
    {"too many operations in txn", Trouble::too_many_operations},
    {"request is too large", Trouble::too_large},
    {"larger than max", Trouble::too_large},
    {"database space exceeded", Trouble::no_space},
    {"too many requests", Trouble::overloaded},
    {"permission denied", Trouble::denied},
    {"authentication failed", Trouble::wrong_password},
    {"authentication is not enabled", Trouble::not_signed_in},
    {"leader changed", Trouble::lost_leader},
    {"request timed out", Trouble::lost_leader},
    {"server stopped", Trouble::lost_leader},
};

Errc code_of(Trouble trouble, Access access) {
  switch (trouble) {
    case Trouble::no_leader:
    case Trouble::not_signed_in:
    case Trouble::no_space:
      return Errc::unavailable;
    case Trouble::lease_gone:
      return Errc::conflict;
    case Trouble::compacted:
    case Trouble::too_many_operations:
    case Trouble::too_large:
      return Errc::invalid_argument;
    case Trouble::overloaded:
      return Errc::overloaded;
    case Trouble::denied:
    case Trouble::wrong_password:
      return Errc::denied;
    case Trouble::unsupported:
      return Errc::unsupported;
    case Trouble::lost_leader:
      return access == Access::write ? Errc::outcome_unknown : Errc::unavailable;
    case Trouble::other:
      break;
  }
  return Errc::internal;
}

std::string_view advice(Trouble trouble) {
  switch (trouble) {
    case Trouble::no_leader:
      return "the member has no leader: a majority of the cluster is not there; try again later";
    case Trouble::not_signed_in:
      return "the servers have users, and nobody is signed in: give the component username and password";
    case Trouble::lease_gone:
      return "its time to live was up before it was written; try again";
    case Trouble::compacted:
      return "the revision is older than what the servers keep; start again without a cursor";
    case Trouble::too_many_operations:
      return "the transaction has more operations than the servers take (--max-txn-ops)";
    case Trouble::too_large:
      return "the request is larger than the servers take (--max-request-bytes)";
    case Trouble::no_space:
      return "the database has reached its quota: compact, defragment, and disarm the alarm with etcdctl";
    case Trouble::overloaded:
      return "the servers are busy; try again later";
    case Trouble::denied:
      return "the user may not do that; it needs read and write for the prefix keyPrefixPath";
    case Trouble::wrong_password:
      return "username or password is wrong";
    case Trouble::unsupported:
      return "the server is older than etcd 3.4";
    case Trouble::lost_leader:
      return "the leader changed, or the servers took too long";
    case Trouble::other:
      break;
  }
  return "the server refuses it";
}

}  // namespace

Trouble trouble_of(const net::GrpcReply& reply) {
  for (const Words& words : kWords)
    if (reply.text.contains(words.part)) return words.trouble;
  switch (reply.code) {
    case grpc::Code::unauthenticated:
      return Trouble::not_signed_in;
    case grpc::Code::permission_denied:
      return Trouble::denied;
    case grpc::Code::unimplemented:
      return Trouble::unsupported;
    case grpc::Code::resource_exhausted:
      return Trouble::overloaded;
    // Of a server that ends, of one that lost its leader, of a proxy: nobody knows how far it had come.
    case grpc::Code::unavailable:
    case grpc::Code::deadline_exceeded:
    case grpc::Code::cancelled:
    case grpc::Code::unknown:
      return Trouble::lost_leader;
    default:
      return Trouble::other;
  }
}

bool is_undone(Trouble trouble) { return trouble != Trouble::lost_leader && trouble != Trouble::other; }

Error describe(std::string_view place, std::string_view doing, Access access, const net::GrpcReply& reply) {
  const Trouble trouble = trouble_of(reply);
  Error error(code_of(trouble, access), fmt::format("{}: cannot {}: {}", place, doing, advice(trouble)));
  if (error.code == Errc::outcome_unknown)
    error.message = fmt::format("{}: it is not known whether {} was done: {}; read before you write again", place,
                                doing, advice(trouble));
  error.backend_message = reply.text;
  return error;
}

}  // namespace holdfast::stores::etcd
