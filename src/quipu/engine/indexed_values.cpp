#include "quipu/engine/indexed_values.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace quipu::engine {
namespace {

using index::PayloadKind;

// An index of the key that holds all there is, and what to ask it by.
struct WholeIndex {
  std::shared_ptr<index::PayloadIndex> index;
  const index::PayloadIndex::Moment* moment = nullptr;
  index::PayloadScope scope;
};

Result<std::optional<WholeIndex>> find_whole(StageFilters& filters, const FilterChain& chain,
                                             std::size_t shard_index,
                                             const query::PayloadPath& path,
                                             std::initializer_list<PayloadKind> kinds) {
  const FilterScope own = filters.scope(shard_index);
  const ViewSet& views = *own.moment->views;
  const std::string key = path.to_string();
  for (std::size_t i = 0; i < views.payload.size(); ++i) {
    const PayloadField& field = views.schema->payload[i];
    const bool fits = std::find(kinds.begin(), kinds.end(), field.options.kind) != kinds.end();
    if (views.payload[i] == nullptr || field.config.key != key || !fits) continue;
    QUIPU_TRY(const Matches* const matches, filters.matches(chain, shard_index));
    // Points that are known by id only are few: reading them costs less than a walk.
    if (matches != nullptr && matches->slots() == nullptr) return std::optional<WholeIndex>();
    WholeIndex found{.index = views.payload[i],
                     .moment = own.moment->payload[i].get(),
                     .scope = {.as_of = own.moment->applied,
                               .filter = matches == nullptr ? nullptr : matches->slots(),
                               .deadline = own.deadline,
                               .clock = own.clock}};
    if (!found.index->is_whole(*found.moment, found.scope)) continue;
    return std::optional<WholeIndex>(std::move(found));
  }
  return std::optional<WholeIndex>();
}

}  // namespace

Result<std::optional<std::vector<index::FacetHit>>> indexed_facet(StageFilters& filters,
                                                                  const FilterChain& chain,
                                                                  std::size_t shard_index,
                                                                  const query::PayloadPath& path,
                                                                  std::size_t k) {
  QUIPU_TRY(const std::optional<WholeIndex> whole,
            find_whole(filters, chain, shard_index, path,
                       {PayloadKind::kKeyword, PayloadKind::kInteger, PayloadKind::kBool,
                        PayloadKind::kUuid}));
  if (!whole) return std::optional<std::vector<index::FacetHit>>();
  QUIPU_TRY(std::vector<index::FacetHit> hits,
            whole->index->facet(*whole->moment, whole->scope, k));
  return std::optional<std::vector<index::FacetHit>>(std::move(hits));
}

Result<bool> walk_indexed(StageFilters& filters, const FilterChain& chain, std::size_t shard_index,
                          const query::PayloadOrder& order, const ValueVisit& visit) {
  // An index takes the elements of an array in an array too.
  if (order.path().steps().back().kind == query::PathStep::Kind::kEveryElement) return false;
  QUIPU_TRY(const std::optional<WholeIndex> whole,
            find_whole(filters, chain, shard_index, order.path(),
                       {PayloadKind::kInteger, PayloadKind::kFloat, PayloadKind::kDatetime}));
  if (!whole) return false;
  index::PayloadWalk walk{.descending = order.descending(), .start_from = {}};
  if (order.start()) walk.start_from = index::OrderValue{order.start()->value()};
  const SlotMap& slots = filters.scope(shard_index).shard->slots;
  QUIPU_TRY_OK(whole->index->walk_ordered(
      *whole->moment, whole->scope, walk, [&](const index::OrderValue& value, SlotId slot) {
        const auto shown =
            std::visit([](auto number) { return query::OrderValue(number); }, value.value);
        return visit(shown, slots.id_of(slot));
      }));
  return true;
}

}  // namespace quipu::engine
