#include "quipu/api/calls/search_several.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include "quipu/base/quote.h"

namespace quipu::api {
namespace {

using SeveralParts = std::vector<SeveralPart>;

// Whether smaller scores are better: where a distance is searched.
bool smaller_is_better(const SeveralPart& part, const SearchInput& search) {
  if (search.hybrid) return false;
  const auto& vectors = part.info->config.vectors;
  const auto vector = std::ranges::find(vectors, search.vector_name, &VectorConfig::name);
  if (vector == vectors.end() || vector->kind == VectorKind::kSparse) return false;
  return vector->metric == Metric::kEuclidean || vector->metric == Metric::kManhattan;
}

// Finds the collection and makes its request. The part keeps the error.
void prepare_part(const Call& call, const SeveralInput& input, SeveralPart& part) {
  auto info = call.core().engine.collection(call.tenant(), part.name);
  if (!info.ok()) {
    part.error = std::move(info).error();
    return;
  }
  part.info = std::move(info).value();
  auto request = to_request(input.search, input.select, call, part.name);
  if (!request.ok()) {
    part.error = std::move(request).error();
    return;
  }
  part.request = std::move(request).value();
  // What is passed over is passed over of the merged hits.
  part.request.query.root.limit = input.search.k + input.search.offset;
  part.request.query.offset = 0;
}

void ask_part(const Call& call, const ReadParams& params, SeveralPart& part) {
  if (part.error) return;
  const Clock& clock = call.core().clock;
  const auto begun = clock.steady_now();
  part.request.query.params = params;
  part.request.query.params.timeout = call.time_left();
  auto result = call.core().engine.query(call.tenant(), part.name, part.request.query);
  part.took_ms = std::chrono::duration<double, std::milli>(clock.steady_now() - begun).count();
  if (result.ok()) {
    part.result = std::move(result).value();
  } else {
    part.error = std::move(result).error();
  }
}

// One that is there twice, by an alias, would give its hits twice; and scores that mean opposite
// things cannot be merged.
std::optional<Error> refuse_parts(const SeveralParts& parts, const SearchInput& search) {
  const SeveralPart* first = nullptr;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].info) continue;
    for (std::size_t before = 0; before < i; ++before) {
      if (!parts[before].info || parts[before].info->id != parts[i].info->id) continue;
      return Error{ErrorCode::kInvalidArgument,
                   "collections: " + in_quotes(parts[before].name) + " and " +
                       in_quotes(parts[i].name) + " name the same collection",
                   "duplicate_name"};
    }
    if (parts[i].error) continue;
    if (first == nullptr) first = &parts[i];
    if (smaller_is_better(*first, search) == smaller_is_better(parts[i], search)) continue;
    return Error{ErrorCode::kInvalidArgument,
                 "collections: " + in_quotes(first->name) + " and " + in_quotes(parts[i].name) +
                     " are compared by a similarity and by a distance; their scores cannot be "
                     "merged",
                 "incompatible_metrics"};
  }
  return std::nullopt;
}

std::vector<SeveralHit> merge_parts(const SeveralParts& parts, const SearchInput& search) {
  std::vector<SeveralHit> all;
  bool ascending = false;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    if (parts[p].error) continue;
    ascending = smaller_is_better(parts[p], search);
    for (std::size_t h = 0; h < parts[p].result.hits.size(); ++h) all.push_back({p, h});
  }
  const auto score = [&parts](const SeveralHit& at) {
    return parts[at.part].result.hits[at.hit].score;
  };
  // Each part is in order already, so a stable sort keeps the lists' order among equals.
  std::ranges::stable_sort(all, [&](const SeveralHit& a, const SeveralHit& b) {
    return ascending ? score(a) < score(b) : score(a) > score(b);
  });
  const std::size_t skipped = std::min(search.offset, all.size());
  all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(skipped));
  if (all.size() > search.k) all.resize(search.k);
  return all;
}

}  // namespace

void check_several(const std::vector<std::string>& collections, const SearchInput& search,
                   const Path& at, FieldErrors& errors) {
  check_search(search, at, errors);
  std::set<std::string_view> seen;
  const Path list(at, "collections");
  for (std::size_t i = 0; i < collections.size(); ++i) {
    if (seen.insert(collections[i]).second) continue;
    errors.add(Path(list, i), "duplicate_name", "is listed twice");
  }
}

Error too_many_searches(std::size_t searches) {
  return {ErrorCode::kInvalidArgument,
          "the queries search " + std::to_string(searches) + " collections in all; the limit is " +
              std::to_string(kSeveralSearchesMax),
          "batch_too_large"};
}

Result<SeveralResult> search_several(const Call& call, const SeveralInput& input,
                                     const ReadParams& params) {
  const Clock& clock = call.core().clock;
  const auto begun = clock.steady_now();
  SeveralResult several;
  several.parts.resize(input.collections.size());
  for (std::size_t i = 0; i < several.parts.size(); ++i) {
    several.parts[i].name = input.collections[i];
    prepare_part(call, input, several.parts[i]);
  }
  if (auto refused = refuse_parts(several.parts, input.search)) return std::move(*refused);
  for (SeveralPart& part : several.parts) ask_part(call, params, part);
  if (std::ranges::all_of(several.parts, [](const auto& part) { return part.error.has_value(); })) {
    return *several.parts.front().error;
  }
  several.hits = merge_parts(several.parts, input.search);
  several.took_ms = std::chrono::duration<double, std::milli>(clock.steady_now() - begun).count();
  return several;
}

}  // namespace quipu::api
