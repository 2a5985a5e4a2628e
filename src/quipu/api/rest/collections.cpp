// Collections: create, look at, change, drop.
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/api/rest/language_schemas.h"
#include "quipu/api/rest/select_schema.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::api::rest {
namespace {

SchemaPtr<Durability> durability_schema() {
  return names<Durability>({{"sync", Durability::kSync}, {"async", Durability::kAsync}});
}

// A payload key, or "" for the point's text.
class SourcePathSchema final : public Schema<std::string> {
 public:
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    into.clear();
    if (json.as_string() != "") path_->read(json, into, at, errors);
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("string");
    out.key("maxLength").value(std::uint64_t{limits::kFilterStringBytesMax});
    write_doc(out, doc);
    out.end_object();
  }

 private:
  const SchemaPtr<std::string> path_ = payload_path();
};
SchemaPtr<std::string> source_path() { return std::make_shared<SourcePathSchema>(); }

// Of vectors and words: letters, digits, _ and -.
class FieldNameSchema final : public Schema<std::string> {
 public:
  explicit FieldNameSchema(std::size_t least)
      : least_(least), text_(text(least, kFieldNameBytesMax)) {}
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    text_->read(json, into, at, errors);
    const bool fits = std::ranges::all_of(json.as_string().value_or(""), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '_' || c == '-';
    });
    if (!fits) {
      errors.add(at, "invalid_name", "must be of letters, digits, _ and -, got " + shown(json));
    }
  }
  void describe(JsonWriter& out, Components&, std::string_view doc) const override {
    out.begin_object().key("type").value("string").key("pattern").value("^[A-Za-z0-9_-]*$");
    if (least_ > 0) out.key("minLength").value(std::uint64_t{least_});
    out.key("maxLength").value(std::uint64_t{kFieldNameBytesMax});
    write_doc(out, doc);
    out.end_object();
  }

 private:
  static constexpr std::size_t kFieldNameBytesMax = 64;
  std::size_t least_;
  SchemaPtr<std::string> text_;
};
SchemaPtr<std::string> field_name(std::size_t least) {
  return std::make_shared<FieldNameSchema>(least);
}

// What every vector may say, whether its name is among it or not.
Object<VectorConfig> add_vector_members(Object<VectorConfig> object) {
  return std::move(object)
      .optional("kind", &VectorConfig::kind,
                names<VectorKind>({{"dense", VectorKind::kDense},
                                   {"sparse", VectorKind::kSparse},
                                   {"multi", VectorKind::kMulti}}),
                "dense unless given; sparse has dimensions and weights, multi has rows of dim "
                "numbers that are compared by max-sim.")
      .optional("dim", &VectorConfig::dim, integer<std::uint32_t>(1, limits::kDimMax),
                "How many numbers; with a model, the model's unless given; none when sparse.")
      .optional("metric", &VectorConfig::metric,
                names<Metric>({{"cosine", Metric::kCosine},
                               {"dot", Metric::kDot},
                               {"euclidean", Metric::kEuclidean},
                               {"manhattan", Metric::kManhattan}}),
                "How two are compared; cosine unless given. Sparse ones always by dot product.")
      .optional("model", &VectorConfig::model, text(1, 255),
                "The model that embeds texts into this vector; callers bring vectors without one.")
      .optional("index", &VectorConfig::index,
                names<IndexKind>({{"hnsw", IndexKind::kHnsw}, {"flat", IndexKind::kFlat}}),
                "hnsw unless given; flat is exact and scans.")
      .optional("m", &VectorConfig::m, integer<std::uint32_t>(2, 128),
                "Links of a node; 16 unless given.")
      .optional("ef_construction", &VectorConfig::ef_construction,
                integer<std::uint32_t>(2, 10'000), "Effort of building; 200 unless given.")
      .optional("idf", &VectorConfig::idf, boolean(),
                "Of a sparse one: weights of a query are multiplied by the inverse document "
                "frequency of their dimensions; false unless given.");
}

SchemaPtr<VectorConfig> vector_schema() {
  return add_vector_members(
             Object<VectorConfig>("VectorConfig", "One named vector of every point.")
                 .optional("name", &VectorConfig::name, field_name(0),
                           "\"\" (the usual single one) unless given; letters, digits, _ and -."))
      .done();
}

// ---- changes of vectors

// A vector whose name is elsewhere in the request.
const SchemaPtr<VectorConfig>& nameless_vector_schema() {
  static const SchemaPtr<VectorConfig> schema =
      add_vector_members(
          Object<VectorConfig>("NewVector", "A vector that points may have from now on."))
          .done();
  return schema;
}

struct Renaming {
  std::string from;
  std::string to;
};
// One change; exactly one of the three.
struct ChangeBody {
  std::optional<VectorConfig> add;
  std::optional<std::string> drop;
  std::optional<Renaming> rename;
};
struct ChangesBody {
  std::vector<ChangeBody> changes;
};

SchemaPtr<Renaming> renaming_schema() {
  return Object<Renaming>("VectorRenaming", "Another name for a vector.")
      .required("from", &Renaming::from, field_name(0), "What it is called.")
      .required("to", &Renaming::to, field_name(0), "What it will be called.")
      .done();
}

const SchemaPtr<ChangesBody>& vector_changes_schema() {
  static const SchemaPtr<ChangesBody> schema = [] {
    auto change =
        Object<ChangeBody>("VectorChange", "One change; exactly one of the three.")
            .optional("add", &ChangeBody::add, maybe(vector_schema()), "A new vector.")
            .optional("drop", &ChangeBody::drop, maybe(field_name(0)),
                      "Its name; what points have of it is gone at once.")
            .optional("rename", &ChangeBody::rename, maybe(renaming_schema()), "Another name.")
            .check([](const ChangeBody& body, const Path& at, FieldErrors& errors) {
              const int given = (body.add ? 1 : 0) + (body.drop ? 1 : 0) + (body.rename ? 1 : 0);
              if (given == 1) return;
              errors.add(
                  at, "missing_field",
                  "must have exactly one of add, drop and rename, has " + std::to_string(given));
            })
            .done();
    return Object<ChangesBody>("VectorChanges", "Made together, one after the other.")
        .required("changes", &ChangesBody::changes, array(change, 1, limits::kVectorChangesMax),
                  "All are made or none.")
        .done();
  }();
  return schema;
}

// An analyzer's JSON; the engine reads it.
class AnalyzerSchema final : public Schema<std::string> {
 public:
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    any_->read(json, into, at, errors);
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    describe_language(out, components, "Analyzer", doc);
  }

 private:
  const SchemaPtr<std::string> any_ = json_object(limits::kPayloadBytesMax);
};

SchemaPtr<WordsConfig> words_schema() {
  return Object<WordsConfig>("WordsConfig",
                             "A text of every point whose words are searched (BM25).")
      .required("name", &WordsConfig::name, field_name(1),
                "Letters, digits, _ and -; distinct from the vectors' too.")
      .optional("source", &WordsConfig::source, source_path(),
                "\"\" (the point's text) unless given; otherwise a payload key, of strings.")
      .optional("analyzer", &WordsConfig::analyzer, std::make_shared<AnalyzerSchema>(),
                "How the text becomes words.")
      .optional("k1", &WordsConfig::k1, number(0, 10),
                "How much a word counts that comes often; 1.2 unless given.")
      .optional("b", &WordsConfig::b, number(0, 1),
                "How much long texts are held back; 0.75 unless given.")
      .done();
}

SchemaPtr<PayloadIndexConfig> payload_index_schema() {
  return Object<PayloadIndexConfig>("PayloadIndexConfig",
                                    "An index of a payload key, for filters and orders.")
      .required("key", &PayloadIndexConfig::key, payload_path(), "A path: a.b, a[].b.")
      .required("kind", &PayloadIndexConfig::kind,
                names<PayloadIndexKind>({{"keyword", PayloadIndexKind::kKeyword},
                                         {"integer", PayloadIndexKind::kInteger},
                                         {"float", PayloadIndexKind::kFloat},
                                         {"bool", PayloadIndexKind::kBool},
                                         {"datetime", PayloadIndexKind::kDatetime},
                                         {"uuid", PayloadIndexKind::kUuid},
                                         {"geo", PayloadIndexKind::kGeo},
                                         {"text", PayloadIndexKind::kText}}),
                "What the values are.")
      .optional("options", &PayloadIndexConfig::options, json_object(limits::kFilterStringBytesMax),
                "Of a text index: how texts become words, as an analyzer; {} unless given.")
      .done();
}

// Two names that are the same; the engine refuses them too, but cannot know the field's name here.
template <typename T>
void check_distinct(const std::vector<T>& items, std::string T::*name, std::string_view list,
                    const Path& at, FieldErrors& errors) {
  const Path list_at(at, list);
  for (std::size_t i = 0; i < items.size(); ++i) {
    for (std::size_t before = 0; before < i; ++before) {
      if (items[i].*name != items[before].*name) continue;
      errors.add(Path(list_at, i), "duplicate_name",
                 "has " + in_quotes(items[i].*name) + ", as " + std::string(list) + "[" +
                     std::to_string(before) + "]");
      break;
    }
  }
}

const SchemaPtr<CollectionConfig>& create_schema() {
  static const SchemaPtr<CollectionConfig> schema =
      Object<CollectionConfig>("CollectionConfig",
                               "What a new collection is like; it has vectors, words or both.")
          .optional("vectors", &CollectionConfig::vectors,
                    array(vector_schema(), 0, limits::kVectorsPerCollectionMax),
                    "The vectors of every point, by distinct names.")
          .optional("words", &CollectionConfig::words,
                    array(words_schema(), 0, limits::kWordsFieldsMax),
                    "The texts whose words are searched, by distinct names.")
          .optional("payload_indexes", &CollectionConfig::payload_indexes,
                    array(payload_index_schema(), 0, limits::kPayloadIndexesMax),
                    "Indexes of payload keys, which are distinct.")
          .optional("shard_count", &CollectionConfig::shard_count,
                    integer<std::uint32_t>(1, limits::kShardsPerCollectionMax),
                    "Fixed for the collection's life; 1 unless given.")
          .optional("durability", &CollectionConfig::durability, durability_schema(),
                    "sync (survives a power cut when acknowledged) unless given.")
          .optional("tail_vectors_max", &CollectionConfig::tail_vectors_max,
                    integer<std::uint32_t>(1'000, 10'000'000),
                    "Unlinked vectors of a shard before writes wait; 50000 unless given.")
          .check([](const CollectionConfig& config, const Path& at, FieldErrors& errors) {
            if (config.vectors.empty() && config.words.empty()) {
              errors.add(at, "missing_field", "must have vectors or words");
            }
            check_distinct(config.payload_indexes, &PayloadIndexConfig::key, "payload_indexes", at,
                           errors);
          })
          .done();
  return schema;
}

const SchemaPtr<CollectionPatch>& patch_schema() {
  static const SchemaPtr<CollectionPatch> schema =
      Object<CollectionPatch>("CollectionPatch", "What may change after creation.")
          .optional("durability", &CollectionPatch::durability, maybe(durability_schema()),
                    "sync or async.")
          .optional("tail_vectors_max", &CollectionPatch::tail_vectors_max,
                    maybe(integer<std::uint32_t>(1'000, 10'000'000)),
                    "Unlinked vectors of a shard before writes wait.")
          .optional("add_words", &CollectionPatch::add_words,
                    array(words_schema(), 1, limits::kWordsFieldsMax),
                    "Made in the background; searches are complete meanwhile, but slower.")
          .optional("drop_words", &CollectionPatch::drop_words,
                    array(text(1, 64), 1, limits::kWordsFieldsMax), "By name; gone at once.")
          .optional("add_payload_indexes", &CollectionPatch::add_payload_indexes,
                    array(payload_index_schema(), 1, limits::kPayloadIndexesMax),
                    "One of the same key is replaced.")
          .optional("drop_payload_indexes", &CollectionPatch::drop_payload_indexes,
                    array(payload_path(), 1, limits::kPayloadIndexesMax), "By key.")
          .check([](const CollectionPatch& patch, const Path& at, FieldErrors& errors) {
            check_distinct(patch.add_words, &WordsConfig::name, "add_words", at, errors);
            check_distinct(patch.add_payload_indexes, &PayloadIndexConfig::key,
                           "add_payload_indexes", at, errors);
            if (patch.durability || patch.tail_vectors_max || !patch.add_words.empty() ||
                !patch.drop_words.empty() || !patch.add_payload_indexes.empty() ||
                !patch.drop_payload_indexes.empty()) {
              return;
            }
            errors.add(at, "missing_field",
                       "must change something: durability, tail_vectors_max, add_words, "
                       "drop_words, add_payload_indexes or drop_payload_indexes");
          })
          .done();
  return schema;
}

// ---------------------------------------------------------------- answers

std::string_view kind_name(VectorKind kind) {
  switch (kind) {
    case VectorKind::kDense: return "dense";
    case VectorKind::kSparse: return "sparse";
    case VectorKind::kMulti: return "multi";
  }
  return "dense";
}

std::string_view kind_name(PayloadIndexKind kind) {
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

// What a kind does not have is left out.
void write_vector_config(JsonWriter& out, const VectorConfig& vector) {
  out.begin_object().key("name").value(std::string_view(vector.name));
  out.key("kind").value(kind_name(vector.kind));
  if (vector.kind == VectorKind::kSparse) {
    out.key("model").value(std::string_view(vector.model)).key("idf").value(vector.idf);
    out.end_object();
    return;
  }
  out.key("dim").value(vector.dim).key("metric").value(metric_name(vector.metric));
  out.key("model").value(std::string_view(vector.model));
  if (vector.kind == VectorKind::kDense) {
    out.key("index").value(vector.index == IndexKind::kFlat ? "flat" : "hnsw");
    out.key("m").value(vector.m).key("ef_construction").value(vector.ef_construction);
  }
  out.end_object();
}

void write_words_config(JsonWriter& out, const WordsConfig& words) {
  out.begin_object().key("name").value(std::string_view(words.name));
  out.key("source").value(std::string_view(words.source));
  out.key("analyzer").raw(words.analyzer);
  out.key("k1").value(words.k1).key("b").value(words.b).end_object();
}

void write_payload_index(JsonWriter& out, const PayloadIndexConfig& index) {
  out.begin_object().key("key").value(std::string_view(index.key));
  out.key("kind").value(kind_name(index.kind));
  out.key("options").raw(index.options).end_object();
}

void write_vector_status(JsonWriter& out, const VectorStatus& status) {
  out.begin_object().key("name").value(std::string_view(status.name));
  out.key("kind").value(std::string_view(status.kind));
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
  out.end_array().key("words").begin_array();
  for (const WordsConfig& words : info.config.words) write_words_config(out, words);
  out.end_array().key("payload_indexes").begin_array();
  for (const PayloadIndexConfig& index : info.config.payload_indexes) {
    write_payload_index(out, index);
  }
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

}  // namespace

void reply_collection(const CallPtr& call, int status, const Result<CollectionInfo>& info) {
  if (!info.ok()) return call->fail(info.error());
  Response response;
  response.status = status;
  JsonWriter out(response.body);
  write_collection(out, info.value());
  response.headers.emplace_back("Quipu-Seq", info.value().seq);
  call->reply(std::move(response));
}

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
  auto updated = call->core().engine.update_collection(call->tenant(), call->parameter(0), *patch);
  if (!updated.ok() && updated.error().stable_reason() == "invalid_analyzer") {
    // The engine calls them as they are called in a whole configuration.
    Error error = std::move(updated).error();
    constexpr std::string_view kList = "words[";
    const std::size_t at = error.message.find(kList);
    if (at != std::string::npos) error.message.insert(at, "add_");
    return call->fail(error);
  }
  reply_collection(call, 200, updated);
}

void change_vectors(const CallPtr& call) {
  auto body = call->body(vector_changes_schema());
  if (!body) return;
  std::vector<VectorChange> changes;
  for (ChangeBody& each : body->changes) {
    VectorChange& change = changes.emplace_back();
    if (each.add) {
      change.vector = std::move(*each.add);
    } else if (each.drop) {
      change.kind = VectorChange::Kind::kDrop;
      change.name = std::move(*each.drop);
    } else {
      change.kind = VectorChange::Kind::kRename;
      change.name = std::move(each.rename->from);
      change.to = std::move(each.rename->to);
    }
  }
  reply_collection(call, 200,
                   call->core().engine.change_vectors(call->tenant(), call->parameter(0), changes));
}

void add_vector(const CallPtr& call) {
  auto vector = call->body(nameless_vector_schema());
  if (!vector) return;
  vector->name = call->parameter(1);
  VectorChange change;
  change.vector = std::move(*vector);
  reply_collection(
      call, 201,
      call->core().engine.change_vectors(call->tenant(), call->parameter(0), {std::move(change)}));
}

void drop_vector(const CallPtr& call) {
  VectorChange change{
      .kind = VectorChange::Kind::kDrop, .vector = {}, .name = call->parameter(1), .to = {}};
  reply_collection(
      call, 200,
      call->core().engine.change_vectors(call->tenant(), call->parameter(0), {std::move(change)}));
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
void describe_change_vectors(JsonWriter& out, Components& components) {
  vector_changes_schema()->describe(out, components, "");
}
void describe_add_vector(JsonWriter& out, Components& components) {
  nameless_vector_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
