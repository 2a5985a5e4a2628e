#include "quipu/api/qdrant/grpc/rpcs.h"

#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"

namespace quipu::api::qdrant {
namespace {

constexpr std::size_t kBulkMessageBytes = std::size_t{64} << 20;
constexpr std::size_t kSmallMessageBytes = std::size_t{2} << 20;

constexpr RpcRow kNodeRpcs[] = {
    {"/qdrant.Qdrant/HealthCheck", "Title and version", rpc::health_check},
};

constexpr RpcRow kCollectionReadRpcs[] = {
    {"/qdrant.Collections/Get", "A collection", rpc::get_collection},
    {"/qdrant.Collections/List", "Names of collections", rpc::list_collections},
    {"/qdrant.Collections/CollectionExists", "Whether a collection is there",
     rpc::collection_exists},
    {"/qdrant.Collections/CollectionClusterInfo", "Where a collection's shards are",
     rpc::collection_cluster},
    {"/qdrant.Collections/ListCollectionAliases", "Other names of a collection",
     rpc::list_collection_aliases},
    {"/qdrant.Collections/ListAliases", "Other names of collections", rpc::list_aliases},
};

constexpr RpcRow kCollectionWriteRpcs[] = {
    {"/qdrant.Collections/Create", "Make a collection", rpc::create_collection},
    {"/qdrant.Collections/Update", "Change a collection's options", rpc::update_collection},
    {"/qdrant.Collections/Delete", "Drop a collection with all its points", rpc::delete_collection},
    {"/qdrant.Collections/UpdateAliases", "Change other names of collections together",
     rpc::update_aliases},
    {"/qdrant.Points/CreateFieldIndex", "Index a payload key", rpc::create_field_index},
    {"/qdrant.Points/DeleteFieldIndex", "Drop the index of a payload key", rpc::delete_field_index},
    {"/qdrant.Points/CreateVectorName", "Adding a vector later", rpc::create_vector_name},
    {"/qdrant.Points/DeleteVectorName", "Dropping a vector", rpc::delete_vector_name},
};

constexpr RpcRow kSnapshots[] = {
    {"/qdrant.Snapshots/Create", "Snapshots of a collection", rpc::create_snapshot},
    {"/qdrant.Snapshots/List", "Snapshots of a collection", rpc::list_snapshots},
    {"/qdrant.Snapshots/Delete", "Snapshots of a collection", rpc::delete_snapshot},
    {"/qdrant.Snapshots/CreateFull", "Snapshots of everything", rpc::create_full_snapshot},
    {"/qdrant.Snapshots/ListFull", "Snapshots of everything", rpc::list_full_snapshots},
    {"/qdrant.Snapshots/DeleteFull", "Snapshots of everything", rpc::delete_full_snapshot},
};

// docs/qdrant.md has the reasons.
constexpr RpcRow kPlannedRpcs[] = {
    {"/qdrant.Collections/UpdateCollectionClusterSetup", "Moving shards", nullptr},
    {"/qdrant.Collections/CreateShardKey", "Shard keys", nullptr},
    {"/qdrant.Collections/DeleteShardKey", "Shard keys", nullptr},
    {"/qdrant.Collections/ListShardKeys", "Shard keys", nullptr},
};

constexpr RpcRow kPointWriteRpcs[] = {
    {"/qdrant.Points/Upsert", "Insert or replace", rpc::upsert},
    {"/qdrant.Points/Delete", "Delete points", rpc::delete_points},
    {"/qdrant.Points/UpdateVectors", "Replace vectors of points", rpc::update_vectors},
    {"/qdrant.Points/DeleteVectors", "Delete vectors of points", rpc::delete_vectors},
    {"/qdrant.Points/SetPayload", "Set members of payloads", rpc::set_payload},
    {"/qdrant.Points/OverwritePayload", "Replace payloads", rpc::overwrite_payload},
    {"/qdrant.Points/DeletePayload", "Delete keys of payloads", rpc::delete_payload},
    {"/qdrant.Points/ClearPayload", "Empty payloads", rpc::clear_payload},
    {"/qdrant.Points/UpdateBatch", "Several writes in turn", rpc::update_batch},
};

constexpr RpcRow kPointReadRpcs[] = {
    {"/qdrant.Points/Get", "Points by id", rpc::get_points},
    {"/qdrant.Points/Scroll", "Points page by page", rpc::scroll},
    {"/qdrant.Points/Count", "How many points there are", rpc::count},
    {"/qdrant.Points/Facet", "How many points have each value of a key", rpc::facet},
    {"/qdrant.Points/SearchMatrixPairs", "Distances between sampled points, as pairs",
     rpc::matrix_pairs},
    {"/qdrant.Points/SearchMatrixOffsets", "Distances between sampled points, as a matrix",
     rpc::matrix_offsets},
    {"/qdrant.Points/Query", "Points by any query", rpc::query},
    {"/qdrant.Points/QueryBatch", "Several queries", rpc::query_batch},
    {"/qdrant.Points/QueryGroups", "The best points of each value of a key", rpc::query_groups},
    {"/qdrant.Points/Search", "Nearest points", rpc::search},
    {"/qdrant.Points/SearchBatch", "Several searches", rpc::search_batch},
    {"/qdrant.Points/SearchGroups", "The nearest points of each value of a key",
     rpc::search_groups},
    {"/qdrant.Points/Recommend", "Points like some and unlike others", rpc::recommend},
    {"/qdrant.Points/RecommendBatch", "Several recommendations", rpc::recommend_batch},
    {"/qdrant.Points/RecommendGroups", "Recommended points of each value of a key",
     rpc::recommend_groups},
    {"/qdrant.Points/Discover", "Points on the right side of pairs", rpc::discover},
    {"/qdrant.Points/DiscoverBatch", "Several discoveries", rpc::discover_batch},
};

}  // namespace

void add_rpcs(std::vector<Rpc>& rows) {
  const RpcPackage package{.tag = "qdrant", .dialect = &rpc::kRpcDialect};
  const auto add = [&](const RpcKind& kind, std::span<const RpcRow> of) {
    add_rpc_rows(package, kind, of, rows);
  };
  add({"", Execution::kInline, kSmallMessageBytes}, kNodeRpcs);
  add({"collections:read", Execution::kInline, kSmallMessageBytes}, kCollectionReadRpcs);
  add({"collections:write", Execution::kWaiting, kSmallMessageBytes}, kCollectionWriteRpcs);
  add({"snapshots:write", Execution::kWaiting, kSmallMessageBytes}, kSnapshots);
  add({"collections:write", Execution::kInline, kSmallMessageBytes}, kPlannedRpcs);
  add({"points:write", Execution::kWaiting, kBulkMessageBytes}, kPointWriteRpcs);
  add({"points:read", Execution::kCompute, kBulkMessageBytes}, kPointReadRpcs);
}

}  // namespace quipu::api::qdrant
