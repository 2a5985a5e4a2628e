#include "quipu/api/rest/routes.h"

#include <vector>

#include "quipu/api/rest/handlers.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

constexpr std::size_t kBulkBytes = limits::kRequestBytesMax;
constexpr std::string_view kCollectionPattern = "/v1/collections/{collection}";
constexpr std::string_view kPointPattern = "/v1/collections/{collection}/points/{id}";

std::vector<QueryParameter> select_parameters() {
  return {{"with_payload", ParameterKind::kFlag, "true unless given."},
          {"with_text", ParameterKind::kFlag, "true unless given."},
          {"with_vector", ParameterKind::kFlag, "false unless given."}};
}

std::vector<QueryParameter> cache_parameter() {
  return {
      {"cache", ParameterKind::kFlag, "Whether the query cache may answer: true unless given."}};
}

std::vector<QueryParameter> collection_parameter() {
  return {{"collection", ParameterKind::kText,
           "The memory collection of the configuration unless given."}};
}

void add_system(std::vector<Route>& routes) {
  const auto get = [&](std::string_view pattern, std::string_view name, std::string_view summary,
                       Handler handler, std::string_view response) {
    routes.push_back({.method = Method::kGet,
                      .pattern = pattern,
                      .name = name,
                      .permission = "",
                      .tag = "system",
                      .summary = summary,
                      .handler = handler,
                      .response = response});
    return &routes.back();
  };
  get("/health", "health", "How the server is", health, "Health");
  get("/health/live", "health_live", "Whether the process answers", health_live, "Health");
  get("/health/ready", "health_ready", "Whether requests can be served", health_ready, "Health");
  get("/health/startup", "health_startup", "Whether the start is over", health_startup, "Health");
  get("/status", "status", "Sizes, queues and state", status, "Status")->permission = "system:read";
  Route* text = get("/metrics", "metrics", "Metrics as Prometheus reads them", metrics, "");
  text->permission = "system:read";
  text->response_type = "text/plain";
  text->execution = Execution::kCompute;
  get("/openapi.json", "openapi", "This document", openapi, "");
  get("/docs", "docs", "This document as a page", docs, "")->response_type = "text/html";
  get("/v1/config", "config", "The configuration in force, without secrets", config, "")
      ->permission = "system:read";
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/snapshots",
                    .name = "snapshot_create",
                    .permission = "system:write",
                    .tag = "system",
                    .summary = "Copy everything, as of one moment, into a folder beside the data",
                    .handler = snapshot,
                    .execution = Execution::kWaiting,
                    .body = {describe_snapshot, nullptr, R"({"name":"monday"})", ""},
                    .success = 201,
                    .response = "Snapshot"});
}

void add_collections(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kGet,
                    .pattern = "/v1/collections",
                    .name = "collections_list",
                    .permission = "collections:read",
                    .tag = "collections",
                    .summary = "All collections, by name",
                    .handler = list_collections,
                    .execution = Execution::kCompute,
                    .response = "Collections"});
  routes.push_back({.method = Method::kPut,
                    .pattern = kCollectionPattern,
                    .name = "collection_create",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Make a collection; 409 when it is there",
                    .handler = create_collection,
                    .execution = Execution::kWaiting,
                    .body = {describe_create_collection, nullptr,
                             R"({"vectors":[{"dim":4,"metric":"cosine"},)"
                             R"({"name":"terms","kind":"sparse","idf":true}],)"
                             R"("words":[{"name":"words","analyzer":{"language":"english"}}],)"
                             R"("payload_indexes":[{"key":"page","kind":"integer"}]})",
                             ""},
                    .success = 201,
                    .response = "Collection"});
  routes.push_back({.method = Method::kGet,
                    .pattern = kCollectionPattern,
                    .name = "collection_get",
                    .permission = "collections:read",
                    .tag = "collections",
                    .summary = "A collection and how it stands",
                    .handler = get_collection,
                    .execution = Execution::kCompute,
                    .response = "Collection"});
  routes.push_back({.method = Method::kPatch,
                    .pattern = kCollectionPattern,
                    .name = "collection_update",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Change what may change after creation",
                    .handler = update_collection,
                    .execution = Execution::kWaiting,
                    .body = {describe_update_collection, nullptr, R"({"durability":"async"})", ""},
                    .response = "Collection"});
  routes.push_back({.method = Method::kDelete,
                    .pattern = kCollectionPattern,
                    .name = "collection_drop",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Remove a collection with all that is in it",
                    .handler = drop_collection,
                    .execution = Execution::kWaiting,
                    .response = "Dropped"});
}

void add_vectors(std::vector<Route>& routes) {
  constexpr std::string_view kVectors = "/v1/collections/{collection}/vectors";
  constexpr std::string_view kVector = "/v1/collections/{collection}/vectors/{vector}";
  routes.push_back({.method = Method::kPost,
                    .pattern = kVectors,
                    .name = "vectors_change",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Add, drop and rename vectors of a collection, all or none",
                    .handler = change_vectors,
                    .execution = Execution::kWaiting,
                    .body = {describe_change_vectors, nullptr,
                             R"({"changes":[{"add":{"name":"next","dim":8}}]})", ""},
                    .response = "Collection"});
  routes.push_back({.method = Method::kPut,
                    .pattern = kVector,
                    .name = "vector_add",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Add a vector to a collection; points have it when they are next "
                               "given one",
                    .handler = add_vector,
                    .execution = Execution::kWaiting,
                    .body = {describe_add_vector, nullptr, R"({"dim":4,"metric":"dot"})", ""},
                    .success = 201,
                    .response = "Collection"});
  routes.push_back({.method = Method::kDelete,
                    .pattern = kVector,
                    .name = "vector_drop",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Drop a vector with all that points have of it",
                    .handler = drop_vector,
                    .execution = Execution::kWaiting,
                    .response = "Collection"});
}

void add_collection_snapshots(std::vector<Route>& routes) {
  constexpr std::string_view kSnapshots = "/v1/collections/{collection}/snapshots";
  constexpr std::string_view kOne = "/v1/collections/{collection}/snapshots/{snapshot}";
  const auto add = [&routes](Method method, std::string_view pattern, std::string_view name,
                             std::string_view summary, Handler handler) -> Route& {
    return routes.emplace_back(Route{.method = method,
                                     .pattern = pattern,
                                     .name = name,
                                     .permission = "snapshots:write",
                                     .tag = "snapshots",
                                     .summary = summary,
                                     .handler = handler,
                                     .execution = Execution::kWaiting,
                                     .response = "CollectionSnapshot"});
  };
  add(Method::kGet, kSnapshots, "collection_snapshots_list", "The snapshots of a collection",
      list_collection_snapshots)
      .response = "CollectionSnapshots";
  add(Method::kPost, kSnapshots, "collection_snapshot_make",
      "Write a collection, as of one moment, into a file", make_collection_snapshot)
      .success = 201;
  Route& fetched = add(Method::kGet, kOne, "collection_snapshot_fetch", "A snapshot's file",
                       fetch_collection_snapshot);
  fetched.response = "";
  fetched.response_type = "application/octet-stream";
  Route& sent = add(Method::kPut, kOne, "collection_snapshot_send",
                    "Put a snapshot of elsewhere beside the others", send_collection_snapshot);
  sent.success = 201;
  sent.upload_type = "application/octet-stream";
  add(Method::kDelete, kOne, "collection_snapshot_delete", "Delete a snapshot",
      delete_collection_snapshot)
      .response = "Dropped";
  Route& recovery =
      add(Method::kPost, "/v1/collections/{collection}/snapshots:recover", "collection_recover",
          "Make a collection of a snapshot, or put it in the place of one", recover_collection);
  recovery.body = {describe_recover_collection, nullptr, R"({"snapshot":"kept.snapshot"})", ""};
  recovery.response = "Collection";
}

void add_aliases(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kGet,
                    .pattern = "/v1/aliases",
                    .name = "aliases_list",
                    .permission = "collections:read",
                    .tag = "collections",
                    .summary = "Other names of collections, by name",
                    .handler = list_aliases,
                    .response = "Aliases"});
  routes.push_back({.method = Method::kGet,
                    .pattern = "/v1/collections/{collection}/aliases",
                    .name = "collection_aliases",
                    .permission = "collections:read",
                    .tag = "collections",
                    .summary = "Other names of a collection",
                    .handler = list_collection_aliases,
                    .response = "Aliases"});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/aliases",
                    .name = "aliases_change",
                    .permission = "collections:write",
                    .tag = "collections",
                    .summary = "Make, move, rename and delete other names of collections, together",
                    .handler = change_aliases,
                    .execution = Execution::kWaiting,
                    .body = {describe_change_aliases, nullptr,
                             R"({"changes":[{"action":"put","alias":"live",)"
                             R"("collection":"contract"},{"action":"delete","alias":"old",)"
                             R"("if_there":true}]})",
                             ""},
                    .response = "AliasesChanged",
                    .body_bytes_max = std::size_t{8} << 20});
}

void add_point_writes(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kPut,
                    .pattern = "/v1/collections/{collection}/points",
                    .name = "points_upsert",
                    .permission = "points:write",
                    .tag = "points",
                    .summary = "Write one point, or many; what is there is replaced",
                    .handler = upsert_points,
                    .execution = Execution::kWaiting,
                    .body = {describe_upsert, describe_upsert_line,
                             R"({"points":[{"id":1,"vector":[1,0,0,0],"payload":{"page":7}}]})",
                             R"({"id":2,"vector":[0,1,0,0]})"},
                    .idempotent = true,
                    .response = "Written",
                    .body_bytes_max = kBulkBytes});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/points:delete",
                    .name = "points_delete",
                    .permission = "points:write",
                    .tag = "points",
                    .summary = "Delete points by their ids, or all that match a filter",
                    .handler = delete_points,
                    .execution = Execution::kWaiting,
                    .body = {describe_delete_points, nullptr, R"({"ids":[900,901]})", ""},
                    .idempotent = true,
                    .response = "WrittenEither"});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/points:patch",
                    .name = "points_patch",
                    .permission = "points:write",
                    .tag = "points",
                    .summary = "Change parts of points, or of all that match a filter",
                    .handler = patch_points,
                    .execution = Execution::kWaiting,
                    .body = {describe_patch_points, nullptr,
                             R"({"points":[{"id":1,"set_payload":{"page":8}}]})", ""},
                    .idempotent = true,
                    .response = "WrittenEither",
                    .body_bytes_max = kBulkBytes});
}

void add_point_reads(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/points:get",
                    .name = "points_get",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "Read points by their ids, in the request's order",
                    .handler = get_points,
                    .execution = Execution::kCompute,
                    .body = {describe_get_points, nullptr, R"({"ids":[1,2]})", ""},
                    .min_seq = true,
                    .response = "Points"});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/points:scroll",
                    .name = "points_scroll",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "Read all points, page by page, by ascending ids or by a value",
                    .handler = scroll_points,
                    .execution = Execution::kCompute,
                    .body = {describe_scroll, nullptr, R"({"limit":10})", ""},
                    .min_seq = true,
                    .response = "Scrolled"});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/points:count",
                    .name = "points_count",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "How many points there are",
                    .handler = count_points,
                    .execution = Execution::kCompute,
                    .body = {describe_count, nullptr, "{}", ""},
                    .min_seq = true,
                    .response = "Count"});
}

void add_single_points(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kGet,
                    .pattern = kPointPattern,
                    .name = "point_get",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "Read one point",
                    .handler = get_point,
                    .execution = Execution::kInline,
                    .min_seq = true,
                    .query = select_parameters(),
                    .response = "Point"});
  routes.push_back({.method = Method::kPatch,
                    .pattern = kPointPattern,
                    .name = "point_patch",
                    .permission = "points:write",
                    .tag = "points",
                    .summary = "Change parts of one point; If-Match takes its version",
                    .handler = patch_point,
                    .execution = Execution::kWaiting,
                    .body = {describe_patch_point, nullptr, R"({"set_payload":{"page":9}})", ""},
                    .idempotent = true,
                    .response = "Written",
                    .body_bytes_max = std::size_t{4} << 20});
  routes.push_back({.method = Method::kDelete,
                    .pattern = kPointPattern,
                    .name = "point_delete",
                    .permission = "points:write",
                    .tag = "points",
                    .summary = "Delete one point; If-Match takes its version",
                    .handler = delete_point,
                    .execution = Execution::kWaiting,
                    .idempotent = true,
                    .response = "Written"});
}

void add_search(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/search",
                    .name = "search",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "Find the nearest points, for one query or several",
                    .handler = search,
                    .execution = Execution::kCompute,
                    .body = {describe_search, nullptr, R"({"vector":[1,0,0,0],"k":3})", ""},
                    .min_seq = true,
                    .query = cache_parameter(),
                    .response = "SearchResults",
                    .body_bytes_max = kBulkBytes});
}

void add_search_several(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/search",
                    .name = "search_several",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "Search in several collections, for one query or several",
                    .handler = search_several,
                    .execution = Execution::kCompute,
                    .body = {describe_search_several, nullptr,
                             R"({"collections":["contract"],"vector":[1,0,0,0],"k":3})", ""},
                    .min_seq = true,
                    .query = cache_parameter(),
                    .response = "SeveralResults",
                    .body_bytes_max = kBulkBytes});
}

void add_queries(std::vector<Route>& routes) {
  routes.push_back(
      {.method = Method::kPost,
       .pattern = "/v1/collections/{collection}/query",
       .name = "query",
       .permission = "points:read",
       .tag = "points",
       .summary = "Ask in the query language: stages, fusions, formulas; one query or several",
       .handler = query,
       .execution = Execution::kCompute,
       .body = {describe_query, nullptr,
                R"({"prefetch":[{"query":[1,0,0,0],"limit":20},{"query":{"recommend":)"
                R"({"positive":[1],"negative":[2]}},"filter":{"must_not":[{"has_id":[9]}]}}],)"
                R"("query":{"rrf":{"k":60}},"limit":3})",
                ""},
       .min_seq = true,
       .query = cache_parameter(),
       .response = "SearchResults",
       .body_bytes_max = kBulkBytes});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/query/groups",
                    .name = "query_groups",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "The best hits of each value of a payload key",
                    .handler = query_groups,
                    .execution = Execution::kWaiting,
                    .body = {describe_query_groups, nullptr,
                             R"({"query":[1,0,0,0],"group_by":"page","group_size":2})", ""},
                    .min_seq = true,
                    .query = cache_parameter(),
                    .response = "Groups",
                    .body_bytes_max = kBulkBytes});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/facet",
                    .name = "facet",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "How many points have each value of a payload key",
                    .handler = facet,
                    .execution = Execution::kWaiting,
                    .body = {describe_facet, nullptr, R"({"key":"page","limit":5})", ""},
                    .min_seq = true,
                    .response = "Facets"});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/collections/{collection}/matrix",
                    .name = "matrix",
                    .permission = "points:read",
                    .tag = "points",
                    .summary = "Of a sample of the points, the nearest of the sample to each",
                    .handler = matrix,
                    .execution = Execution::kWaiting,
                    .body = {describe_matrix, nullptr, R"({"sample":10,"limit":2})", ""},
                    .min_seq = true,
                    .response = "MatrixPairs"});
}

void add_memory(std::vector<Route>& routes) {
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/memory/records",
                    .name = "memory_remember",
                    .permission = "memory:write",
                    .tag = "memory",
                    .summary = "Remember a text, or several",
                    .handler = remember,
                    .execution = Execution::kWaiting,
                    .body = {describe_remember, describe_remember_line,
                             R"({"text":"The spare key is under the third flowerpot.","id":1})",
                             R"({"text":"Water the third flowerpot on Mondays.","id":2})"},
                    .idempotent = true,
                    .response = "RememberedOneOrMany",
                    .body_bytes_max = kBulkBytes});
  routes.push_back({.method = Method::kGet,
                    .pattern = "/v1/memory/records/{id}",
                    .name = "memory_get",
                    .permission = "memory:read",
                    .tag = "memory",
                    .summary = "Read a record",
                    .handler = get_record,
                    .execution = Execution::kInline,
                    .min_seq = true,
                    .query = collection_parameter(),
                    .response = "Record"});
  routes.push_back({.method = Method::kDelete,
                    .pattern = "/v1/memory/records/{id}",
                    .name = "memory_forget",
                    .permission = "memory:write",
                    .tag = "memory",
                    .summary = "Forget a record",
                    .handler = forget_record,
                    .execution = Execution::kWaiting,
                    .query = collection_parameter(),
                    .response = "Forgotten"});
  routes.push_back({.method = Method::kPost,
                    .pattern = "/v1/memory/records:forget",
                    .name = "memory_forget_many",
                    .permission = "memory:write",
                    .tag = "memory",
                    .summary = "Forget several records",
                    .handler = forget_records,
                    .execution = Execution::kWaiting,
                    .body = {describe_forget, nullptr, R"({"ids":[900,901]})", ""},
                    .response = "Forgotten"});
  routes.push_back(
      {.method = Method::kPost,
       .pattern = "/v1/memory/recall",
       .name = "memory_recall",
       .permission = "memory:read",
       .tag = "memory",
       .summary = "Find what was remembered, by meaning",
       .handler = recall,
       .execution = Execution::kWaiting,
       .body = {describe_recall, nullptr, R"({"query":"where is the key?","k":3})", ""},
       .min_seq = true,
       .response = "Recalled"});
}

void add_embedding(std::vector<Route>& routes) {
  Route embed_route{.method = Method::kPost,
                    .pattern = "/v1/embed",
                    .name = "embed",
                    .permission = "embed:use",
                    .tag = "embedding",
                    .summary = "Turn texts into vectors",
                    .handler = embed,
                    .execution = Execution::kWaiting,
                    .body = {describe_embed, nullptr, R"({"texts":["to be embedded"]})", ""},
                    .response = "Embeddings",
                    .body_bytes_max = std::size_t{40} << 20};
  routes.push_back(embed_route);
  embed_route.pattern = "/embed";
  embed_route.name = "embed_root";
  routes.push_back(std::move(embed_route));
  routes.push_back(
      {.method = Method::kPost,
       .pattern = "/v1/rerank",
       .name = "rerank",
       .permission = "embed:use",
       .tag = "embedding",
       .summary = "Rank texts by how well they answer a query",
       .handler = rerank,
       .execution = Execution::kWaiting,
       .body =
           {describe_rerank, nullptr,
            R"({"query":"where is the key?","documents":["there"],"model":"bge-reranker-base"})",
            ""},
       .response = "Reranked",
       .body_bytes_max = std::size_t{40} << 20});
  routes.push_back({.method = Method::kGet,
                    .pattern = "/v1/models",
                    .name = "models_list",
                    .permission = "embed:use",
                    .tag = "embedding",
                    .summary = "The models that are there",
                    .handler = models,
                    .execution = Execution::kWaiting,
                    .response = "Models"});
}

struct Planned {
  Method method;
  std::string_view pattern;
  std::string_view summary;
};

// Paths of the design that later work builds. They answer 501 until then.
constexpr Planned kPlanned[] = {
    {Method::kGet, "/v1/snapshots", "List snapshots"},
    {Method::kGet, "/v1/collections/{collection}/indexes", "Payload indexes"},
    {Method::kPut, "/v1/collections/{collection}/indexes", "Payload indexes"},
    {Method::kGet, "/v1/collections/{collection}/edges", "Edges between points"},
    {Method::kPost, "/v1/collections/{collection}/edges", "Edges between points"},
    {Method::kPost, "/v1/collections/{collection}/graph/{operation}", "Walks over edges"},
    {Method::kPost, "/v1/collections/{collection}/grid/{operation}", "Search by place"},
    {Method::kGet, "/v1/collections/{collection}/policy", "Rules for operations"},
    {Method::kPut, "/v1/collections/{collection}/policy", "Rules for operations"},
    {Method::kPost, "/v1/collections/{collection}/experience", "Learning from outcomes"},
    {Method::kGet, "/v1/collections/{collection}/reflexes", "Learned reactions"},
    {Method::kPatch, "/v1/memory/records/{id}", "Change a record"},
    {Method::kPost, "/v1/memory/records:batch", "Several memory operations at once"},
    {Method::kPost, "/v1/memory/records:move", "Move records between layers"},
    {Method::kPost, "/v1/memory/records:pin", "Keep records from expiry"},
    {Method::kPost, "/v1/memory/records:explain", "Why a record is in its layer"},
    {Method::kPost, "/v1/memory/feedback", "Say what was useful"},
    {Method::kPost, "/v1/memory/promote", "Run a promotion cycle"},
    {Method::kGet, "/v1/memory/stats", "Memory statistics"},
    {Method::kGet, "/v1/memory/policy", "Memory policy"},
    {Method::kPut, "/v1/memory/policy", "Memory policy"},
    {Method::kGet, "/v1/tasks", "Tasks"},
    {Method::kPost, "/v1/tasks", "Tasks"},
    {Method::kGet, "/v1/tasks/{id}", "Tasks"},
    {Method::kPatch, "/v1/tasks/{id}", "Tasks"},
    {Method::kGet, "/v1/jobs/{id}", "Progress of long work"},
    {Method::kDelete, "/v1/jobs/{id}", "Cancel long work"},
    {Method::kGet, "/v1/events", "Change events"},
    {Method::kGet, "/ws", "Change events over WebSocket"},
    {Method::kPost, "/v1/tokenize", "Token ids of a text"},
    {Method::kPost, "/v1/embed_sparse", "Sparse vectors of texts"},
    {Method::kPost, "/v1/embeddings", "Embeddings as OpenAI's clients ask for them"},
    {Method::kGet, "/v1/backups", "Backups"},
    {Method::kPost, "/v1/backups", "Backups"},
    {Method::kGet, "/v1/cluster", "Members and replicas"},
    {Method::kGet, "/v1/tenants", "Tenants"},
    {Method::kPost, "/v1/tenants", "Tenants"},
    {Method::kGet, "/v1/users", "Users"},
    {Method::kPost, "/v1/users", "Users"},
    {Method::kGet, "/v1/keys", "API keys"},
    {Method::kPost, "/v1/keys", "API keys"},
    {Method::kPost, "/v1/auth/token", "Sign in"},
    {Method::kPost, "/v1/auth/refresh", "Renew a token"},
    {Method::kGet, "/v1/audit", "The audit log"},
    {Method::kGet, "/v1/health/deep", "A thorough check of everything"},
    {Method::kGet, "/debug/profile", "CPU and heap profiles"},
    {Method::kGet, "/debug/trace", "Recent traces"},
    {Method::kPost, "/mcp", "Tools for agents over MCP"},
    {Method::kGet, "/dashboard", "The dashboard"},
    {Method::kGet, "/api/v1/collections", "Compatible adapters: collections"},
    {Method::kPost, "/api/v1/tokens", "Compatible adapters: tokens"},
};

std::vector<Route> make_routes() {
  std::vector<Route> routes;
  routes.reserve(128);
  add_system(routes);
  add_collections(routes);
  add_vectors(routes);
  add_collection_snapshots(routes);
  add_aliases(routes);
  add_point_writes(routes);
  add_point_reads(routes);
  add_single_points(routes);
  add_search(routes);
  add_search_several(routes);
  add_queries(routes);
  add_memory(routes);
  add_embedding(routes);
  for (const Planned& planned : kPlanned) {
    routes.push_back({.method = planned.method,
                      .pattern = planned.pattern,
                      .name = planned.pattern,
                      .summary = planned.summary});
  }
  return routes;
}

}  // namespace

std::span<const Route> routes() {
  static const std::vector<Route> table = make_routes();
  return table;
}

}  // namespace quipu::api::rest
