#include "quipu/engine/schema.h"

#include <algorithm>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/query/plan/analyzed_text.h"

namespace quipu::engine {
namespace {

// Between the strings of one field: no phrase goes from one to the next.
constexpr std::uint32_t kStringGap = 100;

Result<WordsField> make_words(const WordsConfig& config, std::size_t index) {
  const std::string field = format("words[{}]", index);
  WordsField made{.config = config, .analyzer = nullptr, .source = std::nullopt};
  auto json = JsonDocument::parse(config.analyzer);
  if (!json.ok()) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{}.analyzer: {}", field, json.error().message), "invalid_analyzer"};
  }
  QUIPU_TRY(const text::AnalyzerConfig analyzer,
            text::parse_analyzer(json.value().root(), field + ".analyzer"));
  QUIPU_TRY(made.analyzer, text::Analyzer::create(analyzer));
  made.config.analyzer.clear();
  JsonWriter out(made.config.analyzer);
  text::write_analyzer(out, analyzer);
  if (config.source.empty()) return made;
  auto path = query::PayloadPath::parse(config.source);
  if (!path.ok()) {
    return Error{ErrorCode::kInvalidArgument, format("{}.source: {}", field, path.error().message),
                 "invalid_path"};
  }
  made.config.source = path.value().to_string();
  made.source = std::move(path).value();
  return made;
}

index::PayloadKind index_kind(PayloadIndexKind kind) {
  switch (kind) {
    case PayloadIndexKind::kKeyword: return index::PayloadKind::kKeyword;
    case PayloadIndexKind::kInteger: return index::PayloadKind::kInteger;
    case PayloadIndexKind::kFloat: return index::PayloadKind::kFloat;
    case PayloadIndexKind::kBool: return index::PayloadKind::kBool;
    case PayloadIndexKind::kDatetime: return index::PayloadKind::kDatetime;
    case PayloadIndexKind::kUuid: return index::PayloadKind::kUuid;
    case PayloadIndexKind::kGeo: return index::PayloadKind::kGeo;
    case PayloadIndexKind::kText: return index::PayloadKind::kText;
  }
  return index::PayloadKind::kKeyword;
}

Result<PayloadField> make_payload_field(const PayloadIndexConfig& config, std::size_t index) {
  const std::string field = format("payload_indexes[{}]", index);
  auto path = query::PayloadPath::parse(config.key);
  if (!path.ok()) {
    return Error{ErrorCode::kInvalidArgument, format("{}.key: {}", field, path.error().message),
                 "invalid_path"};
  }
  auto options = JsonDocument::parse(config.options);
  if (!options.ok() || !options.value().root().is_object()) {
    return Error{ErrorCode::kInvalidArgument, format("{}.options is no JSON object", field),
                 "invalid_options"};
  }
  PayloadField made{.config = config,
                    .path = std::move(path).value(),
                    .options = {.kind = index_kind(config.kind)},
                    .analyzer = nullptr,
                    .matcher = nullptr};
  made.config.key = made.path.to_string();
  made.config.options = options.value().root().to_string();
  if (config.kind != PayloadIndexKind::kText) return made;
  QUIPU_TRY(const text::AnalyzerConfig analyzer,
            text::parse_analyzer(
                options.value().root(), field + ".options",
                {"type", "on_disk", "phrase_matching", "enable_hnsw", "memory", "scoring"}));
  QUIPU_TRY(made.analyzer, text::Analyzer::create(analyzer));
  made.matcher = std::make_shared<query::AnalyzedTextMatcher>(*made.analyzer);
  made.options.positions = true;
  return made;
}

}  // namespace

const query::TextMatcher* Schema::text_matcher(std::string_view key) const {
  for (const PayloadField& field : payload) {
    if (field.matcher != nullptr && field.config.key == key) return field.matcher.get();
  }
  return nullptr;
}

std::optional<std::size_t> Schema::find_words(std::string_view name) const {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].config.name == name) return i;
  }
  return std::nullopt;
}

std::optional<std::size_t> Schema::find_vector(std::uint16_t id) const noexcept {
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (vectors[i].id == id) return i;
  }
  return std::nullopt;
}

Result<std::shared_ptr<const Schema>> make_schema(const CollectionConfig& config) {
  auto schema = std::make_shared<Schema>();
  schema->vectors = config.vectors;
  for (std::size_t i = 0; i < config.words.size(); ++i) {
    QUIPU_TRY(WordsField field, make_words(config.words[i], i));
    schema->words.push_back(std::move(field));
  }
  for (std::size_t i = 0; i < config.payload_indexes.size(); ++i) {
    QUIPU_TRY(PayloadField field, make_payload_field(config.payload_indexes[i], i));
    schema->payload.push_back(std::move(field));
  }
  return std::shared_ptr<const Schema>(std::move(schema));
}

Status make_canonical(CollectionConfig& config) {
  QUIPU_TRY(const std::shared_ptr<const Schema> schema, make_schema(config));
  for (std::size_t i = 0; i < config.words.size(); ++i) config.words[i] = schema->words[i].config;
  for (std::size_t i = 0; i < config.payload_indexes.size(); ++i) {
    config.payload_indexes[i] = schema->payload[i].config;
  }
  return ok_status();
}

index::DenseOptions dense_options(const VectorConfig& vector) {
  return {.dim = vector.dim,
          .metric = vector.metric,
          .graph = vector.index == IndexKind::kHnsw,
          .m = vector.m,
          .ef_construction = vector.ef_construction};
}

index::SparseOptions sparse_options() noexcept {
  return {.kind = index::PostingKind::kWeights, .positions = false};
}
index::SparseOptions words_options() noexcept {
  return {.kind = index::PostingKind::kCounts, .positions = true};
}

std::vector<ViewRef> all_views(const Schema& schema) {
  std::vector<ViewRef> views;
  for (std::size_t i = 0; i < schema.vectors.size(); ++i) {
    if (schema.vectors[i].kind != VectorKind::kMulti) views.push_back({ViewKind::kVector, i});
  }
  for (std::size_t i = 0; i < schema.words.size(); ++i) views.push_back({ViewKind::kWords, i});
  for (std::size_t i = 0; i < schema.payload.size(); ++i) views.push_back({ViewKind::kPayload, i});
  return views;
}

Result<bool> WordsReader::read(const WordsField& field, const std::optional<std::string>& text,
                               std::string_view payload) {
  terms_.clear();
  list_.clear();
  if (!field.source) {
    if (!text) return false;
    field.analyzer->analyze(*text, list_);
    terms_.reserve(list_.size());
    for (std::size_t i = 0; i < list_.size(); ++i) {
      terms_.push_back({.term = list_[i].text, .position = list_[i].position});
    }
    return true;
  }
  auto json = JsonDocument::parse(payload);
  if (!json.ok()) {
    return Error{ErrorCode::kCorruption, "a stored payload is not JSON", "damaged_record"};
  }
  // Where each string's terms begin in the list, and at which position.
  std::vector<std::pair<std::size_t, std::uint32_t>> starts;
  std::uint32_t position = 0;
  const auto add = [&](JsonView value) {
    const std::optional<std::string_view> string = value.as_string();
    if (!string) return true;
    starts.emplace_back(list_.size(), position);
    const std::size_t before = list_.size();
    field.analyzer->analyze(*string, list_);
    if (list_.size() > before) position += list_[list_.size() - 1].position + kStringGap;
    return true;
  };
  field.source->visit_elements(json.value().root(), add);
  if (starts.empty()) return false;
  terms_.reserve(list_.size());
  for (std::size_t s = 0; s < starts.size(); ++s) {
    const std::size_t end = s + 1 < starts.size() ? starts[s + 1].first : list_.size();
    for (std::size_t i = starts[s].first; i < end; ++i) {
      terms_.push_back({.term = list_[i].text, .position = starts[s].second + list_[i].position});
    }
  }
  return true;
}

}  // namespace quipu::engine
