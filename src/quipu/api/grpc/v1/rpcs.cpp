#include "quipu/api/grpc/v1/rpcs.h"

#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

constexpr std::size_t kBulkBytes = limits::kRequestBytesMax;
constexpr std::size_t kSmallBytes = std::size_t{2} << 20;

struct Row {
  std::string_view pattern;
  std::string_view summary;
  Handler handler;
  std::string_view permission;
  Execution execution;
  std::size_t body_bytes_max;
  bool stream = false;
};

constexpr Row kRows[] = {
    {"/quipu.v1.Collections/List", "All collections", list_collections, "collections:read",
     Execution::kInline, kSmallBytes},
    {"/quipu.v1.Collections/Create", "Make a collection", create_collection, "collections:write",
     Execution::kWaiting, kSmallBytes},
    {"/quipu.v1.Collections/Get", "One collection", get_collection, "collections:read",
     Execution::kInline, kSmallBytes},
    {"/quipu.v1.Collections/Update", "Change a collection", update_collection, "collections:write",
     Execution::kWaiting, kSmallBytes},
    {"/quipu.v1.Collections/Delete", "Drop a collection with all its points", delete_collection,
     "collections:write", Execution::kWaiting, kSmallBytes},
    {"/quipu.v1.Points/Upsert", "Insert or replace points", upsert, "points:write",
     Execution::kWaiting, kBulkBytes},
    {"/quipu.v1.Points/StreamUpsert", "Insert or replace points, message by message", upsert,
     "points:write", Execution::kWaiting, kBulkBytes, true},
    {"/quipu.v1.Points/Patch", "Change points", patch, "points:write", Execution::kWaiting,
     kBulkBytes},
    {"/quipu.v1.Points/Delete", "Delete points", delete_points, "points:write", Execution::kWaiting,
     kSmallBytes},
    {"/quipu.v1.Points/DeleteByFilter", "Delete all points that match", delete_by_filter,
     "points:write", Execution::kWaiting, kSmallBytes},
    {"/quipu.v1.Points/Get", "Points by id", get_points, "points:read", Execution::kCompute,
     kSmallBytes},
    {"/quipu.v1.Points/Scroll", "Points page by page", scroll, "points:read", Execution::kCompute,
     kSmallBytes},
    {"/quipu.v1.Points/Count", "How many points there are", count, "points:read",
     Execution::kCompute, kSmallBytes},
    {"/quipu.v1.Search/Search", "Nearest points", search, "points:read", Execution::kCompute,
     kSmallBytes},
    {"/quipu.v1.Search/StreamSearch", "Nearest points, message by message", search, "points:read",
     Execution::kCompute, kSmallBytes, true},
    {"/quipu.v1.Search/Query", "Points by any query", query, "points:read", Execution::kCompute,
     kBulkBytes},
    {"/quipu.v1.Search/QueryGroups", "The best points of each value of a key", query_groups,
     "points:read", Execution::kCompute, kBulkBytes},
    {"/quipu.v1.Search/Facet", "How many points have each value of a key", facet, "points:read",
     Execution::kCompute, kSmallBytes},
};

}  // namespace

void add_rpcs(std::vector<Rpc>& rows) {
  for (const Row& row : kRows) {
    Rpc& made = rows.emplace_back();
    made.row.method = Method::kPost;
    made.row.pattern = row.pattern;
    made.row.name = row.pattern.substr(1);
    made.row.permission = row.permission;
    made.row.tag = "quipu";
    made.row.summary = row.summary;
    made.row.handler = row.handler;
    made.row.execution = row.execution;
    made.row.idempotent = row.permission == "points:write";
    made.row.body_bytes_max = row.body_bytes_max;
    made.row.dialect = &kV1Dialect;
    made.stream = row.stream;
  }
}

}  // namespace quipu::api::grpc::v1
