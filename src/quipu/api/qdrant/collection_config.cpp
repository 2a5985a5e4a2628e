#include "quipu/api/qdrant/collection_config.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/option_tables.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/query/request/json_reading.h"

namespace quipu::api::qdrant {
namespace {

using query::member;

constexpr std::uint64_t kMMax = 128;
constexpr std::uint64_t kEfConstructMax = 10'000;

// ---------------------------------------------------------------- parts

Result<Metric> read_distance(JsonView json, const Place& at) {
  constexpr std::array<std::string_view, 4> kNames = {"Cosine", "Dot", "Euclid", "Manhattan"};
  constexpr std::array kMetrics = {Metric::kCosine, Metric::kDot, Metric::kEuclidean,
                                   Metric::kManhattan};
  QUIPU_TRY(const std::size_t choice, query::read_choice(json, kNames, at));
  return kMetrics[choice];
}

Status check_hnsw(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_options(json, kHnswOptions, at));
  if (const auto m = member(json, "m"); m && m->as_uint64() != 0) {
    QUIPU_TRY_OK(query::read_count(*m, 2, kMMax, Place(at, "m")));
  }
  if (const auto ef = member(json, "ef_construct")) {
    QUIPU_TRY_OK(query::read_count(*ef, 4, kEfConstructMax, Place(at, "ef_construct")));
  }
  return ok_status();
}

Status check_quantization(JsonView json, const Place& at) {
  constexpr std::array<std::string_view, 4> kNames = {"scalar", "product", "binary", "turbo"};
  QUIPU_TRY_OK(query::check_object(json, "an object", at));
  QUIPU_TRY_OK(query::check_members(json, kNames, at));
  const auto present = query::present(json, kNames);
  if (present.size() != 1) {
    return at.error("must have exactly one of " + query::name_list(kNames), query::kInvalidQuery);
  }
  const std::string_view name = present.front();
  const Options options = name == "scalar"    ? Options(kScalarOptions)
                          : name == "product" ? Options(kProductOptions)
                          : name == "binary"  ? Options(kBinaryOptions)
                                              : Options(kTurboOptions);
  return check_options(*member(json, name), options, Place(at, name));
}

Status check_strict_mode(JsonView json, const Place& at) {
  QUIPU_TRY_OK(query::check_object(json, "an object", at));
  const auto enabled = member(json, "enabled");
  if (!enabled) return ok_status();
  QUIPU_TRY(const bool on, query::read_bool(*enabled, Place(at, "enabled")));
  if (!on) return ok_status();
  return not_built(Place(at, "enabled").text() +
                   ": limits of a collection are not built; the server has its own");
}

Status check_optimizers(JsonView json, const Place& at) {
  QUIPU_TRY_OK(check_options(json, kOptimizerOptions, at));
  const auto threads = member(json, "max_optimization_threads");
  if (threads && threads->as_string() != "auto" && !threads->as_uint64()) {
    return query::expected("an unsigned integer or \"auto\"", *threads,
                           Place(at, "max_optimization_threads"));
  }
  return ok_status();
}

Status check_params(JsonView json, Options options, const Place& at) {
  QUIPU_TRY_OK(check_options(json, options, at));
  for (const std::string_view name : {"payload", "id_tracker"}) {
    if (const auto json_part = member(json, name)) {
      QUIPU_TRY_OK(check_options(*json_part, kMemoryOptions, Place(at, name)));
    }
  }
  return ok_status();
}

// Checks the members that a new collection and an update of one both have.
Status check_common(JsonView body, const Place& at) {
  if (const auto json = member(body, "optimizers_config")) {
    QUIPU_TRY_OK(check_optimizers(*json, Place(at, "optimizers_config")));
  }
  if (const auto json = member(body, "hnsw_config")) {
    QUIPU_TRY_OK(check_hnsw(*json, Place(at, "hnsw_config")));
  }
  if (const auto json = member(body, "strict_mode_config")) {
    QUIPU_TRY_OK(check_strict_mode(*json, Place(at, "strict_mode_config")));
  }
  if (const auto json = member(body, "metadata")) {
    QUIPU_TRY_OK(query::check_object(*json, "an object", Place(at, "metadata")));
  }
  return ok_status();
}

// Writes an object's members that are not null; "auto" is the default of its option.
void write_present(JsonWriter& out, std::string_view name, JsonView object) {
  out.key(name).begin_object();
  object.for_each_member([&](std::string_view key, JsonView value) {
    const bool automatic = key == "max_optimization_threads" && value.is_string();
    if (!value.is_null() && !automatic) out.key(key).raw(value.to_string());
    return true;
  });
  out.end_object();
}

// ---------------------------------------------------------------- a new collection

// What the vector's graph is made of: its own sizes, else the collection's, else ours.
std::optional<std::uint64_t> graph_size(JsonView body, JsonView vector, std::string_view name) {
  for (const JsonView from : {vector, body}) {
    const auto hnsw = member(from, "hnsw_config");
    if (!hnsw) continue;
    if (const auto value = member(*hnsw, name)) return value->as_uint64();
  }
  return std::nullopt;
}

Result<VectorConfig> read_vector_config(JsonView body, JsonView json, std::string_view name,
                                        const Place& at) {
  QUIPU_TRY_OK(check_options(json, kVectorOptions, at));
  VectorConfig config{.name = std::string(name)};
  QUIPU_TRY(const JsonView size, query::required(json, "size", at));
  QUIPU_TRY(const std::uint64_t dim,
            query::read_count(size, 1, limits::kDimMax, Place(at, "size")));
  config.dim = static_cast<std::uint32_t>(dim);
  QUIPU_TRY(const JsonView distance, query::required(json, "distance", at));
  QUIPU_TRY(config.metric, read_distance(distance, Place(at, "distance")));
  if (const auto multi = member(json, "multivector_config")) {
    constexpr std::array<std::string_view, 1> kMembers = {"comparator"};
    constexpr std::array<std::string_view, 1> kComparators = {"max_sim"};
    const Place here(at, "multivector_config");
    QUIPU_TRY_OK(query::check_object(*multi, "an object", here));
    QUIPU_TRY_OK(query::check_members(*multi, kMembers, here));
    QUIPU_TRY(const JsonView comparator, query::required(*multi, "comparator", here));
    QUIPU_TRY_OK(query::read_choice(comparator, kComparators, Place(here, "comparator")));
    config.kind = VectorKind::kMulti;
  }
  if (const auto hnsw = member(json, "hnsw_config")) {
    QUIPU_TRY_OK(check_hnsw(*hnsw, Place(at, "hnsw_config")));
  }
  if (const auto quantization = member(json, "quantization_config")) {
    QUIPU_TRY_OK(check_quantization(*quantization, Place(at, "quantization_config")));
  }
  const auto m = graph_size(body, json, "m");
  if (m == 0) {
    config.index = IndexKind::kFlat;
  } else if (m) {
    config.m = static_cast<std::uint32_t>(*m);
  }
  if (const auto ef = graph_size(body, json, "ef_construct")) {
    config.ef_construction = static_cast<std::uint32_t>(*ef);
  }
  return config;
}

// Reads what a sparse vector's options say to the engine.
Result<VectorConfig> read_sparse_modifier(JsonView json, std::string_view name, const Place& at) {
  constexpr std::array<std::string_view, 2> kModifiers = {"none", "idf"};
  VectorConfig config{.name = std::string(name), .kind = VectorKind::kSparse};
  config.metric = Metric::kDot;
  if (const auto modifier = member(json, "modifier")) {
    QUIPU_TRY(const std::size_t choice,
              query::read_choice(*modifier, kModifiers, Place(at, "modifier")));
    config.idf = choice == 1;
  }
  return config;
}

Result<VectorConfig> read_sparse_config(JsonView json, std::string_view name, const Place& at) {
  QUIPU_TRY_OK(check_options(json, kSparseVectorOptions, at));
  QUIPU_TRY(VectorConfig config, read_sparse_modifier(json, name, at));
  if (const auto index = member(json, "index")) {
    QUIPU_TRY_OK(check_options(*index, kSparseIndexOptions, Place(at, "index")));
  }
  return config;
}

// Calls read(json, name, place) for each member of an object of named vectors.
template <typename Read>
Status read_named(JsonView json, const Place& at, const Read& read) {
  QUIPU_TRY_OK(query::check_object(json, "an object of named vectors", at));
  Status status = ok_status();
  json.for_each_member([&](std::string_view name, JsonView value) {
    status = read(value, name, Place(at, name));
    return status.ok();
  });
  return status;
}

Status read_vector_configs(JsonView body, const Place& at, CollectionConfig& config) {
  if (const auto json = member(body, "vectors")) {
    const Place here(at, "vectors");
    QUIPU_TRY_OK(query::check_object(*json, "an object", here));
    const auto size = member(*json, "size");
    if (size && !size->is_object()) {
      QUIPU_TRY(VectorConfig vector, read_vector_config(body, *json, "", here));
      config.vectors.push_back(std::move(vector));
    } else {
      QUIPU_TRY_OK(read_named(
          *json, here, [&](JsonView one, std::string_view name, const Place& place) -> Status {
            QUIPU_TRY(VectorConfig vector, read_vector_config(body, one, name, place));
            config.vectors.push_back(std::move(vector));
            return ok_status();
          }));
    }
  }
  const auto sparse = member(body, "sparse_vectors");
  if (!sparse) return ok_status();
  return read_named(*sparse, Place(at, "sparse_vectors"),
                    [&](JsonView one, std::string_view name, const Place& place) -> Status {
                      QUIPU_TRY(VectorConfig vector, read_sparse_config(one, name, place));
                      config.vectors.push_back(std::move(vector));
                      return ok_status();
                    });
}

// The extras of one vector: what of its options is only stored.
void write_vector_extras(JsonWriter& out, std::string_view name, JsonView json) {
  out.key(name).begin_object();
  for (const Option& option : kVectorExtras) {
    const auto value = member(json, option.name);
    if (!value) continue;
    if (option.name == "hnsw_config") {
      write_present(out, option.name, *value);
    } else {
      out.key(option.name).raw(value->to_string());
    }
  }
  out.end_object();
}

void write_extras_of_vectors(JsonWriter& out, JsonView body) {
  if (const auto json = member(body, "vectors")) {
    out.key("vectors").begin_object();
    const auto size = member(*json, "size");
    if (size && !size->is_object()) {
      write_vector_extras(out, "", *json);
    } else {
      json->for_each_member([&out](std::string_view name, JsonView one) {
        write_vector_extras(out, name, one);
        return true;
      });
    }
    out.end_object();
  }
  const auto sparse = member(body, "sparse_vectors");
  if (!sparse) return;
  out.key("sparse_vectors").begin_object();
  sparse->for_each_member([&out](std::string_view name, JsonView one) {
    out.key(name).begin_object();
    if (const auto index = member(one, "index")) write_present(out, "index", *index);
    out.end_object();
    return true;
  });
  out.end_object();
}

}  // namespace

Result<NewCollection> read_new_collection(JsonView body) {
  constexpr std::array<std::string_view, 15> kMembers = {
      "vectors",           "shard_number",
      "sharding_method",   "replication_factor",
      "hnsw_config",       "wal_config",
      "optimizers_config", "write_consistency_factor",
      "on_disk_payload",   "payload",
      "id_tracker",        "quantization_config",
      "sparse_vectors",    "strict_mode_config",
      "metadata"};
  constexpr std::array kOwnParams = {
      Option{"replication_factor", OptionKind::kCount},
      Option{"write_consistency_factor", OptionKind::kCount},
      Option{"on_disk_payload", OptionKind::kFlag},
      Option{"payload", OptionKind::kAny},
      Option{"id_tracker", OptionKind::kAny},
  };
  constexpr std::array<std::string_view, 2> kMethods = {"auto", "custom"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, kMembers, at));
  QUIPU_TRY_OK(check_common(body, at));
  if (const auto method = member(body, "sharding_method")) {
    QUIPU_TRY(const std::size_t choice,
              query::read_choice(*method, kMethods, Place(at, "sharding_method")));
    if (choice == 1) {
      return not_built(
          "sharding_method: sharding by keys of the caller is not built; points go to "
          "shards by their ids");
    }
  }
  if (const auto json = member(body, "wal_config")) {
    QUIPU_TRY_OK(check_options(*json, kWalOptions, Place(at, "wal_config")));
  }
  if (const auto json = member(body, "quantization_config")) {
    QUIPU_TRY_OK(check_quantization(*json, Place(at, "quantization_config")));
  }
  NewCollection made;
  QUIPU_TRY_OK(read_vector_configs(body, at, made.config));
  if (const auto json = member(body, "shard_number")) {
    QUIPU_TRY(
        const std::uint64_t shards,
        query::read_count(*json, 1, limits::kShardsPerCollectionMax, Place(at, "shard_number")));
    made.config.shard_count = static_cast<std::uint32_t>(shards);
  }
  JsonWriter out(made.extras);
  std::string params;
  JsonWriter params_out(params);
  params_out.begin_object();
  write_options(params_out, body, kOwnParams);
  params_out.end_object();
  QUIPU_TRY(const JsonDocument own, JsonDocument::parse(params));
  QUIPU_TRY_OK(check_params(own.root(), kOwnParams, at));
  out.begin_object();
  if (own.root().size() > 0) out.key("params").raw(params);
  for (const std::string_view name : {"hnsw_config", "optimizers_config", "wal_config",
                                      "quantization_config", "strict_mode_config", "metadata"}) {
    const auto json = member(body, name);
    if (!json) continue;
    if (name == "metadata") {
      out.key(name).raw(json->to_string());
    } else {
      write_present(out, name, *json);
    }
  }
  write_extras_of_vectors(out, body);
  out.end_object();
  return made;
}

// ---------------------------------------------------------------- a vector that is added later

Result<NewVector> read_new_vector(JsonView body, std::string_view name) {
  constexpr std::array<std::string_view, 2> kMembers = {"dense", "sparse"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, kMembers, at));
  if (query::present(body, kMembers).size() != 1) {
    return at.error("must have exactly one of " + query::name_list(kMembers), query::kInvalidQuery);
  }
  NewVector made;
  JsonWriter out(made.extras);
  out.begin_object();
  if (const auto dense = member(body, "dense")) {
    const Place here(at, "dense");
    QUIPU_TRY_OK(check_options(*dense, kNewDenseOptions, here));
    QUIPU_TRY(made.config, read_vector_config(body, *dense, name, here));
    out.key("vectors").begin_object();
    write_vector_extras(out, name, *dense);
    out.end_object();
  } else {
    const Place here(at, "sparse");
    const JsonView sparse = *member(body, "sparse");
    QUIPU_TRY_OK(check_options(sparse, kNewSparseOptions, here));
    QUIPU_TRY(made.config, read_sparse_modifier(sparse, name, here));
    out.key("sparse_vectors").begin_object().key(name).begin_object();
    if (const auto datatype = member(sparse, "datatype")) {
      out.key("index").begin_object().key("datatype").raw(datatype->to_string()).end_object();
    }
    out.end_object().end_object();
  }
  out.end_object();
  return made;
}

Result<std::string> replaced_vector_extras(std::string_view extras, std::string_view vector,
                                           std::string_view more) {
  constexpr int kLevels = 2;  // the kinds of vectors, and their names
  std::string removal;
  JsonWriter out(removal);
  out.begin_object();
  for (const std::string_view kind : {"vectors", "sparse_vectors"}) {
    out.key(kind).begin_object().key(vector).null().end_object();
  }
  out.end_object();
  QUIPU_TRY(const JsonDocument before, JsonDocument::parse(extras));
  QUIPU_TRY(const JsonDocument without, JsonDocument::parse(removal));
  QUIPU_TRY(const JsonDocument added, JsonDocument::parse(more));
  std::string left;
  JsonWriter left_out(left);
  write_merged(left_out, before.root(), without.root(), kLevels);
  QUIPU_TRY(const JsonDocument rest, JsonDocument::parse(left));
  std::string after;
  JsonWriter after_out(after);
  write_merged(after_out, rest.root(), added.root(), kLevels);
  return after;
}

// ---------------------------------------------------------------- updates

namespace {

// Refuses another size of a graph than the vector has.
Status check_same_graph(JsonView hnsw, const VectorConfig& vector, const Place& at) {
  const std::uint64_t m_now = vector.index == IndexKind::kFlat ? 0 : vector.m;
  const auto m = member(hnsw, "m");
  const auto ef = member(hnsw, "ef_construct");
  if (m && m->as_uint64() != m_now) {
    return not_built(
        format("{}: the graph has {}; building it anew with another number is not "
               "built",
               Place(at, "m").text(), m_now));
  }
  if (ef && ef->as_uint64() != vector.ef_construction) {
    return not_built(
        format("{}: the graph has {}; building it anew with another number is not "
               "built",
               Place(at, "ef_construct").text(), vector.ef_construction));
  }
  return ok_status();
}

Result<const VectorConfig*> find_vector(const CollectionConfig& config, std::string_view name,
                                        bool sparse, const Place& at) {
  const auto found = std::ranges::find(config.vectors, name, &VectorConfig::name);
  if (found == config.vectors.end() || (found->kind == VectorKind::kSparse) != sparse) {
    return Error{ErrorCode::kInvalidArgument,
                 format("{}: the collection has no such vector", at.text()), "vector_not_found"};
  }
  return &*found;
}

bool is_disabled(JsonView json) { return json.as_string() == "Disabled"; }

// Checks the change of one dense vector and writes it as a patch of its extras.
Status change_vector(JsonView json, std::string_view name, const CollectionConfig& config,
                     const Place& at, JsonWriter& patch) {
  QUIPU_TRY(const VectorConfig* vector, find_vector(config, name, false, at));
  QUIPU_TRY_OK(check_options(json, kVectorChanges, at));
  patch.key(name).begin_object();
  if (const auto hnsw = member(json, "hnsw_config")) {
    const Place here(at, "hnsw_config");
    QUIPU_TRY_OK(check_hnsw(*hnsw, here));
    QUIPU_TRY_OK(check_same_graph(*hnsw, *vector, here));
    if (hnsw->size() == 0) {
      patch.key("hnsw_config").null();
    } else {
      write_present(patch, "hnsw_config", *hnsw);
    }
  }
  if (const auto quantization = member(json, "quantization_config")) {
    if (is_disabled(*quantization)) {
      patch.key("quantization_config").null();
    } else {
      QUIPU_TRY_OK(check_quantization(*quantization, Place(at, "quantization_config")));
      patch.key("quantization_config").raw(quantization->to_string());
    }
  }
  for (const std::string_view option : {"on_disk", "memory"}) {
    if (const auto value = member(json, option)) patch.key(option).raw(value->to_string());
  }
  patch.end_object();
  return ok_status();
}

Status change_sparse(JsonView json, std::string_view name, const CollectionConfig& config,
                     const Place& at, JsonWriter& patch) {
  QUIPU_TRY(const VectorConfig* vector, find_vector(config, name, true, at));
  QUIPU_TRY(const VectorConfig asked, read_sparse_config(json, name, at));
  if (member(json, "modifier") && asked.idf != vector->idf) {
    return not_built(Place(at, "modifier").text() + ": changing it later is not built");
  }
  patch.key(name).begin_object();
  if (const auto index = member(json, "index")) write_present(patch, "index", *index);
  patch.end_object();
  return ok_status();
}

Status write_patch(JsonView body, const CollectionConfig& config, const Place& at,
                   JsonWriter& patch) {
  patch.begin_object();
  for (const std::string_view name :
       {"params", "hnsw_config", "optimizers_config", "strict_mode_config"}) {
    if (const auto json = member(body, name)) write_present(patch, name, *json);
  }
  // Nulls in it remove keys.
  if (const auto json = member(body, "metadata")) patch.key("metadata").raw(json->to_string());
  if (const auto json = member(body, "quantization_config")) {
    if (is_disabled(*json)) {
      patch.key("quantization_config").null();
    } else {
      QUIPU_TRY_OK(check_quantization(*json, Place(at, "quantization_config")));
      patch.key("quantization_config").raw(json->to_string());
    }
  }
  if (const auto json = member(body, "vectors")) {
    patch.key("vectors").begin_object();
    QUIPU_TRY_OK(read_named(*json, Place(at, "vectors"),
                            [&](JsonView one, std::string_view name, const Place& place) {
                              return change_vector(one, name, config, place, patch);
                            }));
    patch.end_object();
  }
  if (const auto json = member(body, "sparse_vectors")) {
    patch.key("sparse_vectors").begin_object();
    QUIPU_TRY_OK(read_named(*json, Place(at, "sparse_vectors"),
                            [&](JsonView one, std::string_view name, const Place& place) {
                              return change_sparse(one, name, config, place, patch);
                            }));
    patch.end_object();
  }
  patch.end_object();
  return ok_status();
}

}  // namespace

Result<std::string> updated_extras(JsonView body, const CollectionConfig& config,
                                   std::string_view extras) {
  constexpr std::array<std::string_view, 8> kMembers = {
      "vectors",        "optimizers_config",  "params",  "hnsw_config", "quantization_config",
      "sparse_vectors", "strict_mode_config", "metadata"};
  const Place at("");
  QUIPU_TRY_OK(query::check_object(body, "an object", at));
  QUIPU_TRY_OK(query::check_members(body, kMembers, at));
  QUIPU_TRY_OK(check_common(body, at));
  if (const auto json = member(body, "params")) {
    QUIPU_TRY_OK(check_params(*json, kParamsOptions, Place(at, "params")));
  }
  if (const auto hnsw = member(body, "hnsw_config")) {
    for (const VectorConfig& vector : config.vectors) {
      if (vector.kind != VectorKind::kDense) continue;
      QUIPU_TRY_OK(check_same_graph(*hnsw, vector, Place(at, "hnsw_config")));
    }
  }
  std::string patch_json;
  JsonWriter patch(patch_json);
  QUIPU_TRY_OK(write_patch(body, config, at, patch));
  QUIPU_TRY(const JsonDocument before, JsonDocument::parse(extras));
  QUIPU_TRY(const JsonDocument change, JsonDocument::parse(patch_json));
  constexpr std::array<std::string_view, 9> kStored = {"params",
                                                       "hnsw_config",
                                                       "optimizers_config",
                                                       "wal_config",
                                                       "quantization_config",
                                                       "strict_mode_config",
                                                       "metadata",
                                                       "vectors",
                                                       "sparse_vectors"};
  std::string after;
  JsonWriter out(after);
  out.begin_object();
  for (const std::string_view name : kStored) {
    const auto old = before.root().find(name);
    const auto fresh = change.root().find(name);
    if (!old && !fresh) continue;
    if (!fresh) {
      out.key(name).raw(old->to_string());
      continue;
    }
    if (fresh->is_null()) continue;
    out.key(name);
    if (name == "quantization_config") {
      out.raw(fresh->to_string());
      continue;
    }
    // Of vectors: their names, the options of each, the members of an option.
    const int levels = name.ends_with("vectors") ? 3 : 1;
    write_merged(out, old ? *old : *fresh, *fresh, levels);
  }
  out.end_object();
  return after;
}

}  // namespace quipu::api::qdrant
