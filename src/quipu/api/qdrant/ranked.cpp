#include "quipu/api/qdrant/ranked.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <variant>

namespace quipu::api::qdrant {
namespace {

bool embeds(const VectorInput& input) { return std::holds_alternative<TextInput>(input); }

bool embeds(const std::vector<VectorInput>& inputs) {
  return std::ranges::any_of(inputs, [](const VectorInput& input) { return embeds(input); });
}

bool embeds(const std::vector<ContextPair>& pairs) {
  return std::ranges::any_of(pairs, [](const ContextPair& pair) {
    return embeds(pair.positive) || embeds(pair.negative);
  });
}

bool embeds(const StageQuery& query) {
  if (const auto* nearest = std::get_if<NearestQuery>(&query)) return embeds(nearest->input);
  if (const auto* recommend = std::get_if<RecommendQuery>(&query)) {
    return embeds(recommend->positive) || embeds(recommend->negative);
  }
  if (const auto* discover = std::get_if<DiscoverQuery>(&query)) {
    return embeds(discover->target) || embeds(discover->context);
  }
  if (const auto* context = std::get_if<ContextQuery>(&query)) return embeds(context->context);
  if (const auto* feedback = std::get_if<FeedbackQuery>(&query)) {
    return embeds(feedback->target) ||
           std::ranges::any_of(feedback->feedback,
                               [](const Feedback& item) { return embeds(item.example); });
  }
  return false;
}

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
  return (stage.query && embeds(*stage.query)) ||
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
