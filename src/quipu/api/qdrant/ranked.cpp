#include "quipu/api/qdrant/ranked.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

#include "quipu/query/request/inputs.h"

namespace quipu::api::qdrant {
namespace {

// The point whose id the group's value is, if it can be one.
std::optional<PointId> id_of_group(const HitGroup& group) {
  if (const auto* number = std::get_if<std::int64_t>(&group.value)) {
    if (*number < 0) return std::nullopt;
    return PointId::number(static_cast<std::uint64_t>(*number));
  }
  const auto id = PointId::parse(std::get<std::string>(group.value));
  if (!id.ok() || !id.value().is_uuid()) return std::nullopt;
  return id.value();
}

}  // namespace

bool embeds(const QueryStage& stage) {
  return (stage.query && query::has_text(*stage.query)) ||
         std::ranges::any_of(stage.prefetch, [](const QueryStage& one) { return embeds(one); });
}

void run_query(const CallPtr& call, bool embedding, std::function<void(const CallPtr&)> work) {
  if (!embedding) return work(call);
  call->run_on(call->core().waiting, std::move(work));
}

const Point* FoundGroups::record_of(const HitGroup& group) const {
  const std::optional<PointId> id = id_of_group(group);
  if (!id) return nullptr;
  const auto found = std::ranges::find(records, *id, &Point::id);
  return found == records.end() ? nullptr : &*found;
}

Result<FoundGroups> find_groups(Engine& engine, std::string_view tenant,
                                std::string_view collection, const Grouped& grouped) {
  FoundGroups found;
  QUIPU_TRY(found.result, engine.query_groups(tenant, collection, grouped.request));
  if (!grouped.lookup) return found;
  std::vector<PointId> ids;
  for (const HitGroup& group : found.result.groups) {
    if (const auto id = id_of_group(group)) ids.push_back(*id);
  }
  if (ids.empty()) return found;
  QUIPU_TRY(found.records, engine.get(tenant, grouped.lookup->collection,
                                      {.ids = std::move(ids),
                                       .select = grouped.lookup->selection.select,
                                       .params = grouped.request.params}));
  return found;
}

}  // namespace quipu::api::qdrant
