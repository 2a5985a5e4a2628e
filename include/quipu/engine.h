// The engine: collections of points that are stored durably and found again by meaning.
//
//   auto engine = quipu::Engine::open({.data_dir = "/var/lib/quipu"});
//   engine.value()->create_collection("default", "notes", config, {});
//   engine.value()->upsert("default", "notes", {.points = ...});
//   engine.value()->search("default", "notes", {.text = "where did I park?", .k = 5});
//
// Every function names the tenant that it acts for. One process owns a data folder at a time.
// Threads: any number may call anything at once, close() excepted.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quipu/filter.h"
#include "quipu/ids.h"
#include "quipu/metric.h"
#include "quipu/query.h"
#include "quipu/result.h"

namespace quipu {

class Clock;
class FileSystem;
class MetricsRegistry;
namespace embed {
class Embedder;
}

// ---------------------------------------------------------------- collections

enum class Durability : std::uint8_t {
  kSync,   // acknowledged when it survives a power cut (fsync, shared by concurrent writers)
  kAsync,  // acknowledged at once, on disk within EngineOptions::async_flush_ms
};
enum class IndexKind : std::uint8_t { kHnsw, kFlat };
enum class VectorKind : std::uint8_t {
  kDense,
  kSparse,  // dimensions and weights; compared by dot product, exactly, by an inverted index
  kMulti,   // rows of `dim`; compared by max-sim, exactly
};

// One named vector of every point of a collection.
struct VectorConfig {
  std::string name;  // "" is the usual single one; otherwise [A-Za-z0-9_-]{1,64}
  VectorKind kind = VectorKind::kDense;
  std::uint32_t dim = 0;  // 1..65,536; 0 with a model means the model's; 0 when sparse
  Metric metric = Metric::kCosine;
  std::string model;  // embeds texts into this vector; "" means callers bring vectors
  IndexKind index = IndexKind::kHnsw;
  std::uint32_t m = 16;                 // 2..128
  std::uint32_t ef_construction = 200;  // m..10,000
  // kSparse: a query's weights are multiplied by the inverse document frequency of their
  // dimensions, over all shards, as of the query's moment.
  bool idf = false;
  // Given by the engine: what is stored of the vector has this number, and no other vector of the
  // collection ever gets it. So a name may be used again, for a vector of another kind or size.
  std::uint16_t id = 0;
};

// A text of every point whose words are searched by BM25.
struct WordsConfig {
  std::string name;  // [A-Za-z0-9_-]{1,64}, distinct from the vectors' too
  // "": the point's text. Otherwise a payload key (a path): the strings that it reaches.
  std::string source;
  std::string analyzer = "{}";  // JSON, as docs/words.md
  double k1 = 1.2;              // 0..10
  double b = 0.75;              // 0..1
  std::uint32_t view_id = 0;    // given by the engine; names its files
};

enum class PayloadIndexKind : std::uint8_t {
  kKeyword,
  kInteger,
  kFloat,
  kBool,
  kDatetime,
  kUuid,
  kGeo,
  kText,
};
// An index of one payload key: filters and orders by it need not read every point.
struct PayloadIndexConfig {
  std::string key;  // a path, canonical
  PayloadIndexKind kind = PayloadIndexKind::kKeyword;
  std::string options = "{}";  // JSON: kText's analyzer, and what clients want to read back
  std::uint32_t view_id = 0;   // given by the engine; names its files
};

struct CollectionConfig {
  std::vector<VectorConfig> vectors;                // 0..16, names distinct
  std::vector<WordsConfig> words;                   // 0..8
  std::vector<PayloadIndexConfig> payload_indexes;  // 0..100, keys distinct
  std::uint32_t shard_count = 1;                    // 1..64, fixed for the collection's life
  Durability durability = Durability::kSync;
  std::uint32_t tail_vectors_max = 50'000;  // unlinked vectors for each shard before writes wait
};

// What may change after creation; absent means as it is.
struct CollectionPatch {
  std::optional<Durability> durability;
  std::optional<std::uint32_t> tail_vectors_max;
  // What is added is made in the background; what is dropped is gone at once.
  std::vector<WordsConfig> add_words;
  std::vector<std::string> drop_words;  // by name
  // One of the same key is replaced.
  std::vector<PayloadIndexConfig> add_payload_indexes;
  std::vector<std::string> drop_payload_indexes;  // by key
};

// One of several changes of a collection's vectors that are made together: all or none.
struct VectorChange {
  enum class Kind : std::uint8_t {
    kAdd,     // `vector`: searchable at once; points have it when they are next given one
    kDrop,    // `name`: gone at once, with all that points have of it
    kRename,  // `name` is called `to` from now on; nothing else changes
  };
  Kind kind = Kind::kAdd;
  VectorConfig vector;
  std::string name;
  std::string to;
};

// A view's share of a collection, for status pages: of a vector, of words, of a payload index.
struct VectorStatus {
  std::string name;   // a payload index's key
  std::string kind;   // "dense", "sparse", "multi", "words", "payload"
  std::string state;  // "ready", "loading" (exact scans of storage answer meanwhile)
  std::uint64_t live = 0;
  std::uint64_t tail = 0;  // not yet linked: found by exact scan
  std::uint64_t linked = 0;
  std::uint64_t closed = 0;  // deleted or replaced, not yet freed
  std::uint64_t memory_bytes = 0;
  std::uint64_t mapped_bytes = 0;
};

struct CollectionInfo {
  std::string tenant;
  std::string name;
  CollectionId id;
  CollectionConfig config;
  std::int64_t created_us = 0;
  std::uint64_t points = 0;
  std::uint64_t log_operations = 0;  // kept in the logs of its shards
  std::vector<VectorStatus> vectors;
  // Opaque: the moment this describes. Give it as min_seq to read at least that moment.
  std::string seq;
};

// Another name of a collection. Wherever a collection is named it stands for it, but where one is
// made or dropped.
struct Alias {
  std::string name;        // as collections' names, and none of them
  std::string collection;  // its own name, never an alias
};

// One of several changes that are made together, one after the other: all or none.
struct AliasChange {
  enum class Kind : std::uint8_t {
    kPut,            // `alias` names the collection `target` from now on, whatever it named before
    kDelete,         // an error when `alias` is not there
    kRename,         // the alias `target` names what `alias` did, whatever it named before
    kDeleteIfThere,  // no error when it is not
  };
  Kind kind = Kind::kPut;
  std::string alias;
  std::string target;  // of kPut and kRename
};

// A snapshot of one collection: one file that travels (docs/format/collection_snapshot.md).
struct CollectionSnapshot {
  std::string collection;  // its own name when it was taken
  CollectionConfig config;
  std::int64_t taken_us = 0;
  std::uint64_t points = 0;
  std::uint64_t size = 0;  // of the file
  std::string sha256;      // of the file, in lower-case hexadecimal
  std::string note;        // what its taker wanted to be told again
};
struct RecoverRequest {
  std::string path;
  std::string sha256;                        // "": whatever the file's is
  std::optional<std::uint32_t> shard_count;  // the snapshot's unless given
};
struct CollectionRecovery {
  CollectionInfo collection;
  CollectionSnapshot snapshot;
};

// ---------------------------------------------------------------- points

struct NamedVector {
  std::string name;
  std::vector<float> values;           // of a multivector: all rows, one after the other
  std::vector<std::uint32_t> indices;  // of a sparse one: as many, in any order, distinct
};

// A condition on one point, judged at the moment the operation is applied.
struct Condition {
  std::optional<std::uint64_t> if_version;  // the point exists and has this version
  bool if_absent = false;                   // the point does not exist
};

struct PointWrite {
  PointId id;
  std::vector<NamedVector> vectors;
  // Embedded into every vector that has a model and is not given in `vectors`.
  std::optional<std::string> text;
  std::string payload = "{}";  // a JSON object, at most 1 MiB
  Condition condition;
};

struct PointPatch {
  PointId id;
  std::string set_payload = "{}";           // members to add or replace, at the top level
  std::vector<std::string> delete_payload;  // members to remove (before `set_payload`)
  bool replace_payload = false;             // `set_payload` becomes the whole payload
  // The path of the object that `set_payload` is merged into, made where it is missing; "": the
  // payload itself.
  std::string set_key;
  std::vector<std::string> delete_paths;    // as `delete_payload`, but paths ("a.b[0]")
  std::vector<NamedVector> vectors;         // replaced; the others stay
  std::vector<std::string> delete_vectors;  // by name
  std::optional<std::string> text;          // replaced, and embedded again
  Condition condition;
};

struct PointDelete {
  PointId id;
  Condition condition;
};

// Shared by all writes.
struct WriteParams {
  // At most 255 bytes. The same key and request answer the first result for 24 hours; the same key
  // with another request is refused (kFailedPrecondition, "idempotency_mismatch").
  std::string idempotency_key;
  // For how long a write may wait for room in the queue and the tail.
  std::chrono::milliseconds timeout{10'000};
};

// A batch goes to each shard as one operation: applied whole or refused whole. With one shard, the
// usual case, the batch is atomic. If a condition fails, its shard's part is refused and every item
// of that part says so.
struct UpsertRequest {
  std::vector<PointWrite> points;  // 1..10,000, ids distinct
  bool allow_bare = false;         // points may have neither a vector nor words
  WriteParams params;
};
struct PatchRequest {
  std::vector<PointPatch> points;  // 1..10,000, ids distinct
  WriteParams params;
};
struct DeleteRequest {
  std::vector<PointDelete> points;  // 1..10,000, ids distinct
  WriteParams params;
};

// Writes to all points that match a filter. Points are found first, then judged again when the
// write is applied, so none is touched that does not match then; those that begin to match
// meanwhile may be missed. Applied in parts of at most 10,000 points: after an error, earlier parts
// stay.
struct DeleteByFilterRequest {
  Filter filter;
  WriteParams params;
};
struct PatchByFilterRequest {
  Filter filter;
  PointPatch patch;  // without id and condition
  WriteParams params;
};
struct FilterWriteResult {
  std::uint64_t matched = 0;  // points that were written
  std::string seq;            // as WriteResult's
  bool durable = true;
};

enum class ItemOutcome : std::uint8_t { kCreated, kUpdated, kDeleted, kNotFound, kRefused };
[[nodiscard]] std::string_view item_outcome_name(ItemOutcome outcome) noexcept;  // "created", ...

struct ItemResult {
  PointId id;
  ItemOutcome outcome = ItemOutcome::kCreated;
  std::uint64_t version =
      0;  // after the write; of the condition's failure: the current one, 0 if absent
  std::optional<Error> error;     // when kRefused
  bool truncated = false;         // its text had more tokens than the model takes
  std::uint32_t token_count = 0;  // of its text, when it was embedded by this write
};

struct WriteResult {
  std::vector<ItemResult> items;  // in the request's order
  std::string seq;                // opaque token of the moment at which all of it is visible
  bool durable = true;            // false for an `async` collection
  bool replayed = false;          // answered from the idempotency record
};

struct Point {
  PointId id;
  std::uint64_t version = 0;
  std::int64_t created_us = 0;
  std::int64_t updated_us = 0;
  std::optional<std::string> text;
  std::string payload;               // JSON object; empty when not asked for
  std::vector<NamedVector> vectors;  // empty when not asked for
};

struct Select {
  bool payload = true;
  bool text = true;
  bool vectors = false;
  // Paths into the payload: only these, or all but these; not both.
  std::vector<std::string> payload_include;
  std::vector<std::string> payload_exclude;
  std::vector<std::string> vector_names;  // with `vectors`: only these; empty for all
  friend bool operator==(const Select&, const Select&) = default;
};

// Shared by all reads.
struct ReadParams {
  std::string min_seq;  // wait until this moment is visible; "" for now
  std::chrono::milliseconds timeout{10'000};
  // Whether an answer of the query cache will do: searches, queries, groups and facets that were
  // asked before of what is still the same moment. With `explain` they are always made anew.
  bool cache = true;
};

struct GetRequest {
  std::vector<PointId> ids;  // 1..10,000
  Select select;
  ReadParams params;
};
struct ScrollRequest {
  std::optional<PointId> after;  // the last id of the page before; not with order_by
  std::optional<Filter> filter;  // only points for which it holds
  // By a payload value instead of the id; a point with several values comes once for each. The
  // caller goes on by start_from and a filter that leaves out what it has seen.
  std::optional<OrderByQuery> order_by;
  std::size_t limit = 100;  // 1..10,000
  Select select;
  ReadParams params;
};
struct CountRequest {
  std::optional<Filter> filter;  // only points for which it holds
  ReadParams params;
};
// A payload value by which points were ordered; datetimes in microseconds since 1970.
using OrderKey = std::variant<std::int64_t, double>;
struct ScrollPage {
  std::vector<Point> points;         // ascending ids, or as ordered
  std::vector<OrderKey> order_keys;  // with order_by: of each point
  std::optional<PointId> next;  // give it as `after`; absent on the last page, and with order_by
};

struct SearchRequest {
  std::string vector_name;  // "" for the usual single one
  // Exactly one of the three.
  std::vector<float> vector;
  std::optional<std::string> text;  // embedded with the vector's model as a query
  std::optional<PointId> id;        // the vector of this point, which is left out of the answer
  std::size_t k = 10;               // 1..10,000 together with offset
  std::size_t offset = 0;
  std::uint32_t ef = 0;  // 0: chosen by the engine
  bool exact = false;
  // Only points for which it holds: k of them whenever k hold, however few they are among all.
  std::optional<Filter> filter;
  std::optional<float> score_threshold;  // worse hits are left out
  Select select;
  bool explain = false;
  ReadParams params;
};

// What one prefetch gave to a hit of a fusion.
struct ScorePart {
  std::size_t prefetch = 0;
  std::size_t rank = 0;  // there, from 0
  float score = 0;       // there
  double part = 0;       // of the fused score
};

struct SearchHit {
  // When `select` asks for nothing, only the id: version and times are 0, and no record is read.
  Point point;
  // Cosine similarity or dot product (higher is better), Euclidean or Manhattan distance (lower is
  // better), by the vector's metric.
  float score = 0;
  std::optional<OrderKey> order_key;  // of an OrderByQuery
  std::vector<ScorePart> parts;       // of a fusion, with `explain`
};

struct SearchExplain {
  std::uint64_t tail_rows = 0;
  std::uint64_t graph_distances = 0;
  std::uint64_t scanned_rows = 0;
  std::uint64_t postings = 0;  // of words and sparse vectors, looked at
  std::uint64_t hops = 0;
  bool exact = false;
  bool storage_scan = false;  // a view was still loading: vectors were read from storage
  // With filters: points whose payload was read and judged, those that they let through, and the
  // keys of conditions that no payload index answered: an index on one of them would help.
  std::uint64_t filter_judged = 0;
  std::uint64_t filter_matched = 0;
  std::vector<std::string> filter_keys_without_index;
  std::uint64_t reranked = 0;  // texts that a cross-encoder scored
  double embed_ms = 0;
  double rerank_ms = 0;
  double filter_ms = 0;
  double search_ms = 0;
  double hydrate_ms = 0;
};

struct SearchResult {
  std::vector<SearchHit> hits;  // best first; equal scores by ascending id
  std::optional<SearchExplain> explain;
  bool query_truncated = false;  // the query text had more tokens than the model takes
};

// ---------------------------------------------------------------- queries

struct QueryRequest {
  QueryStage root;
  std::size_t offset = 0;  // root.limit + offset: 1..10,000
  Select select;
  bool explain = false;
  ReadParams params;
};

// The best hits of each value of a payload key.
struct GroupRequest {
  QueryStage root;  // root.limit: how many groups, 1..1,000
  std::string group_by;
  std::size_t group_size = 3;  // 1..100: hits of each
  Select select;
  bool explain = false;
  ReadParams params;
};
struct HitGroup {
  std::variant<std::string, std::int64_t> value;
  std::vector<SearchHit> hits;  // best first
};
struct GroupResult {
  std::vector<HitGroup> groups;  // by their best hit
  std::optional<SearchExplain> explain;
};

// How many points have each value of a payload key (strings, integers, booleans), most frequent
// first, equal counts by ascending value. Exact.
struct FacetRequest {
  std::string key;
  std::optional<Filter> filter;
  std::size_t limit = 10;  // 1..10,000
  ReadParams params;
};
struct FacetValue {
  std::variant<std::string, std::int64_t, bool> value;
  std::uint64_t count = 0;
};

// Of a sample of the points, the nearest of the sample to each.
struct MatrixRequest {
  std::string vector_name;
  std::optional<Filter> filter;
  std::size_t sample = 10;  // 2..1,000
  std::size_t limit = 3;    // 1..999: neighbours of each
  ReadParams params;
};
struct MatrixResult {
  std::vector<PointId> ids;  // ascending
  struct Pair {
    std::size_t a = 0;  // places in `ids`
    std::size_t b = 0;
    float score = 0;
  };
  std::vector<Pair> pairs;  // by `a`, then best first
};

// ---------------------------------------------------------------- the engine

struct EngineOptions {
  std::string data_dir;
  // Folders that hold models, searched in order (for the built-in embedder).
  std::vector<std::string> model_dirs;
  std::size_t background_threads = 1;
  std::uint32_t async_flush_ms = 200;
  // Write-queue bounds: beyond, writes wait, then are refused (kResourceExhausted,
  // "write_queue_full").
  std::size_t write_queue_operations_max = 4'096;
  std::uint64_t write_queue_bytes_max = 256U << 20;
  std::uint64_t block_cache_bytes = 64U << 20;
  std::uint64_t embedding_cache_bytes = 64U << 20;
  // The query cache: answers, their bytes, and how long each is given. 0 entries: none is kept.
  std::size_t query_cache_entries = 1'000;
  std::uint64_t query_cache_bytes = 64U << 20;
  std::uint32_t query_cache_age_s = 300;
  // How many of the most asked queries are remembered by close() and asked after the next open.
  std::size_t query_cache_warm = 100;
  // Resident memory at which caches are shrunk, and beyond that writes refused; 0: 80 % of the
  // machine.
  std::uint64_t memory_bytes_max = 0;
  // A view checkpoint is due after this many operations or seconds, and at close().
  std::uint64_t checkpoint_operations = 20'000;
  std::uint32_t checkpoint_interval_s = 300;
};

// What the engine runs on; null means the machine's own. Borrowed until the engine is destroyed.
struct EngineEnvironment {
  Clock* clock = nullptr;
  FileSystem* file_system = nullptr;
  MetricsRegistry* metrics = nullptr;
  embed::Embedder* embedder = nullptr;  // null: built from EngineOptions::model_dirs
};

struct QueryCacheStatus {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of answers and of what they answer
  // Since the engine was opened. Every look-up is one of the first three.
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t stale = 0;  // there, but the collection or the time had moved on
  std::uint64_t evictions = 0;
};

struct EngineStatus {
  std::string state;  // "ready", "read_only" (after a write error), "closing"
  std::string state_reason;
  std::uint64_t uptime_ms = 0;
  std::uint64_t collections = 0;
  std::uint64_t points = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t memory_bytes_max = 0;
  std::uint64_t write_queue_operations = 0;
  std::uint64_t user_bytes_written = 0;
  std::uint64_t file_bytes_written = 0;
  std::uint64_t tail_vectors = 0;
  QueryCacheStatus query_cache;
};

class Engine {
 public:
  // Opens or creates the data folder.
  // Errors: kFailedPrecondition ("data_dir_locked": another process owns it; "data_dir_version"),
  // kCorruption (naming the file), kIo, kResourceExhausted ("disk_full"), kInvalidArgument.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> open(const EngineOptions& options,
                                                            const EngineEnvironment& environment);
  // close() with no wait beyond what runs, if it was not called.
  ~Engine();

  // Finishes what was accepted, writes view checkpoints, syncs and releases the folder. Calls made
  // after it began answer kUnavailable. Not together with other calls.
  Status close(std::chrono::milliseconds deadline);

  // Errors: kAlreadyExists ("collection_exists"; "alias_exists": the name is an alias),
  // kInvalidArgument naming the field, value, limit;
  // kNotFound ("model_not_found").
  Result<CollectionInfo> create_collection(std::string_view tenant, std::string_view name,
                                           CollectionConfig config);
  // Errors of these and all below: kNotFound ("collection_not_found").
  Result<CollectionInfo> update_collection(std::string_view tenant, std::string_view name,
                                           const CollectionPatch& patch);
  // Changes vectors of a live collection together, one change after the other. A program that
  // changes its model adds a vector, fills it, and then drops the old one and renames the new one
  // to its name in one call.
  // Errors: kInvalidArgument ("empty_batch", "batch_too_large", and as create_collection()),
  // kAlreadyExists ("vector_exists"), kNotFound ("vector_not_found"), kResourceExhausted
  // ("vector_ids_used_up", after 65,536 vectors in a collection's life).
  Result<CollectionInfo> change_vectors(std::string_view tenant, std::string_view name,
                                        const std::vector<VectorChange>& changes);
  // With its aliases. By its own name alone: an alias is refused (kFailedPrecondition, "is_alias"),
  // because the name of something lasting should not end it.
  Status drop_collection(std::string_view tenant, std::string_view name);
  [[nodiscard]] Result<CollectionInfo> collection(std::string_view tenant, std::string_view name);
  // By name.
  [[nodiscard]] std::vector<CollectionInfo> collections(std::string_view tenant);

  // Changes aliases together: a reader sees all of it or nothing, and so does a restart.
  // Errors: kInvalidArgument ("invalid_name", "empty_batch", "batch_too_large"), kNotFound
  // ("collection_not_found": `target` is no collection's own name; "alias_not_found"),
  // kAlreadyExists ("collection_exists": an alias would have a collection's name),
  // kResourceExhausted ("too_many_aliases"). Each message says which change it is about.
  Status update_aliases(std::string_view tenant, const std::vector<AliasChange>& changes);
  // By name; of one collection (given by its own name or an alias) or of all.
  [[nodiscard]] std::vector<Alias> aliases(std::string_view tenant);
  [[nodiscard]] Result<std::vector<Alias>> aliases_of(std::string_view tenant,
                                                      std::string_view collection);

  // Writes. Block until acknowledged, per the collection's durability. An Error means that nothing
  // was written (bad request, queue full, storage failure); failed conditions are per item.
  // Errors: kInvalidArgument ("dimension_mismatch" with expected and got, "not_finite", ...),
  // kResourceExhausted ("write_queue_full", "tail_full", "disk_full", "memory_full"), kUnavailable.
  Result<WriteResult> upsert(std::string_view tenant, std::string_view collection,
                             UpsertRequest request);
  Result<WriteResult> patch(std::string_view tenant, std::string_view collection,
                            PatchRequest request);
  Result<WriteResult> remove(std::string_view tenant, std::string_view collection,
                             DeleteRequest request);
  Result<FilterWriteResult> remove_by_filter(std::string_view tenant, std::string_view collection,
                                             const DeleteByFilterRequest& request);
  Result<FilterWriteResult> patch_by_filter(std::string_view tenant, std::string_view collection,
                                            PatchByFilterRequest request);
  // As the first three, but `done` is called when acknowledged, on a thread of the engine: it must
  // be quick. Texts are embedded on the calling thread first.
  using WriteDone = std::function<void(Result<WriteResult>)>;
  void upsert_async(std::string_view tenant, std::string_view collection, UpsertRequest request,
                    WriteDone done);
  void patch_async(std::string_view tenant, std::string_view collection, PatchRequest request,
                   WriteDone done);
  void remove_async(std::string_view tenant, std::string_view collection, DeleteRequest request,
                    WriteDone done);

  // Reads. Each sees one moment of each shard. Errors besides: kInvalidArgument ("invalid_filter",
  // "filter_too_large") with the place in the filter, kDeadlineExceeded.
  // Points that are not there are left out; the order is the request's.
  [[nodiscard]] Result<std::vector<Point>> get(std::string_view tenant, std::string_view collection,
                                               const GetRequest& request);
  [[nodiscard]] Result<ScrollPage> scroll(std::string_view tenant, std::string_view collection,
                                          const ScrollRequest& request);
  [[nodiscard]] Result<std::uint64_t> count(std::string_view tenant, std::string_view collection,
                                            const CountRequest& request);
  [[nodiscard]] Result<SearchResult> search(std::string_view tenant, std::string_view collection,
                                            const SearchRequest& request);

  // The whole query language. Errors besides: kInvalidArgument ("invalid_query") with the place in
  // the tree, kNotFound ("point_not_found") for an input's point.
  [[nodiscard]] Result<SearchResult> query(std::string_view tenant, std::string_view collection,
                                           const QueryRequest& request);

  [[nodiscard]] Result<GroupResult> query_groups(std::string_view tenant,
                                                 std::string_view collection,
                                                 const GroupRequest& request);
  [[nodiscard]] Result<std::vector<FacetValue>> facet(std::string_view tenant,
                                                      std::string_view collection,
                                                      const FacetRequest& request);
  [[nodiscard]] Result<MatrixResult> matrix(std::string_view tenant, std::string_view collection,
                                            const MatrixRequest& request);

  // Waits until every shard of the collection has its vectors linked, or the deadline.
  Status wait_linked(std::string_view tenant, std::string_view collection,
                     std::chrono::milliseconds deadline);
  // Writes view checkpoints of all shards now and cuts their logs.
  Status checkpoint();
  // A consistent copy of everything in `directory`, which must not exist; it opens as a data
  // folder.
  Status snapshot(const std::string& directory);
  // Copies a snapshot into `data_dir`, which must be absent or empty, after checking it.
  [[nodiscard]] static Status restore(const std::string& snapshot_dir, const std::string& data_dir,
                                      const EngineEnvironment& environment);
  // Writes everything of a collection but its aliases into the new file `path`, as of one moment of
  // all its shards; writes go on meanwhile. `note`: at most 1 MiB. Errors: kAlreadyExists
  // ("snapshot_exists"), kResourceExhausted ("disk_full").
  Result<CollectionSnapshot> snapshot_collection(std::string_view tenant,
                                                 std::string_view collection,
                                                 const std::string& path, std::string_view note);
  // Reads a snapshot whole and tells of it. Errors: kCorruption ("snapshot_damaged") saying where.
  [[nodiscard]] Result<CollectionSnapshot> check_collection_snapshot(const std::string& path);
  // Makes a collection of a snapshot, which is checked whole before. It takes the place of the one
  // that has the name, if there is one, at once when it is complete; until then, and after an error
  // or a crash, nothing has changed. Aliases stay. Views are made in the background.
  // Errors: those of the file, kInvalidArgument ("checksum_mismatch"), kAlreadyExists
  // ("alias_exists"), and as create_collection() and upsert().
  Result<CollectionRecovery> recover_collection(std::string_view tenant, std::string_view name,
                                                const RecoverRequest& request);
  // A digest of a collection's replicated state (points, vectors, versions), equal wherever the
  // same operations were applied.
  [[nodiscard]] Result<std::string> state_digest(std::string_view tenant,
                                                 std::string_view collection);

  [[nodiscard]] EngineStatus status();
  // The embedder in use, for the embedding endpoints and tools.
  [[nodiscard]] embed::Embedder& embedder();

  struct State;  // Opaque; named here for the engine's own parts.

 private:
  Engine();
  std::unique_ptr<State> state_;
};

}  // namespace quipu
