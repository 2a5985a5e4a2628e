// Goal: what REST can, quipu.v1 can too, or docs/grpc.md says why not.
// Method: one table of REST's routes and the methods that do the same, which must name every route,
// every method, and be the table of that page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/route_table.h"
#include "quipu/api/rpc_table.h"

namespace quipu::api::grpc::v1 {
namespace {

struct RouteTwin {
  std::string_view route;  // its name
  std::string_view rpcs;   // methods of quipu.v1, or why there is none
};

// A method's name begins with a capital letter, a reason with a small one.
constexpr RouteTwin kTwins[] = {
    {"health", "System/Health"},
    {"health_live", "that of every gRPC server: `grpc.health.v1.Health/Check`"},
    {"health_ready", "System/Health"},
    {"health_startup", "that of every gRPC server: `grpc.health.v1.Health/Check`"},
    {"status", "System/Status"},
    {"metrics", "none: Prometheus reads HTTP"},
    {"openapi", "none: server reflection says it of gRPC"},
    {"docs", "none: a page for people"},
    {"config", "System/Config"},
    {"snapshot_create", "Snapshots/Create"},
    {"collections_list", "Collections/List"},
    {"collection_create", "Collections/Create"},
    {"collection_get", "Collections/Get"},
    {"collection_update", "Collections/Update"},
    {"collection_drop", "Collections/Delete"},
    {"vectors_change", "Collections/ChangeVectors"},
    {"vector_add", "Collections/ChangeVectors"},
    {"vector_drop", "Collections/ChangeVectors"},
    {"collection_snapshots_list", "Snapshots/ListOfCollection"},
    {"collection_snapshot_make", "Snapshots/MakeOfCollection"},
    {"collection_snapshot_fetch", "none: files go over HTTP, which streams them"},
    {"collection_snapshot_send", "none: files go over HTTP, which streams them"},
    {"collection_snapshot_delete", "Snapshots/DeleteOfCollection"},
    {"collection_recover", "Snapshots/RecoverCollection"},
    {"aliases_list", "Collections/ListAliases"},
    {"collection_aliases", "Collections/ListAliases"},
    {"aliases_change", "Collections/ChangeAliases"},
    {"points_upsert", "Points/Upsert, Points/StreamUpsert"},
    {"points_delete", "Points/Delete, Points/DeleteByFilter"},
    {"points_patch", "Points/Patch, Points/PatchByFilter"},
    {"points_get", "Points/Get"},
    {"points_scroll", "Points/Scroll"},
    {"points_count", "Points/Count"},
    {"point_get", "Points/Get"},
    {"point_patch", "Points/Patch"},
    {"point_delete", "Points/Delete"},
    {"search", "Search/Search, Search/SearchBatch, Search/StreamSearch"},
    {"search_several", "Search/SearchSeveral"},
    {"query", "Search/Query, Search/QueryBatch"},
    {"query_groups", "Search/QueryGroups"},
    {"facet", "Search/Facet"},
    {"matrix", "Search/Matrix"},
    {"memory_remember", "Memory/Remember, Memory/RememberBatch"},
    {"memory_get", "Memory/Get"},
    {"memory_forget", "Memory/Forget"},
    {"memory_forget_many", "Memory/Forget"},
    {"memory_recall", "Memory/Recall"},
    {"embed", "Models/Embed"},
    {"embed_root", "Models/Embed"},
    {"rerank", "Models/Rerank"},
    {"models_list", "Models/List"},
};

bool is_reason(const RouteTwin& twin) {
  return std::islower(static_cast<unsigned char>(twin.rpcs.front())) != 0;
}

// "A, B" as a list; none of a reason.
std::vector<std::string> methods_of(const RouteTwin& twin) {
  std::vector<std::string> methods;
  if (is_reason(twin)) return methods;
  std::istringstream text{std::string(twin.rpcs)};
  for (std::string method; std::getline(text >> std::ws, method, ',');) methods.push_back(method);
  return methods;
}

const Rpc* find_rpc(const std::string& method) {
  const auto found = std::ranges::find_if(
      rpc_table(), [&](const Rpc& rpc) { return rpc.row.name == "quipu.v1." + method; });
  return found == rpc_table().end() ? nullptr : &*found;
}

const Route* find_route(std::string_view name) {
  const auto found = std::ranges::find_if(route_table(), [&](const Route& route) {
    return route.dialect == nullptr && route.name == name;
  });
  return found == route_table().end() ? nullptr : &*found;
}

TEST(RestRoutes, EachHasItsMethodOrTheReasonForHavingNone) {
  for (const Route& route : route_table()) {
    if (route.dialect != nullptr || !route.built()) continue;
    EXPECT_EQ(std::ranges::count(kTwins, route.name, &RouteTwin::route), 1)
        << route.name << ": build its method of quipu.v1, or say here why there is none";
  }
  for (const RouteTwin& twin : kTwins) EXPECT_NE(find_route(twin.route), nullptr) << twin.route;
}

TEST(RestRoutes, MethodsAskForWhatTheirRoutesAskFor) {
  std::set<std::string> seen;
  for (const RouteTwin& twin : kTwins) {
    const Route* const route = find_route(twin.route);
    ASSERT_NE(route, nullptr) << twin.route;
    for (const std::string& method : methods_of(twin)) {
      seen.insert("quipu.v1." + method);
      const Rpc* const rpc = find_rpc(method);
      ASSERT_NE(rpc, nullptr) << method;
      EXPECT_TRUE(rpc->row.built()) << method;
      EXPECT_EQ(rpc->row.permission, route->permission) << method;
      EXPECT_EQ(rpc->row.idempotent, route->idempotent) << method;
      EXPECT_EQ(rpc->row.dialect != nullptr, true) << method;
    }
  }
  for (const Rpc& rpc : rpc_table()) {
    if (!rpc.row.name.starts_with("quipu.v1.")) continue;
    EXPECT_TRUE(seen.contains(std::string(rpc.row.name))) << rpc.row.name << " has no route";
  }
}

TEST(RestRoutes, ThePageHasThisTable) {
  std::ifstream file(std::string(QUIPU_SOURCE_DIR) + "/docs/grpc.md");
  std::ostringstream page;
  page << file.rdbuf();
  std::string table = "| REST | quipu.v1 |\n| --- | --- |\n";
  for (const RouteTwin& twin : kTwins) {
    const Route* const route = find_route(twin.route);
    ASSERT_NE(route, nullptr) << twin.route;
    std::string methods;
    for (const std::string& method : methods_of(twin)) {
      methods += (methods.empty() ? "`" : ", `") + method + "`";
    }
    if (is_reason(twin)) methods = twin.rpcs;
    table += "| `" + std::string(method_name(route->method)) + " " + std::string(route->pattern) +
             "` | " + methods + " |\n";
  }
  EXPECT_THAT(page.str(), ::testing::HasSubstr(table)) << table;
}

}  // namespace
}  // namespace quipu::api::grpc::v1
