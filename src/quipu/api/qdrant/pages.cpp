#include "quipu/api/qdrant/pages.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "quipu/api/qdrant/dialect.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

// Clients ask for 100,000 points at times.
constexpr std::size_t kPagePointsMax = 1'000'000;
constexpr std::size_t kAnswerBytesMax = 256U << 20;

// The last id before `id`, in the engine's order; empty for the first of all.
std::optional<PointId> before(const PointId& id) {
  if (!id.is_uuid()) {
    if (id.as_number() == 0) return std::nullopt;
    return PointId::number(id.as_number() - 1);
  }
  if (id.low() > 0) return PointId::uuid(id.high(), id.low() - 1);
  if (id.high() > 0) return PointId::uuid(id.high() - 1, UINT64_MAX);
  return PointId::number(UINT64_MAX);
}

// One point more than is asked for is read: it is where the next page begins.
Result<std::optional<PointId>> page_by_id(Engine& engine, std::string_view tenant,
                                          std::string_view collection, PageAsked asked,
                                          const PointVisitor& visit) {
  ScrollRequest& request = asked.request;
  if (asked.first) request.after = before(*asked.first);
  for (std::size_t visited = 0;;) {
    request.limit = std::min(asked.limit - visited + 1, limits::kScrollPageMax);
    QUIPU_TRY(const ScrollPage page, engine.scroll(tenant, collection, request));
    for (const Point& point : page.points) {
      if (visited == asked.limit) return std::optional<PointId>(point.id);
      QUIPU_TRY_OK(visit(point, nullptr));
      ++visited;
    }
    if (!page.next) return std::optional<PointId>();
    request.after = page.next;
  }
}

}  // namespace

Status check_page(const PageAsked& asked, const Place& at) {
  const bool ordered = asked.request.order_by.has_value();
  const std::size_t most = ordered ? limits::kScrollPageMax : kPagePointsMax;
  if (asked.limit < 1 || asked.limit > most) {
    return Place(at, "limit")
        .error(format("expected an integer of 1 to {}, got {}", most, asked.limit),
               query::kInvalidQuery);
  }
  if (!ordered || !asked.first) return ok_status();
  return Place(at, "offset")
      .error("is not for order_by: go on by its start_from", query::kInvalidQuery);
}

Result<std::optional<PointId>> read_page(Engine& engine, std::string_view tenant,
                                         std::string_view collection, PageAsked asked,
                                         const PointVisitor& visit) {
  if (!asked.request.order_by) {
    return page_by_id(engine, tenant, collection, std::move(asked), visit);
  }
  asked.request.limit = asked.limit;
  QUIPU_TRY(const ScrollPage page, engine.scroll(tenant, collection, asked.request));
  for (std::size_t i = 0; i < page.points.size(); ++i) {
    QUIPU_TRY_OK(visit(page.points[i], &page.order_keys[i]));
  }
  return std::optional<PointId>();
}

Status read_points(Engine& engine, std::string_view tenant, std::string_view collection,
                   const std::vector<PointId>& ids, GetRequest request, const PointVisitor& visit) {
  // An empty list asks nothing of the engine, but whether the collection is there.
  if (ids.empty()) QUIPU_TRY_OK(engine.collection(tenant, collection));
  for (std::size_t begin = 0; begin < ids.size(); begin += limits::kIdsPerRequestMax) {
    const std::size_t end = std::min(begin + limits::kIdsPerRequestMax, ids.size());
    request.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                       ids.begin() + static_cast<std::ptrdiff_t>(end));
    QUIPU_TRY(const std::vector<Point> points, engine.get(tenant, collection, request));
    for (const Point& point : points) QUIPU_TRY_OK(visit(point, nullptr));
  }
  return ok_status();
}

Status check_answer_size(std::size_t bytes) {
  if (bytes <= kAnswerBytesMax) return ok_status();
  return bad_request(
      format("the answer has more than {} bytes; ask for fewer points", kAnswerBytesMax));
}

}  // namespace quipu::api::qdrant
