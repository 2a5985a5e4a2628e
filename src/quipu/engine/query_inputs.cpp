#include "quipu/engine/query_inputs.h"

#include <chrono>
#include <utility>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/engine/canonical.h"
#include "quipu/engine/likeness.h"
#include "quipu/engine/records.h"
#include "quipu/engine/refusals.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

std::string_view kind_of(const query::VectorValue& value) {
  if (std::holds_alternative<std::vector<float>>(value)) return "dense";
  return std::holds_alternative<SparseValues>(value) ? "sparse" : "a multivector";
}

Error wrong_kind(const VectorConfig& config, const query::VectorValue& value) {
  const std::string_view wanted = config.kind == VectorKind::kSparse  ? "sparse"
                                  : config.kind == VectorKind::kMulti ? "a multivector"
                                                                      : "dense";
  return invalid(
      format("the query is {}; the vector '{}' is {}", kind_of(value), config.name, wanted),
      "vector_kind");
}

}  // namespace

Result<query::VectorValue> fit_value(const VectorConfig& config, std::string_view collection,
                                     query::VectorValue value) {
  if (std::holds_alternative<SparseValues>(value)) {
    if (config.kind != VectorKind::kSparse) return wrong_kind(config, value);
    return value;
  }
  if (config.kind == VectorKind::kSparse) return wrong_kind(config, value);
  auto* multi = std::get_if<MultiValues>(&value);
  std::vector<float> values =
      multi != nullptr ? std::move(multi->values) : std::move(std::get<std::vector<float>>(value));
  if (config.kind == VectorKind::kDense) {
    // One row of a multivector is a vector.
    if (multi != nullptr && multi->rows != 1) return wrong_kind(config, MultiValues{*multi});
    QUIPU_TRY_OK(check_values(config, collection, "the query", values));
    return query::VectorValue(std::move(values));
  }
  QUIPU_TRY_OK(check_values(config, collection, "the query", values));
  const auto rows = static_cast<std::uint32_t>(values.size() / config.dim);
  return query::VectorValue(MultiValues{.rows = rows, .values = std::move(values)});
}

Status QueryInputs::collect_texts(const Collection& collection, const QueryStage& stage,
                                  std::map<std::string, std::vector<Wanted>>& by_model) const {
  for (const QueryStage& prefetch : stage.prefetch) {
    QUIPU_TRY_OK(collect_texts(collection, prefetch, by_model));
  }
  if (!stage.query) return ok_status();
  for (const WordsConfig& words : collection.record.config.words) {
    if (words.name == stage.using_name) return ok_status();  // analyzed, not embedded
  }
  std::vector<const VectorInput*> texts;
  for_each_input(*stage.query, [&texts](const VectorInput& input) {
    if (std::holds_alternative<TextInput>(input)) texts.push_back(&input);
  });
  if (texts.empty()) return ok_status();
  QUIPU_TRY(const std::size_t index, collection.vector_index(stage.using_name));
  const VectorConfig& config = collection.record.config.vectors[index];
  if (config.model.empty()) {
    return invalid(format("the vector '{}' of '{}' has no model: search it by vector or id",
                          config.name, collection.record.name),
                   "no_model");
  }
  for (const VectorInput* input : texts) {
    by_model[config.model].push_back({input, std::get<TextInput>(*input).text});
  }
  return ok_status();
}

Result<std::shared_ptr<const Collection>> QueryInputs::embed(std::string_view collection_name,
                                                             const QueryStage& root) {
  QUIPU_TRY_OK(state_.check_open());
  QUIPU_TRY(const std::shared_ptr<const Collection> collection,
            state_.catalogue.find(tenant_, collection_name));
  std::map<std::string, std::vector<Wanted>> by_model;
  QUIPU_TRY_OK(collect_texts(*collection, root, by_model));
  if (by_model.empty()) return collection;
  const auto begin = state_.clock->steady_now();
  for (const auto& [model, texts] : by_model) {
    QUIPU_TRY_OK(embed_model(model, texts, begin + params_.timeout));
  }
  const auto spent = state_.clock->steady_now() - begin;
  embed_ms_ += std::chrono::duration<double, std::milli>(spent).count();
  return collection;
}

Status QueryInputs::embed_model(const std::string& model, const std::vector<Wanted>& wanted,
                                std::chrono::steady_clock::time_point deadline) {
  std::vector<std::string_view> texts;
  for (const Wanted& each : wanted) texts.push_back(each.text);
  auto embedded = state_.embedder->embed(
      texts, {.model = model, .kind = embed::TextKind::kQuery, .deadline = deadline});
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    QUIPU_TRY(embed::Embedding one, std::move(embedded[i]));
    truncated_ = truncated_ || one.truncated;
    values_[wanted[i].input] = std::move(one.values);
  }
  return ok_status();
}

Result<query::VectorValue> QueryInputs::look_up(const Engine::State::Reading& own,
                                                const QueryStage& stage, const VectorConfig& config,
                                                const PointId& id) {
  const Engine::State::Reading* reading = &own;
  std::string_view vector_name = config.name;
  if (stage.lookup_from) {
    auto found = others_.find(stage.lookup_from->collection);
    if (found == others_.end()) {
      QUIPU_TRY(Engine::State::Reading other,
                state_.begin_read(tenant_, stage.lookup_from->collection,
                                  {.min_seq = {}, .timeout = params_.timeout}));
      found = others_.emplace(stage.lookup_from->collection, std::move(other)).first;
    }
    reading = &found->second;
    vector_name = stage.lookup_from->vector_name;
  }
  QUIPU_TRY(const std::size_t index, reading->collection->vector_index(vector_name));
  const VectorConfig& stored = reading->collection->record.config.vectors[index];
  const std::size_t shard = reading->collection->shard_index(id);
  QUIPU_TRY(
      const std::optional<std::string> bytes,
      state_.kv->get(Family::kVectors,
                     storage::vector_key(reading->collection->shards[shard]->id(), stored.id, id),
                     reading->moments[shard]->snapshot.get()));
  if (!bytes) {
    return Error{ErrorCode::kNotFound,
                 format("the point {} is not in '{}', or has no vector '{}'", id.to_string(),
                        reading->collection->record.name, stored.name),
                 "point_not_found"};
  }
  QUIPU_TRY(storage::OpVector vector, decode_vector(stored, *bytes));
  return value_of(stored, std::move(vector));
}

Status QueryInputs::resolve_input(const Engine::State::Reading& reading, const QueryStage& stage,
                                  const VectorConfig& config, const VectorInput& input) {
  query::VectorValue value;
  if (const auto* id = std::get_if<PointId>(&input)) {
    QUIPU_TRY(value, look_up(reading, stage, config, *id));
  } else if (std::holds_alternative<TextInput>(input)) {
    value = std::move(values_.at(&input));
  } else if (const auto* dense = std::get_if<std::vector<float>>(&input)) {
    value = *dense;
  } else if (const auto* sparse = std::get_if<SparseValues>(&input)) {
    value = *sparse;
  } else {
    value = std::get<MultiValues>(input);
  }
  QUIPU_TRY(values_[&input], fit_value(config, reading.collection->record.name, std::move(value)));
  return ok_status();
}

Status QueryInputs::resolve(const Engine::State::Reading& reading, const QueryStage& stage) {
  for (const QueryStage& prefetch : stage.prefetch) {
    QUIPU_TRY_OK(resolve(reading, prefetch));
  }
  if (!stage.query) return ok_status();
  std::vector<const VectorInput*> inputs;
  for_each_input(*stage.query, [&inputs](const VectorInput& input) { inputs.push_back(&input); });
  if (inputs.empty()) return ok_status();
  for (const WordsConfig& words : reading.collection->record.config.words) {
    if (words.name == stage.using_name) return ok_status();
  }
  QUIPU_TRY(const std::size_t index, reading.collection->vector_index(stage.using_name));
  VectorConfig config = reading.collection->record.config.vectors[index];
  // Vectors are averaged as they were given; only the average is of unit length.
  const auto* recommend = std::get_if<RecommendQuery>(&*stage.query);
  const bool averaged =
      recommend != nullptr && recommend->strategy == RecommendStrategy::kAverageVector;
  if (averaged && config.metric == Metric::kCosine) config.metric = Metric::kDot;
  for (const VectorInput* input : inputs) {
    QUIPU_TRY_OK(resolve_input(reading, stage, config, *input));
  }
  return ok_status();
}

}  // namespace quipu::engine
