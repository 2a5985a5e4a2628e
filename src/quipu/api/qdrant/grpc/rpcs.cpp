#include "quipu/api/qdrant/grpc/rpcs.h"

#include "quipu/api/qdrant/grpc/handlers.h"
#include "quipu/api/qdrant/grpc/rpc_call.h"

namespace quipu::api::qdrant {
namespace {

constexpr std::size_t kBulkBytes = std::size_t{64} << 20;
constexpr std::size_t kSmallBytes = std::size_t{2} << 20;

struct Row {
  std::string_view pattern;
  std::string_view summary;
  Handler handler;
};

struct Kind {
  std::string_view permission;
  Execution execution;
  std::size_t body_bytes_max;
};

constexpr Row kNode[] = {
    {"/qdrant.Qdrant/HealthCheck", "Title and version", rpc::health_check},
};

constexpr Row kCollectionReads[] = {
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

constexpr Row kCollectionWrites[] = {
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

constexpr Row kSnapshots[] = {
    {"/qdrant.Snapshots/Create", "Snapshots of a collection", rpc::create_snapshot},
    {"/qdrant.Snapshots/List", "Snapshots of a collection", rpc::list_snapshots},
    {"/qdrant.Snapshots/Delete", "Snapshots of a collection", rpc::delete_snapshot},
    {"/qdrant.Snapshots/CreateFull", "Snapshots of everything", rpc::create_full_snapshot},
    {"/qdrant.Snapshots/ListFull", "Snapshots of everything", rpc::list_full_snapshots},
    {"/qdrant.Snapshots/DeleteFull", "Snapshots of everything", rpc::delete_full_snapshot},
};

// docs/qdrant.md has the reasons.
constexpr Row kPlanned[] = {
    {"/qdrant.Collections/UpdateCollectionClusterSetup", "Moving shards", nullptr},
    {"/qdrant.Collections/CreateShardKey", "Shard keys", nullptr},
    {"/qdrant.Collections/DeleteShardKey", "Shard keys", nullptr},
    {"/qdrant.Collections/ListShardKeys", "Shard keys", nullptr},
};

constexpr Row kPointWrites[] = {
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

constexpr Row kPointReads[] = {
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

template <std::size_t N>
void add(std::vector<Rpc>& rows, const Row (&of)[N], const Kind& kind) {
  for (const Row& row : of) {
    Rpc& made = rows.emplace_back();
    made.row.method = Method::kPost;
    made.row.pattern = row.pattern;
    made.row.name = row.pattern.substr(1);
    made.row.permission = kind.permission;
    made.row.tag = "qdrant";
    made.row.summary = row.summary;
    made.row.handler = row.handler;
    made.row.execution = kind.execution;
    made.row.body_bytes_max = kind.body_bytes_max;
    made.row.dialect = &rpc::kRpcDialect;
  }
}

}  // namespace

void add_rpcs(std::vector<Rpc>& rows) {
  add(rows, kNode, {"", Execution::kInline, kSmallBytes});
  add(rows, kCollectionReads, {"collections:read", Execution::kInline, kSmallBytes});
  add(rows, kCollectionWrites, {"collections:write", Execution::kWaiting, kSmallBytes});
  add(rows, kSnapshots, {"snapshots:write", Execution::kWaiting, kSmallBytes});
  add(rows, kPlanned, {"collections:write", Execution::kInline, kSmallBytes});
  add(rows, kPointWrites, {"points:write", Execution::kWaiting, kBulkBytes});
  add(rows, kPointReads, {"points:read", Execution::kCompute, kBulkBytes});
}

}  // namespace quipu::api::qdrant
