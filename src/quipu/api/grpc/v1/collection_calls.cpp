// Collections.
#include <quipu_proto/quipu/v1/collections.pb.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/grpc/v1/collection_messages.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/filter/filter_check.h"

namespace quipu::api::grpc::v1 {
namespace {

// In the order of PayloadIndexKind.
constexpr std::array<std::string_view, 8> kIndexKinds = {"keyword",  "integer", "float", "bool",
                                                         "datetime", "uuid",    "geo",   "text"};

Error bad_enumerator(std::string_view field, int number) {
  return bad_field(field, format("{} is none of its values", number));
}

// ---------------------------------------------------------------- reading

Result<Metric> read_metric(pb::Metric metric, std::string_view field) {
  switch (metric) {
    case pb::METRIC_UNSPECIFIED:
    case pb::METRIC_COSINE: return Metric::kCosine;
    case pb::METRIC_DOT: return Metric::kDot;
    case pb::METRIC_EUCLIDEAN: return Metric::kEuclidean;
    case pb::METRIC_MANHATTAN: return Metric::kManhattan;
    default: return bad_enumerator(field, metric);
  }
}

Result<VectorKind> read_kind(pb::VectorKind kind, std::string_view field) {
  switch (kind) {
    case pb::VECTOR_KIND_UNSPECIFIED:
    case pb::VECTOR_KIND_DENSE: return VectorKind::kDense;
    case pb::VECTOR_KIND_SPARSE: return VectorKind::kSparse;
    case pb::VECTOR_KIND_MULTI: return VectorKind::kMulti;
    default: return bad_enumerator(field, kind);
  }
}

Result<std::optional<Durability>> read_durability(pb::Durability durability) {
  switch (durability) {
    case pb::DURABILITY_UNSPECIFIED: return std::optional<Durability>();
    case pb::DURABILITY_SYNC: return std::optional(Durability::kSync);
    case pb::DURABILITY_ASYNC: return std::optional(Durability::kAsync);
    default: return bad_enumerator("durability", durability);
  }
}

Result<VectorConfig> read_vector(const pb::VectorConfig& from, std::string_view field) {
  VectorConfig config{.name = from.name()};
  QUIPU_TRY(config.kind, read_kind(from.kind(), format("{}.kind", field)));
  QUIPU_TRY(config.metric, read_metric(from.metric(), format("{}.metric", field)));
  // The only one that sparse vectors have.
  if (config.kind == VectorKind::kSparse && from.metric() == pb::METRIC_UNSPECIFIED) {
    config.metric = Metric::kDot;
  }
  config.dim = from.dim();
  config.model = from.model();
  if (from.exact()) config.index = IndexKind::kFlat;
  if (from.has_m()) config.m = from.m();
  if (from.has_ef_construction()) config.ef_construction = from.ef_construction();
  config.idf = from.idf();
  return config;
}

Result<WordsConfig> read_words(const pb::WordsConfig& from) {
  WordsConfig config{.name = from.name(), .source = from.source()};
  QUIPU_TRY(config.analyzer, read_object(from.analyzer_json(), "{}", "words.analyzer_json"));
  if (from.has_k1()) config.k1 = from.k1();
  if (from.has_b()) config.b = from.b();
  return config;
}

Result<PayloadIndexConfig> read_index(const pb::PayloadIndexConfig& from) {
  PayloadIndexConfig config;
  QUIPU_TRY(config.key, read_path(from.key(), "payload_indexes.key"));
  const auto found = std::ranges::find(kIndexKinds, from.kind());
  if (found == kIndexKinds.end()) {
    return bad_field("payload_indexes.kind",
                     format("\"{}\" is none of {}", from.kind(), query::name_list(kIndexKinds)));
  }
  config.kind = static_cast<PayloadIndexKind>(found - kIndexKinds.begin());
  QUIPU_TRY(config.options, read_object(from.options_json(), "{}", "payload_indexes.options_json"));
  return config;
}

Result<CollectionConfig> read_config(const pb::CollectionConfig& from) {
  CollectionConfig config;
  if (from.vectors().empty() && from.words().empty()) {
    return bad_field("config", "must have vectors or words", "missing_field");
  }
  for (const pb::VectorConfig& each : from.vectors()) {
    QUIPU_TRY(VectorConfig vector,
              read_vector(each, format("config.vectors[{}]", config.vectors.size())));
    config.vectors.push_back(std::move(vector));
  }
  for (const pb::WordsConfig& each : from.words()) {
    QUIPU_TRY(WordsConfig words, read_words(each));
    config.words.push_back(std::move(words));
  }
  for (const pb::PayloadIndexConfig& each : from.payload_indexes()) {
    QUIPU_TRY(PayloadIndexConfig index, read_index(each));
    config.payload_indexes.push_back(std::move(index));
  }
  QUIPU_TRY_OK(
      check_within(from.shard_count(), 0, limits::kShardsPerCollectionMax, "config.shard_count"));
  config.shard_count = std::max(from.shard_count(), 1U);
  QUIPU_TRY(const std::optional<Durability> durability, read_durability(from.durability()));
  config.durability = durability.value_or(Durability::kSync);
  if (from.has_tail_vectors_max()) config.tail_vectors_max = from.tail_vectors_max();
  return config;
}

Result<CollectionPatch> read_collection_patch(const pb::UpdateCollectionRequest& from) {
  CollectionPatch patch;
  QUIPU_TRY(patch.durability, read_durability(from.durability()));
  if (from.has_tail_vectors_max()) patch.tail_vectors_max = from.tail_vectors_max();
  for (const pb::WordsConfig& each : from.add_words()) {
    QUIPU_TRY(WordsConfig words, read_words(each));
    patch.add_words.push_back(std::move(words));
  }
  for (const pb::PayloadIndexConfig& each : from.add_payload_indexes()) {
    QUIPU_TRY(PayloadIndexConfig index, read_index(each));
    patch.add_payload_indexes.push_back(std::move(index));
  }
  QUIPU_TRY(patch.drop_words, read_names(from.drop_words(), limits::kWordsFieldsMax, "drop_words"));
  QUIPU_TRY(
      patch.drop_payload_indexes,
      read_paths(from.drop_payload_indexes(), limits::kPayloadIndexesMax, "drop_payload_indexes"));
  if (!patch.durability && !patch.tail_vectors_max && patch.add_words.empty() &&
      patch.drop_words.empty() && patch.add_payload_indexes.empty() &&
      patch.drop_payload_indexes.empty()) {
    return bad_field("the message",
                     "must change something: durability, tail_vectors_max, add_words, drop_words, "
                     "add_payload_indexes or drop_payload_indexes");
  }
  return patch;
}

Result<VectorChange> read_vector_change(const pb::VectorChange& from, std::size_t index) {
  const std::string field = format("changes[{}]", index);
  VectorChange change;
  switch (from.change_case()) {
    case pb::VectorChange::kAdd: {
      QUIPU_TRY(change.vector, read_vector(from.add(), field + ".add"));
      return change;
    }
    case pb::VectorChange::kDrop:
      change.kind = VectorChange::Kind::kDrop;
      change.name = from.drop();
      return change;
    case pb::VectorChange::kRename:
      change.kind = VectorChange::Kind::kRename;
      change.name = from.rename().from();
      change.to = from.rename().to();
      return change;
    case pb::VectorChange::CHANGE_NOT_SET: break;
  }
  return bad_field(field, "must have one of add, drop and rename");
}

Result<std::vector<VectorChange>> read_vector_changes(const pb::ChangeVectorsRequest& from) {
  QUIPU_TRY_OK(check_items(from.changes_size(), 1, limits::kVectorChangesMax, "changes"));
  std::vector<VectorChange> changes;
  for (const pb::VectorChange& each : from.changes()) {
    QUIPU_TRY(VectorChange change, read_vector_change(each, changes.size()));
    changes.push_back(std::move(change));
  }
  return changes;
}

// ---------------------------------------------------------------- writing

pb::Metric metric_of(Metric metric) {
  switch (metric) {
    case Metric::kCosine: return pb::METRIC_COSINE;
    case Metric::kDot: return pb::METRIC_DOT;
    case Metric::kEuclidean: return pb::METRIC_EUCLIDEAN;
    case Metric::kManhattan: return pb::METRIC_MANHATTAN;
  }
  return pb::METRIC_COSINE;
}

pb::VectorKind kind_of(VectorKind kind) {
  switch (kind) {
    case VectorKind::kDense: return pb::VECTOR_KIND_DENSE;
    case VectorKind::kSparse: return pb::VECTOR_KIND_SPARSE;
    case VectorKind::kMulti: return pb::VECTOR_KIND_MULTI;
  }
  return pb::VECTOR_KIND_DENSE;
}

void fill_config(const CollectionConfig& config, pb::CollectionConfig& out) {
  for (const VectorConfig& each : config.vectors) {
    pb::VectorConfig& vector = *out.add_vectors();
    vector.set_name(each.name);
    vector.set_kind(kind_of(each.kind));
    vector.set_dim(each.dim);
    vector.set_metric(metric_of(each.metric));
    vector.set_model(each.model);
    vector.set_exact(each.index == IndexKind::kFlat);
    vector.set_m(each.m);
    vector.set_ef_construction(each.ef_construction);
    vector.set_idf(each.idf);
  }
  for (const WordsConfig& each : config.words) {
    pb::WordsConfig& words = *out.add_words();
    words.set_name(each.name);
    words.set_source(each.source);
    words.set_analyzer_json(each.analyzer);
    words.set_k1(each.k1);
    words.set_b(each.b);
  }
  for (const PayloadIndexConfig& each : config.payload_indexes) {
    pb::PayloadIndexConfig& index = *out.add_payload_indexes();
    index.set_key(each.key);
    index.set_kind(std::string(kIndexKinds[static_cast<std::size_t>(each.kind)]));
    index.set_options_json(each.options);
  }
  out.set_shard_count(config.shard_count);
  out.set_durability(config.durability == Durability::kSync ? pb::DURABILITY_SYNC
                                                            : pb::DURABILITY_ASYNC);
  out.set_tail_vectors_max(config.tail_vectors_max);
}

void fill_info(const CollectionInfo& info, pb::CollectionInfo& out) {
  out.set_name(info.name);
  fill_config(info.config, *out.mutable_config());
  out.set_points(info.points);
  out.set_created_us(info.created_us);
  for (const VectorStatus& each : info.vectors) {
    pb::ViewStatus& view = *out.add_views();
    view.set_name(each.name);
    view.set_kind(each.kind);
    view.set_state(each.state);
    view.set_live(each.live);
    view.set_tail(each.tail);
    view.set_linked(each.linked);
    view.set_memory_bytes(each.memory_bytes);
    view.set_mapped_bytes(each.mapped_bytes);
    view.set_closed(each.closed);
  }
  out.set_seq(info.seq);
  out.set_log_operations(info.log_operations);
}

}  // namespace

void reply_info(const CallPtr& call, const Result<CollectionInfo>& info) {
  if (!info.ok()) return call->fail(info.error());
  pb::CollectionInfo answer;
  fill_info(info.value(), answer);
  reply_message(call, answer);
}
void list_collections(const CallPtr& call) {
  pb::ListCollectionsRequest request;
  if (!parse_message(call, request)) return;
  pb::ListCollectionsResponse answer;
  for (const CollectionInfo& info : call->core().engine.collections(call->tenant())) {
    fill_info(info, *answer.add_collections());
  }
  reply_message(call, answer);
}

void create_collection(const CallPtr& call) {
  pb::CreateCollectionRequest request;
  if (!parse_message(call, request)) return;
  auto config = read_config(request.config());
  if (!config.ok()) return call->fail(config.error());
  reply_info(call, call->core().engine.create_collection(call->tenant(), request.name(),
                                                         std::move(config).value()));
}

void get_collection(const CallPtr& call) {
  pb::GetCollectionRequest request;
  if (!parse_message(call, request)) return;
  reply_info(call, call->core().engine.collection(call->tenant(), request.name()));
}

void update_collection(const CallPtr& call) {
  pb::UpdateCollectionRequest request;
  if (!parse_message(call, request)) return;
  const auto patch = read_collection_patch(request);
  if (!patch.ok()) return call->fail(patch.error());
  reply_info(call,
             call->core().engine.update_collection(call->tenant(), request.name(), patch.value()));
}

void change_vectors(const CallPtr& call) {
  pb::ChangeVectorsRequest request;
  if (!parse_message(call, request)) return;
  const auto changes = read_vector_changes(request);
  if (!changes.ok()) return call->fail(changes.error());
  reply_info(call,
             call->core().engine.change_vectors(call->tenant(), request.name(), changes.value()));
}

void delete_collection(const CallPtr& call) {
  pb::DeleteCollectionRequest request;
  if (!parse_message(call, request)) return;
  const Status dropped = call->core().engine.drop_collection(call->tenant(), request.name());
  if (!dropped.ok()) return call->fail(dropped.error());
  reply_message(call, pb::DeleteCollectionResponse());
}

}  // namespace quipu::api::grpc::v1
