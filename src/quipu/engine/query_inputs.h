// What the inputs of a query stand for: texts are embedded, points are looked up.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "quipu/engine/engine_state.h"
#include "quipu/query.h"
#include "quipu/query/rank/average.h"
#include "quipu/query/request/inputs.h"
#include "quipu/result.h"

namespace quipu::engine {

using query::for_each_input;

// Threads: one, for one query.
class QueryInputs {
 public:
  QueryInputs(Engine::State& state, std::string_view tenant, const ReadParams& params)
      : state_(state), tenant_(tenant), params_(params) {}

  // Before a moment is pinned, since a model may take its time. Returns the collection whose models
  // were asked: an alias may name another one by now, and its vectors may be others. Errors:
  // kInvalidArgument ("no_model"), those of the embedder.
  Result<std::shared_ptr<const Collection>> embed(std::string_view collection,
                                                  const QueryStage& root);
  // Errors: kInvalidArgument (kind, dimension, values), kNotFound ("point_not_found",
  // "vector_not_found", "collection_not_found").
  Status resolve(const Engine::State::Reading& reading, const QueryStage& root);

  // Of an input of the query's own tree, after resolve(). Dense values for a dense vector, rows for
  // a multivector, ascending dimensions for a sparse one; of unit length for cosine.
  [[nodiscard]] const query::VectorValue& value(const VectorInput& input) const {
    return values_.at(&input);
  }
  [[nodiscard]] bool truncated() const noexcept { return truncated_; }
  [[nodiscard]] double embed_ms() const noexcept { return embed_ms_; }

 private:
  struct Wanted {
    const VectorInput* input;
    std::string_view text;
  };
  Status collect_texts(const Collection& collection, const QueryStage& stage,
                       std::map<std::string, std::vector<Wanted>>& by_model) const;
  Status embed_model(const std::string& model, const std::vector<Wanted>& texts,
                     std::chrono::steady_clock::time_point deadline);
  Status resolve_input(const Engine::State::Reading& reading, const QueryStage& stage,
                       const VectorConfig& config, const VectorInput& input);
  Result<query::VectorValue> look_up(const Engine::State::Reading& reading, const QueryStage& stage,
                                     const VectorConfig& config, const PointId& id);

  Engine::State& state_;
  const std::string_view tenant_;
  const ReadParams& params_;
  std::unordered_map<const VectorInput*, query::VectorValue> values_;
  std::map<std::string, Engine::State::Reading, std::less<>> others_;  // by collection
  bool truncated_ = false;
  double embed_ms_ = 0;
};

// Puts a value into the form of the vector's kind. Errors: kInvalidArgument.
[[nodiscard]] Result<query::VectorValue> fit_value(const VectorConfig& config,
                                                   std::string_view collection,
                                                   query::VectorValue value);

}  // namespace quipu::engine
