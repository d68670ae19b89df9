// What can be done with a store: each verb says what it sends and how the answer reads. Mistakes in the arguments are
// std::invalid_argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "calls.h"

namespace holdfast::detail {

using PutCall = Call<pb::PutRequest, pb::PutResponse, Written>;
using GetCall = Call<pb::GetRequest, pb::Record, std::optional<Record>>;
using DeleteCall = Call<pb::DeleteRequest, pb::DeleteResponse, Deleted>;
using PatchCall = Call<pb::PatchRequest, pb::PatchResponse, Patched>;
using ListCall = Call<pb::ListRequest, pb::ListResponse, Page>;
using QueryCall = Call<pb::QueryRequest, pb::QueryResponse, Page>;
using DeletePrefixCall = Call<pb::DeletePrefixRequest, pb::DeletePrefixResponse, DeletedPrefix>;
using BatchGetCall = Call<pb::BatchGetRequest, pb::BatchGetResponse, std::vector<Got>>;
using BatchWriteCall = Call<pb::BatchWriteRequest, pb::BatchWriteResponse, std::vector<Result>>;
using TransactCall = Call<pb::TransactRequest, pb::TransactResponse, std::vector<Result>>;

PutCall put(const std::string& store, std::string_view key, Value value, const PutOptions& options);
GetCall get(const std::string& store, std::string_view key, const GetOptions& options);
DeleteCall erase(const std::string& store, std::string_view key, const EraseOptions& options);
PatchCall merge(const std::string& store, std::string_view key, Json patch, const PatchOptions& options);
PatchCall increment(const std::string& store, std::string_view key, const Number& by, const IncrementOptions& options);
PatchCall append(const std::string& store, std::string_view key, std::string_view bytes, const PatchOptions& options);
PatchCall append_element(const std::string& store, std::string_view key, Json element, const PatchOptions& options);
ListCall list(const std::string& store, std::string_view prefix, const ListOptions& options);
QueryCall query(const std::string& store, std::string_view query, const QueryOptions& options);
DeletePrefixCall erase_prefix(const std::string& store, std::string_view prefix, const ErasePrefixOptions& options);
BatchGetCall batch_get(const std::string& store, const std::vector<std::string>& keys, const GetOptions& options);
BatchWriteCall batch_write(const std::string& store, std::vector<Write> items, const BatchOptions& options);
TransactCall transact(const std::string& store, std::vector<Operation> operations, const BatchOptions& options);

pb::WatchRequest watch(const std::string& store, const WatchOptions& options);
WatchEvent event_of(pb::WatchEvent& message, EventKind kind);

}  // namespace holdfast::detail
