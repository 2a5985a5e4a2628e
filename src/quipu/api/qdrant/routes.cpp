#include "quipu/api/qdrant/routes.h"

#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"

namespace quipu::api::qdrant {
namespace {

constexpr std::size_t kBulkBytes = std::size_t{64} << 20;

// What the rows of one kind share.
struct Row {
  Method method;
  std::string_view pattern;
  std::string_view name;
  std::string_view summary;
  Handler handler;
};

Route made(const Row& row, std::string_view permission, Execution execution) {
  return {.method = row.method,
          .pattern = row.pattern,
          .name = row.name,
          .permission = permission,
          .tag = "qdrant",
          .summary = row.summary,
          .handler = row.handler,
          .execution = execution,
          .dialect = &kDialect};
}

// A body that the handler reads; its example is the smallest that every such row may be sent.
void take_body(Route& route, std::size_t bytes_max) {
  route.body = {describe_any, nullptr, "{}", ""};
  route.body_bytes_max = bytes_max;
}

// Rows that everybody may ask, about the server.
constexpr Row kNode[] = {
    {Method::kGet, "/", "qdrant_version", "Title and version", version},
    {Method::kGet, "/healthz", "qdrant_healthz", "Whether the server answers", healthz},
    {Method::kGet, "/livez", "qdrant_livez", "Whether the server answers", livez},
    {Method::kGet, "/readyz", "qdrant_readyz", "Whether it can work", readyz},
};

constexpr Row kCollectionReads[] = {
    {Method::kGet, "/collections", "qdrant_collections", "Names of collections", list_collections},
    {Method::kGet, "/collections/{collection}", "qdrant_collection", "A collection",
     get_collection},
    {Method::kGet, "/collections/{collection}/exists", "qdrant_collection_exists",
     "Whether a collection is there", collection_exists},
    {Method::kGet, "/collections/{collection}/cluster", "qdrant_collection_cluster",
     "Where a collection's shards are", collection_cluster},
    {Method::kGet, "/collections/{collection}/aliases", "qdrant_collection_aliases",
     "Other names of a collection", list_collection_aliases},
    {Method::kGet, "/aliases", "qdrant_aliases", "Other names of collections", list_aliases},
};

constexpr Row kCollectionWrites[] = {
    {Method::kPut, "/collections/{collection}", "qdrant_collection_create", "Make a collection",
     create_collection},
    {Method::kPatch, "/collections/{collection}", "qdrant_collection_update",
     "Change a collection's options", update_collection},
    {Method::kDelete, "/collections/{collection}", "qdrant_collection_delete",
     "Drop a collection with all its points", delete_collection},
    {Method::kPost, "/collections/aliases", "qdrant_aliases_update",
     "Change other names of collections together", update_aliases},
};

constexpr Row kIndexWrites[] = {
    {Method::kPut, "/collections/{collection}/index", "qdrant_index_create", "Index a payload key",
     create_index},
    {Method::kDelete, "/collections/{collection}/index/{field_name}", "qdrant_index_delete",
     "Drop the index of a payload key", delete_index},
};

constexpr Row kVectorWrites[] = {
    {Method::kPut, "/collections/{collection}/vectors/{vector}", "qdrant_vector_create",
     "Add a vector to a collection", create_vector_name},
    {Method::kDelete, "/collections/{collection}/vectors/{vector}", "qdrant_vector_delete",
     "Drop a vector of a collection", delete_vector_name},
};

constexpr Row kPointWrites[] = {
    {Method::kPut, "/collections/{collection}/points", "qdrant_points_upsert", "Insert or replace",
     upsert_points},
    {Method::kPost, "/collections/{collection}/points/delete", "qdrant_points_delete",
     "Delete points", delete_points},
    {Method::kPut, "/collections/{collection}/points/vectors", "qdrant_vectors_update",
     "Replace vectors of points", update_vectors},
    {Method::kPost, "/collections/{collection}/points/vectors/delete", "qdrant_vectors_delete",
     "Delete vectors of points", delete_vectors},
    {Method::kPost, "/collections/{collection}/points/payload", "qdrant_payload_set",
     "Set members of payloads", set_payload},
    {Method::kPut, "/collections/{collection}/points/payload", "qdrant_payload_overwrite",
     "Replace payloads", overwrite_payload},
    {Method::kPost, "/collections/{collection}/points/payload/delete", "qdrant_payload_delete",
     "Delete keys of payloads", delete_payload},
    {Method::kPost, "/collections/{collection}/points/payload/clear", "qdrant_payload_clear",
     "Empty payloads", clear_payload},
    {Method::kPost, "/collections/{collection}/points/batch", "qdrant_points_batch",
     "Several writes in turn", update_batch},
};

constexpr Row kPointReads[] = {
    {Method::kPost, "/collections/{collection}/points", "qdrant_points_get", "Points by id",
     get_points},
    {Method::kPost, "/collections/{collection}/points/scroll", "qdrant_points_scroll",
     "Points page by page", scroll_points},
    {Method::kPost, "/collections/{collection}/points/count", "qdrant_points_count",
     "How many points there are", count_points},
    {Method::kPost, "/collections/{collection}/facet", "qdrant_facet",
     "How many points have each value of a key", facet},
    {Method::kPost, "/collections/{collection}/points/search/matrix/pairs", "qdrant_matrix_pairs",
     "Distances between sampled points, as pairs", matrix_pairs},
    {Method::kPost, "/collections/{collection}/points/search/matrix/offsets",
     "qdrant_matrix_offsets", "Distances between sampled points, as a matrix", matrix_offsets},
    {Method::kPost, "/collections/{collection}/points/query", "qdrant_query", "Points by any query",
     query_points},
    {Method::kPost, "/collections/{collection}/points/query/batch", "qdrant_query_batch",
     "Several queries", query_batch},
    {Method::kPost, "/collections/{collection}/points/query/groups", "qdrant_query_groups",
     "The best points of each value of a key", query_groups},
    {Method::kPost, "/collections/{collection}/points/search", "qdrant_search", "Nearest points",
     search_points},
    {Method::kPost, "/collections/{collection}/points/search/batch", "qdrant_search_batch",
     "Several searches", search_batch},
    {Method::kPost, "/collections/{collection}/points/search/groups", "qdrant_search_groups",
     "The nearest points of each value of a key", search_groups},
    {Method::kPost, "/collections/{collection}/points/recommend", "qdrant_recommend",
     "Points like some and unlike others", recommend_points},
    {Method::kPost, "/collections/{collection}/points/recommend/batch", "qdrant_recommend_batch",
     "Several recommendations", recommend_batch},
    {Method::kPost, "/collections/{collection}/points/recommend/groups", "qdrant_recommend_groups",
     "Recommended points of each value of a key", recommend_groups},
    {Method::kPost, "/collections/{collection}/points/discover", "qdrant_discover",
     "Points on the right side of pairs", discover_points},
    {Method::kPost, "/collections/{collection}/points/discover/batch", "qdrant_discover_batch",
     "Several discoveries", discover_batch},
};

constexpr Row kSnapshotRows[] = {
    {Method::kGet, "/collections/{collection}/snapshots", "qdrant_snapshots",
     "Snapshots of a collection", list_snapshots},
    {Method::kPost, "/collections/{collection}/snapshots", "qdrant_snapshot_create",
     "Take a snapshot of a collection", create_snapshot},
    {Method::kGet, "/collections/{collection}/snapshots/{snapshot}", "qdrant_snapshot",
     "A snapshot's file", fetch_snapshot},
    {Method::kDelete, "/collections/{collection}/snapshots/{snapshot}", "qdrant_snapshot_delete",
     "Delete a snapshot", delete_snapshot},
    {Method::kPut, "/collections/{collection}/snapshots/recover", "qdrant_snapshot_recover",
     "Put a snapshot in a collection's place", recover_snapshot},
    {Method::kPost, "/collections/{collection}/snapshots/upload", "qdrant_snapshot_upload",
     "Send a snapshot and put it in a collection's place", upload_snapshot},
};

struct Planned {
  Method method;
  std::string_view pattern;
  std::string_view summary;
};

// What docs/qdrant.md lists with its reasons. They answer 501.
constexpr Planned kPlanned[] = {
    {Method::kGet, "/collections/{collection}/optimizations", "Progress of optimizations"},
    {Method::kGet, "/snapshots", "Snapshots of everything in Qdrant's format"},
    {Method::kPost, "/snapshots", "Snapshots of everything in Qdrant's format"},
    {Method::kGet, "/snapshots/{snapshot}", "Snapshots of everything in Qdrant's format"},
    {Method::kDelete, "/snapshots/{snapshot}", "Snapshots of everything in Qdrant's format"},
    {Method::kGet, "/collections/{collection}/shards", "Shard keys"},
    {Method::kPut, "/collections/{collection}/shards", "Shard keys"},
    {Method::kPost, "/collections/{collection}/shards/delete", "Shard keys"},
    {Method::kGet, "/collections/{collection}/shards/{shard}/snapshot", "Snapshots of a shard"},
    {Method::kGet, "/collections/{collection}/shards/{shard}/snapshots", "Snapshots of a shard"},
    {Method::kPost, "/collections/{collection}/shards/{shard}/snapshots", "Snapshots of a shard"},
    {Method::kPut, "/collections/{collection}/shards/{shard}/snapshots/recover",
     "Snapshots of a shard"},
    {Method::kPost, "/collections/{collection}/shards/{shard}/snapshots/upload",
     "Snapshots of a shard"},
    {Method::kGet, "/collections/{collection}/shards/{shard}/snapshots/{snapshot}",
     "Snapshots of a shard"},
    {Method::kDelete, "/collections/{collection}/shards/{shard}/snapshots/{snapshot}",
     "Snapshots of a shard"},
    {Method::kPost, "/collections/{collection}/cluster", "Moving shards"},
    {Method::kPost, "/cluster/recover", "Recovery of a peer"},
    {Method::kDelete, "/cluster/peer/{peer}", "Removing a peer"},
    {Method::kGet, "/cluster/telemetry", "Telemetry of all peers"},
    {Method::kGet, "/quotas", "Quotas"},
    {Method::kPut, "/quotas", "Quotas"},
    {Method::kGet, "/issues", "Performance issues"},
    {Method::kDelete, "/issues", "Performance issues"},
};

void add_node(std::vector<Route>& routes) {
  for (const Row& row : kNode) routes.push_back(made(row, "", Execution::kInline));
  routes.push_back(
      made({Method::kGet, "/telemetry", "qdrant_telemetry", "What the server is doing", telemetry},
           "system:read", Execution::kInline));
  routes.back().query = {{"anonymize", ParameterKind::kFlag, "There is nothing to hide."},
                         {"details_level", ParameterKind::kText, "There is one level."},
                         {"per_collection", ParameterKind::kFlag, "There are no such details."}};
  routes.back().query.push_back(timeout_parameter().front());
  routes.push_back(
      made({Method::kGet, "/cluster", "qdrant_cluster", "Whether there is a cluster", cluster},
           "system:read", Execution::kInline));
}

void add_collections(std::vector<Route>& routes) {
  for (const Row& row : kCollectionReads) {
    routes.push_back(made(row, "collections:read", Execution::kInline));
  }
  for (const Row& row : kCollectionWrites) {
    Route& route = routes.emplace_back(made(row, "collections:write", Execution::kWaiting));
    route.query = timeout_parameter();
    if (row.method != Method::kDelete) take_body(route, std::size_t{2} << 20);
  }
  for (const Row& row : kIndexWrites) {
    Route& route = routes.emplace_back(made(row, "collections:write", Execution::kWaiting));
    route.query = write_parameters();
    if (row.method != Method::kDelete) take_body(route, std::size_t{1} << 20);
  }
  for (const Row& row : kVectorWrites) {
    Route& route = routes.emplace_back(made(row, "collections:write", Execution::kWaiting));
    route.query = write_parameters();
    if (row.method != Method::kDelete) take_body(route, std::size_t{1} << 20);
  }
}

void add_snapshots(std::vector<Route>& routes) {
  for (const Row& row : kSnapshotRows) {
    Route& route = routes.emplace_back(made(row, "snapshots:write", Execution::kWaiting));
    if (row.method != Method::kGet) {
      route.query = {{"wait", ParameterKind::kFlag, "Whether to answer when it is done."}};
    }
    if (row.handler == recover_snapshot) take_body(route, std::size_t{1} << 20);
    if (row.handler != upload_snapshot) continue;
    route.upload_type = "multipart/form-data";
    route.query.push_back({"priority", ParameterKind::kText, "There is one node: all the same."});
    route.query.push_back({"checksum", ParameterKind::kText, "What the file's SHA-256 must be."});
  }
}

void add_points(std::vector<Route>& routes) {
  for (const Row& row : kPointWrites) {
    Route& route = routes.emplace_back(made(row, "points:write", Execution::kWaiting));
    route.query = write_parameters();
    take_body(route, kBulkBytes);
  }
  for (const Row& row : kPointReads) {
    Route& route = routes.emplace_back(made(row, "points:read", Execution::kCompute));
    route.query = read_parameters();
    take_body(route, kBulkBytes);
  }
  Route& one = routes.emplace_back(made({Method::kGet, "/collections/{collection}/points/{id}",
                                         "qdrant_point_get", "One point", get_point},
                                        "points:read", Execution::kInline));
  one.query = read_parameters();
}

}  // namespace

void add_routes(std::vector<Route>& routes) {
  add_node(routes);
  add_collections(routes);
  add_snapshots(routes);
  add_points(routes);
  for (const Planned& planned : kPlanned) {
    routes.push_back({.method = planned.method,
                      .pattern = planned.pattern,
                      .name = planned.pattern,
                      .summary = planned.summary,
                      .dialect = &kDialect});
  }
}

}  // namespace quipu::api::qdrant
