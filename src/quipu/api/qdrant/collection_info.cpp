#include <algorithm>
#include <array>
#include <utility>

#include "quipu/api/qdrant/collection_config.h"
#include "quipu/api/qdrant/option_tables.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api::qdrant {
namespace {

// What answers say of options that nobody gave, where Qdrant's answers always have them. Only the
// graph's sizes do something here.
constexpr std::string_view kDefaultParams =
    R"({"replication_factor":1,"write_consistency_factor":1,"on_disk_payload":true})";
constexpr std::string_view kDefaultHnsw =
    R"({"m":16,"ef_construct":200,"full_scan_threshold":10000,"max_indexing_threads":0,)"
    R"("on_disk":false})";
constexpr std::string_view kDefaultOptimizers =
    R"({"deleted_threshold":0.2,"vacuum_min_vector_number":1000,"default_segment_number":0,)"
    R"("flush_interval_sec":5})";
constexpr std::string_view kDefaultWal =
    R"({"wal_capacity_mb":32,"wal_segments_ahead":0,"wal_retain_closed":1})";

std::string_view distance_name(Metric metric) {
  switch (metric) {
    case Metric::kCosine: return "Cosine";
    case Metric::kDot: return "Dot";
    case Metric::kEuclidean: return "Euclid";
    case Metric::kManhattan: return "Manhattan";
  }
  return "Cosine";
}

std::string_view schema_name(PayloadIndexKind kind) {
  switch (kind) {
    case PayloadIndexKind::kKeyword: return "keyword";
    case PayloadIndexKind::kInteger: return "integer";
    case PayloadIndexKind::kFloat: return "float";
    case PayloadIndexKind::kBool: return "bool";
    case PayloadIndexKind::kDatetime: return "datetime";
    case PayloadIndexKind::kUuid: return "uuid";
    case PayloadIndexKind::kGeo: return "geo";
    case PayloadIndexKind::kText: return "text";
  }
  return "keyword";
}

std::optional<JsonView> extras_of(JsonView extras, std::string_view list, std::string_view name) {
  const auto members = extras.find(list);
  return members ? members->find(name) : std::nullopt;
}

// The members of `defaults` and over them those of the extras' `name`, without the braces.
void write_with_defaults(JsonWriter& out, std::string_view defaults, JsonView extras,
                         std::string_view name) {
  const auto given = extras.find(name);
  const auto parsed = JsonDocument::parse(defaults);
  QUIPU_ASSERT(parsed.ok());
  std::string merged;
  JsonWriter merged_out(merged);
  const JsonView base = parsed.value().root();
  write_merged(merged_out, base, given ? *given : base, 1);
  const auto document = JsonDocument::parse(merged);
  QUIPU_ASSERT(document.ok());
  document.value().root().for_each_member([&out](std::string_view key, JsonView value) {
    out.key(key).raw(value.to_string());
    return true;
  });
}

void write_dense(JsonWriter& out, const VectorConfig& vector, JsonView extras) {
  out.begin_object().key("size").value(vector.dim);
  out.key("distance").value(distance_name(vector.metric));
  if (vector.kind == VectorKind::kMulti) {
    out.key("multivector_config").raw(R"({"comparator":"max_sim"})");
  }
  if (const auto own = extras_of(extras, "vectors", vector.name)) {
    write_options(out, *own, kVectorExtras);
  }
  out.end_object();
}

void write_vectors(JsonWriter& out, const CollectionConfig& config, JsonView extras) {
  const auto sparse = [](const VectorConfig& vector) { return vector.kind == VectorKind::kSparse; };
  std::size_t dense_count = 0;
  for (const VectorConfig& vector : config.vectors) dense_count += sparse(vector) ? 0 : 1;
  out.key("vectors");
  const auto unnamed = std::ranges::find_if(config.vectors, [&](const VectorConfig& vector) {
    return !sparse(vector) && vector.name.empty();
  });
  if (dense_count == 1 && unnamed != config.vectors.end()) {
    write_dense(out, *unnamed, extras);
  } else {
    out.begin_object();
    for (const VectorConfig& vector : config.vectors) {
      if (sparse(vector)) continue;
      out.key(vector.name);
      write_dense(out, vector, extras);
    }
    out.end_object();
  }
  if (dense_count == config.vectors.size()) return;
  out.key("sparse_vectors").begin_object();
  for (const VectorConfig& vector : config.vectors) {
    if (!sparse(vector)) continue;
    out.key(vector.name).begin_object();
    if (vector.idf) out.key("modifier").value("idf");
    if (const auto own = extras_of(extras, "sparse_vectors", vector.name)) {
      write_options(out, *own, kSparseVectorOptions);
    }
    out.end_object();
  }
  out.end_object();
}

void write_config(JsonWriter& out, const CollectionConfig& config, JsonView extras) {
  out.key("config").begin_object();
  out.key("params").begin_object();
  write_vectors(out, config, extras);
  out.key("shard_number").value(config.shard_count);
  write_with_defaults(out, kDefaultParams, extras, "params");
  out.end_object();
  out.key("hnsw_config").begin_object();
  write_with_defaults(out, kDefaultHnsw, extras, "hnsw_config");
  out.end_object().key("optimizer_config").begin_object();
  write_with_defaults(out, kDefaultOptimizers, extras, "optimizers_config");
  out.end_object().key("wal_config").begin_object();
  write_with_defaults(out, kDefaultWal, extras, "wal_config");
  out.end_object();
  for (const std::string_view name : {"quantization_config", "strict_mode_config", "metadata"}) {
    if (const auto value = extras.find(name)) out.key(name).raw(value->to_string());
  }
  out.end_object();
}

void write_payload_schema(JsonWriter& out, const CollectionInfo& info) {
  out.key("payload_schema").begin_object();
  for (const PayloadIndexConfig& index : info.config.payload_indexes) {
    const auto status = std::ranges::find_if(info.vectors, [&](const VectorStatus& view) {
      return view.kind == "payload" && view.name == index.key;
    });
    out.key(index.key).begin_object();
    out.key("data_type").value(schema_name(index.kind));
    // Options without a type are those of our own API, or none.
    const auto options = JsonDocument::parse(index.options);
    if (options.ok() && options.value().root().find("type")) {
      out.key("params").raw(index.options);
    }
    out.key("points").value(status == info.vectors.end() ? std::uint64_t{0} : status->live);
    out.end_object();
  }
  out.end_object();
}

struct Progress {
  bool busy = false;  // something is loaded or linked: answers are right, but slower
  std::uint64_t indexed = 0;
};

Progress progress_of(const CollectionInfo& info) {
  Progress progress;
  for (const VectorStatus& view : info.vectors) {
    progress.busy = progress.busy || view.state != "ready";
    if (view.kind == "sparse") progress.indexed += view.live;
    if (view.kind != "dense") continue;
    const auto config = std::ranges::find(info.config.vectors, view.name, &VectorConfig::name);
    const bool graph = config != info.config.vectors.end() && config->index == IndexKind::kHnsw;
    if (!graph) continue;
    progress.indexed += view.linked;
    progress.busy = progress.busy || view.tail > 0;
  }
  return progress;
}

}  // namespace

void write_collection_info(JsonWriter& out, const CollectionInfo& info, JsonView extras,
                           const EngineStatus& status) {
  const Progress progress = progress_of(info);
  const bool failed = status.state == "read_only";
  out.begin_object();
  out.key("status").value(failed ? "red" : progress.busy ? "yellow" : "green");
  out.key("optimizer_status");
  if (failed) {
    out.begin_object().key("error").value(std::string_view(status.state_reason)).end_object();
  } else {
    out.value("ok");
  }
  const bool quantized = extras.find("quantization_config").has_value();
  if (quantized) {
    out.key("warnings").begin_array().begin_object().key("message");
    out.value("quantization_config is stored only: searches use the full vectors").end_object();
    out.end_array();
  }
  out.key("indexed_vectors_count").value(progress.indexed);
  out.key("points_count").value(info.points);
  out.key("segments_count").value(info.config.shard_count);
  write_config(out, info.config, extras);
  write_payload_schema(out, info);
  out.key("created_at").value(std::string_view(telemetry::rfc3339(info.created_us)));
  out.end_object();
}

}  // namespace quipu::api::qdrant
