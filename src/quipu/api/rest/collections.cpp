// Collections: create, look at, change, drop.
#include <string>

#include "quipu/api/call.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

SchemaPtr<Durability> durability_schema() {
  return names<Durability>({{"sync", Durability::kSync}, {"async", Durability::kAsync}});
}

SchemaPtr<VectorConfig> vector_schema() {
  return Object<VectorConfig>("VectorConfig", "One named vector of every point.")
      .optional("name", &VectorConfig::name, text(0, 64),
                "\"\" (the usual single one) unless given; letters, digits, _ and -.")
      .optional("dim", &VectorConfig::dim, integer<std::uint32_t>(1, limits::kDimMax),
                "How many numbers; with a model, the model's unless given.")
      .optional("metric", &VectorConfig::metric,
                names<Metric>({{"cosine", Metric::kCosine},
                               {"dot", Metric::kDot},
                               {"euclidean", Metric::kEuclidean},
                               {"manhattan", Metric::kManhattan}}),
                "How two are compared; cosine unless given.")
      .optional("model", &VectorConfig::model, text(1, 255),
                "The model that embeds texts into this vector; callers bring vectors without one.")
      .optional("index", &VectorConfig::index,
                names<IndexKind>({{"hnsw", IndexKind::kHnsw}, {"flat", IndexKind::kFlat}}),
                "hnsw unless given; flat is exact and scans.")
      .optional("m", &VectorConfig::m, integer<std::uint32_t>(2, 128),
                "Links of a node; 16 unless given.")
      .optional("ef_construction", &VectorConfig::ef_construction,
                integer<std::uint32_t>(2, 10'000), "Effort of building; 200 unless given.")
      .done();
}

const SchemaPtr<CollectionConfig>& create_schema() {
  static const SchemaPtr<CollectionConfig> schema =
      Object<CollectionConfig>("CollectionConfig", "What a new collection is like.")
          .required("vectors", &CollectionConfig::vectors,
                    array(vector_schema(), 1, limits::kVectorsPerCollectionMax),
                    "The vectors of every point, by distinct names.")
          .optional("shard_count", &CollectionConfig::shard_count,
                    integer<std::uint32_t>(1, limits::kShardsPerCollectionMax),
                    "Fixed for the collection's life; 1 unless given.")
          .optional("durability", &CollectionConfig::durability, durability_schema(),
                    "sync (survives a power cut when acknowledged) unless given.")
          .optional("tail_vectors_max", &CollectionConfig::tail_vectors_max,
                    integer<std::uint32_t>(1, 100'000'000),
                    "Unlinked vectors of a shard before writes wait; 50000 unless given.")
          .done();
  return schema;
}

const SchemaPtr<CollectionPatch>& patch_schema() {
  static const SchemaPtr<CollectionPatch> schema =
      Object<CollectionPatch>("CollectionPatch", "What may change after creation.")
          .optional("durability", &CollectionPatch::durability, maybe(durability_schema()),
                    "sync or async.")
          .optional("tail_vectors_max", &CollectionPatch::tail_vectors_max,
                    maybe(integer<std::uint32_t>(1, 100'000'000)),
                    "Unlinked vectors of a shard before writes wait.")
          .check([](const CollectionPatch& patch, const Path& at, FieldErrors& errors) {
            if (patch.durability || patch.tail_vectors_max) return;
            errors.add(at, "missing_field", "must have durability or tail_vectors_max");
          })
          .done();
  return schema;
}

void write_vector_config(JsonWriter& out, const VectorConfig& vector) {
  out.begin_object().key("name").value(std::string_view(vector.name));
  out.key("dim").value(vector.dim).key("metric").value(metric_name(vector.metric));
  out.key("model").value(std::string_view(vector.model));
  out.key("index").value(vector.index == IndexKind::kFlat ? "flat" : "hnsw");
  out.key("m").value(vector.m).key("ef_construction").value(vector.ef_construction);
  out.end_object();
}

void write_vector_status(JsonWriter& out, const VectorStatus& status) {
  out.begin_object().key("name").value(std::string_view(status.name));
  out.key("state").value(std::string_view(status.state));
  out.key("live").value(status.live).key("tail").value(status.tail);
  out.key("linked").value(status.linked).key("closed").value(status.closed);
  out.key("memory_bytes").value(status.memory_bytes);
  out.key("mapped_bytes").value(status.mapped_bytes).end_object();
}

void write_collection(JsonWriter& out, const CollectionInfo& info) {
  out.begin_object().key("name").value(std::string_view(info.name));
  out.key("vectors").begin_array();
  for (const VectorConfig& vector : info.config.vectors) write_vector_config(out, vector);
  out.end_array();
  out.key("shard_count").value(info.config.shard_count);
  out.key("durability").value(info.config.durability == Durability::kSync ? "sync" : "async");
  out.key("tail_vectors_max").value(info.config.tail_vectors_max);
  write_time(out, "created_at", info.created_us);
  out.key("points").value(info.points).key("log_operations").value(info.log_operations);
  out.key("seq").value(std::string_view(info.seq));
  out.key("status").begin_array();
  for (const VectorStatus& status : info.vectors) write_vector_status(out, status);
  out.end_array().end_object();
}

void reply_collection(const CallPtr& call, int status, const Result<CollectionInfo>& info) {
  if (!info.ok()) return call->fail(info.error());
  Response response;
  response.status = status;
  JsonWriter out(response.body);
  write_collection(out, info.value());
  response.headers.emplace_back("Quipu-Seq", info.value().seq);
  call->reply(std::move(response));
}

}  // namespace

void list_collections(const CallPtr& call) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("collections").begin_array();
  for (const CollectionInfo& info : call->core().engine.collections(call->tenant())) {
    write_collection(out, info);
  }
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

void create_collection(const CallPtr& call) {
  auto config = call->body(create_schema());
  if (!config) return;
  reply_collection(call, 201,
                   call->core().engine.create_collection(call->tenant(), call->parameter(0),
                                                         std::move(*config)));
}

void get_collection(const CallPtr& call) {
  reply_collection(call, 200, call->core().engine.collection(call->tenant(), call->parameter(0)));
}

void update_collection(const CallPtr& call) {
  const auto patch = call->body(patch_schema());
  if (!patch) return;
  reply_collection(
      call, 200, call->core().engine.update_collection(call->tenant(), call->parameter(0), *patch));
}

void drop_collection(const CallPtr& call) {
  const Status dropped = call->core().engine.drop_collection(call->tenant(), call->parameter(0));
  if (!dropped.ok()) return call->fail(dropped.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("name").value(std::string_view(call->parameter(0)));
  out.key("dropped").value(true).end_object();
  call->reply_json(200, std::move(json));
}

void describe_create_collection(JsonWriter& out, Components& components) {
  create_schema()->describe(out, components, "");
}
void describe_update_collection(JsonWriter& out, Components& components) {
  patch_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
