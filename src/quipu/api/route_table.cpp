#include "quipu/api/route_table.h"

#include <vector>

#include "quipu/api/qdrant/routes.h"
#include "quipu/api/rest/routes.h"

namespace quipu::api {

std::span<const Route> route_table() {
  static const std::vector<Route> table = [] {
    const std::span<const Route> own = rest::routes();
    std::vector<Route> rows(own.begin(), own.end());
    qdrant::add_routes(rows);
    return rows;
  }();
  return table;
}

}  // namespace quipu::api
