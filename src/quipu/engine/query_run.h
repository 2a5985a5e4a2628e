// One query: its tree of stages, run over one moment of every shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "quipu/engine/engine_state.h"
#include "quipu/engine/likeness.h"
#include "quipu/engine/query_inputs.h"
#include "quipu/engine/stage_filter.h"
#include "quipu/query.h"
#include "quipu/query/rank/order_values.h"
#include "quipu/result.h"

namespace quipu::engine {

// A point on its way to the answer.
struct ScoredPoint {
  PointId id;
  std::size_t shard_index = 0;
  float score = 0;       // as callers see it
  float similarity = 0;  // of a nearest stage: more is better
  std::optional<query::OrderValue> order;
  std::vector<ScorePart> parts;
};

// What a stage found, best first; equal scores by ascending id.
struct StageHits {
  std::vector<ScoredPoint> hits;
  bool smaller_is_better = false;
};

// Threads: one.
class QueryRun {
 public:
  QueryRun(Engine::State& state, std::string_view tenant, std::string_view collection,
           const ReadParams& params);

  // Embeds, pins the moment, looks inputs up. `root` must outlive the run.
  Status prepare(const QueryStage& root);
  // The best `limit` of the tree, before any offset is taken off.
  Result<StageHits> run(const QueryStage& root, std::size_t limit);

  // Of points that run() found, those that have the vector.
  Result<std::map<PointId, storage::OpVector>> stored_vectors(
      const std::vector<ScoredPoint>& points, std::size_t vector_index);

  [[nodiscard]] const Engine::State::Reading& reading() const { return *reading_; }
  [[nodiscard]] StageFilters& filters() { return *filters_; }
  [[nodiscard]] SearchExplain explain() const;
  [[nodiscard]] bool query_truncated() const { return inputs_.truncated(); }

 private:
  // Where a stage looks: the whole collection, or the points that its prefetches found.
  struct Scope {
    FilterChain chain;
    const std::vector<ScoredPoint>* candidates = nullptr;  // null: the whole collection
    std::size_t limit = 0;
    std::unordered_set<PointId> excluded;  // the query's own points, and those of stages above
  };
  // `excluded`: what the stages above leave out.
  Result<StageHits> run_stage(const QueryStage& stage, FilterChain chain, std::size_t limit,
                              std::unordered_set<PointId> excluded);
  Result<StageHits> run_query(const QueryStage& stage, const Scope& scope,
                              const std::vector<StageHits>& sources);
  Result<StageHits> fuse(const QueryStage& stage, const std::vector<StageHits>& sources,
                         std::size_t limit) const;
  Result<StageHits> nearest(const QueryStage& stage, const NearestQuery& query, const Scope& scope);
  Result<StageHits> nearest_to(const QueryStage& stage, std::size_t vector_index,
                               const query::VectorValue& value, const Scope& scope);
  Status nearest_in_dense_view(const QueryStage& stage, std::size_t vector_index,
                               std::size_t shard_index, const std::vector<float>& value,
                               const Scope& scope, std::vector<ScoredPoint>& into);
  Status nearest_in_sparse_view(std::size_t vector_index, std::size_t shard_index,
                                const SparseValues& value, const Scope& scope,
                                std::vector<ScoredPoint>& into);
  Result<StageHits> recommend_average(const QueryStage& stage, const RecommendQuery& query,
                                      const Scope& scope);
  Result<StageHits> by_examples(const QueryStage& stage, const Scope& scope);
  // One shard's words, or what stands for them while they are loading.
  struct WordsView {
    std::shared_ptr<index::SparseIndex> index;
    std::shared_ptr<const index::SparseIndex::Moment> moment;
    Seq as_of;
    std::vector<PointId> ids;  // by slot, of a view made for this query; else empty
  };
  Result<WordsView> words_view(std::size_t words_index, std::size_t shard_index);
  Result<WordsView> make_words_view(std::size_t words_index, std::size_t shard_index);
  Result<StageHits> by_words(std::size_t words_index, std::string_view text, double k1, double b,
                             const Scope& scope);
  Result<StageHits> by_order(const OrderByQuery& query, const Scope& scope);
  // Nothing when no payload index can tell.
  Result<std::optional<std::vector<ScoredPoint>>> by_indexed_order(const query::PayloadOrder& order,
                                                                   const Scope& scope,
                                                                   std::size_t shard_index);
  Result<StageHits> by_formula(const FormulaQuery& query, const Scope& scope,
                               const std::vector<StageHits>& sources);
  Result<StageHits> by_rerank(const RerankQuery& query, const Scope& scope);
  Result<StageHits> by_id(const Scope& scope);
  Result<StageHits> sample(const Scope& scope);
  Result<StageHits> choose_by_mmr(const QueryStage& stage, const Mmr& mmr, StageHits found,
                                  std::size_t limit);

  // Scores vectors as they are stored: of the candidates, or of all that pass the filters. Those
  // for which `score` is empty are left out; larger is better.
  using Scorer = std::function<std::optional<float>(const storage::OpVector&)>;
  Status scan_vectors(std::size_t shard_index, std::size_t vector_index, const Scope& scope,
                      const Scorer& score, std::vector<ScoredPoint>& into);
  // Calls `visit` for each record in the scope.
  using RecordVisit =
      std::function<Status(std::size_t shard_index, const PointId&, std::string_view record)>;
  Status visit_records(const Scope& scope, const RecordVisit& visit);
  Status visit_records_of(std::size_t shard_index, const Scope& scope, const RecordVisit& visit);
  [[nodiscard]] std::vector<PointId> candidates_of(const Scope& scope,
                                                   std::size_t shard_index) const;
  [[nodiscard]] SparseValues with_idf(std::size_t vector_index, SparseValues value) const;
  [[nodiscard]] std::optional<std::size_t> words_index(std::string_view name) const;
  [[nodiscard]] std::size_t shard_count() const { return reading_->moments.size(); }
  [[nodiscard]] const VectorConfig& config(std::size_t vector_index) const {
    return reading_->collection->record.config.vectors[vector_index];
  }

  Engine::State& state_;
  const std::string_view tenant_;
  const std::string_view collection_;
  const ReadParams& params_;
  QueryInputs inputs_;
  std::optional<Engine::State::Reading> reading_;
  std::optional<StageFilters> filters_;
  SearchExplain explain_;
};

// The k best: largest (or smallest) scores, equal ones by ascending id.
void keep_best(std::vector<ScoredPoint>& points, std::size_t k, bool smaller_is_better);

}  // namespace quipu::engine
