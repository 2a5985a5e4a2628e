#include "quipu/api/grpc/v1/rpcs.h"

#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

constexpr std::size_t kBulkMessageBytes = limits::kRequestBytesMax;
constexpr std::size_t kSmallMessageBytes = std::size_t{2} << 20;
constexpr std::size_t kAliasMessageBytes = std::size_t{8} << 20;
constexpr std::size_t kEmbedMessageBytes = std::size_t{40} << 20;

constexpr RpcRow kCollectionReads[] = {
    {"/quipu.v1.Collections/List", "All collections", list_collections},
    {"/quipu.v1.Collections/Get", "One collection", get_collection},
};
constexpr RpcRow kAliasReads[] = {
    {"/quipu.v1.Collections/ListAliases", "Other names of collections", list_aliases},
};
constexpr RpcRow kCollectionWrites[] = {
    {"/quipu.v1.Collections/Create", "Make a collection", create_collection},
    {"/quipu.v1.Collections/Update", "Change a collection", update_collection},
    {"/quipu.v1.Collections/ChangeVectors", "Add, drop and rename vectors of a collection",
     change_vectors},
    {"/quipu.v1.Collections/Delete", "Drop a collection with all its points", delete_collection},
};
constexpr RpcRow kAliasWrites[] = {
    {"/quipu.v1.Collections/ChangeAliases", "Change other names of collections, together",
     change_aliases},
};

constexpr RpcRow kPointWrites[] = {
    {"/quipu.v1.Points/Upsert", "Insert or replace points", upsert},
    {"/quipu.v1.Points/StreamUpsert", "Insert or replace points, message by message", upsert, true},
    {"/quipu.v1.Points/Patch", "Change points", patch},
    {"/quipu.v1.Points/Delete", "Delete points", delete_points},
    {"/quipu.v1.Points/DeleteByFilter", "Delete all points that match", delete_by_filter},
    {"/quipu.v1.Points/PatchByFilter", "Change all points that match", patch_by_filter},
};
constexpr RpcRow kPointReads[] = {
    {"/quipu.v1.Points/Get", "Points by id", get_points},
    {"/quipu.v1.Points/Scroll", "Points page by page", scroll},
    {"/quipu.v1.Points/Count", "How many points there are", count},
};

constexpr RpcRow kSearches[] = {
    {"/quipu.v1.Search/Search", "Nearest points", search},
    {"/quipu.v1.Search/SearchBatch", "Several searches", search_batch},
    {"/quipu.v1.Search/StreamSearch", "Nearest points, message by message", search, true},
    {"/quipu.v1.Search/SearchSeveral", "Nearest points of several collections",
     search_several_collections},
    {"/quipu.v1.Search/Query", "Points by any query", query},
    {"/quipu.v1.Search/QueryBatch", "Several queries", query_batch},
};
// They may read every record.
constexpr RpcRow kLongSearches[] = {
    {"/quipu.v1.Search/QueryGroups", "The best points of each value of a key", query_groups},
    {"/quipu.v1.Search/Facet", "How many points have each value of a key", facet},
    {"/quipu.v1.Search/Matrix", "Distances between sampled points", matrix},
};

constexpr RpcRow kMemoryWrites[] = {
    {"/quipu.v1.Memory/Remember", "Remember a text", remember},
    {"/quipu.v1.Memory/RememberBatch", "Remember several texts", remember_batch},
};
constexpr RpcRow kMemoryForgets[] = {
    {"/quipu.v1.Memory/Forget", "Forget records", forget},
};
constexpr RpcRow kMemoryReads[] = {
    {"/quipu.v1.Memory/Get", "Read a record", get_record},
};
constexpr RpcRow kMemoryRecalls[] = {
    {"/quipu.v1.Memory/Recall", "Find what was remembered, by meaning", recall},
};

constexpr RpcRow kModelCalls[] = {
    {"/quipu.v1.Models/List", "The models that are there", list_models},
    {"/quipu.v1.Models/Embed", "Turn texts into vectors", embed_texts_call},
    {"/quipu.v1.Models/Rerank", "Rank texts by how well they answer a query", rerank_texts_call},
};

constexpr RpcRow kSnapshotOfAll[] = {
    {"/quipu.v1.Snapshots/Create", "Copy everything into a folder beside the data",
     create_snapshot},
};
constexpr RpcRow kCollectionSnapshots[] = {
    {"/quipu.v1.Snapshots/ListOfCollection", "The snapshots of a collection",
     list_collection_snapshots},
    {"/quipu.v1.Snapshots/MakeOfCollection", "Write a collection into a file",
     make_collection_snapshot},
    {"/quipu.v1.Snapshots/DeleteOfCollection", "Delete a snapshot", delete_collection_snapshot},
    {"/quipu.v1.Snapshots/RecoverCollection",
     "Make a collection of a snapshot, or put it in the place of one", recover_collection},
};

constexpr RpcRow kHealthCalls[] = {
    {"/quipu.v1.System/Health", "How the server is", system_health},
};
constexpr RpcRow kSystemReads[] = {
    {"/quipu.v1.System/Status", "Sizes, queues and state", system_status},
    {"/quipu.v1.System/Config", "The configuration in force, without secrets", system_config},
};

}  // namespace

void add_rpcs(std::vector<Rpc>& rows) {
  const RpcPackage package{.tag = "quipu", .dialect = &kV1Dialect};
  const auto add = [&](const RpcKind& kind, std::span<const RpcRow> of) {
    add_rpc_rows(package, kind, of, rows);
  };
  using enum Execution;
  add({"collections:read", kCompute, kSmallMessageBytes}, kCollectionReads);
  add({"collections:read", kInline, kSmallMessageBytes}, kAliasReads);
  add({"collections:write", kWaiting, kSmallMessageBytes}, kCollectionWrites);
  add({"collections:write", kWaiting, kAliasMessageBytes}, kAliasWrites);
  add({"points:write", kWaiting, kBulkMessageBytes, true}, kPointWrites);
  add({"points:read", kCompute, kSmallMessageBytes}, kPointReads);
  add({"points:read", kCompute, kBulkMessageBytes}, kSearches);
  add({"points:read", kWaiting, kBulkMessageBytes}, kLongSearches);
  add({"memory:write", kWaiting, kBulkMessageBytes, true}, kMemoryWrites);
  add({"memory:write", kWaiting, kSmallMessageBytes}, kMemoryForgets);
  add({"memory:read", kCompute, kSmallMessageBytes}, kMemoryReads);
  add({"memory:read", kWaiting, kSmallMessageBytes}, kMemoryRecalls);
  add({"embed:use", kWaiting, kEmbedMessageBytes}, kModelCalls);
  add({"system:write", kWaiting, kSmallMessageBytes}, kSnapshotOfAll);
  add({"snapshots:write", kWaiting, kSmallMessageBytes}, kCollectionSnapshots);
  add({"", kInline, kSmallMessageBytes}, kHealthCalls);
  add({"system:read", kInline, kSmallMessageBytes}, kSystemReads);
}

}  // namespace quipu::api::grpc::v1
