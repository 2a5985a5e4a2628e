// The whole engine in process, asked everything that `make bench-query` asks: words, sparse and
// dense vectors, filters, facets, hybrid queries. Requests are read before the clock starts, so
// that what is measured is the engine and not JSON.
//
// open   {work_dir, threads, config: {vectors, words, payload_indexes}, models?,
//         embedding_cache_bytes?, query_cache_entries?}: without the last, no answer is kept
// load   {rows, texts?, payloads?, vectors?, sparse?}: files with one row a line, or .npy
// settle {}: returns when views are linked, merged and idle
// index  {payload_indexes}: adds them to the collection and waits until they are ready
// run    {requests: file with a request a line}: answers and times of each; a request with "fresh"
//         is answered past the query cache
// write  {points}, erase {ids}: as acknowledged writes
// status {}: memory and views
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/npy.h"
#include "bench/common/serve.h"
#include "quipu/engine.h"
#include "quipu/query/filter/filter_json.h"
#include "quipu/query/request/query_json.h"
#include "quipu/query/request/query_reader.h"

namespace quipu::bench {
namespace {

constexpr const char* kTenant = "default";
constexpr const char* kCollection = "bench";
constexpr std::size_t kBatch = 1'000;
constexpr std::chrono::minutes kPatience(20);

Error malformed(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

std::string text_or(JsonView object, std::string_view name, std::string_view otherwise) {
  const auto member = object.find(name);
  const auto text = member ? member->as_string() : std::nullopt;
  return std::string(text.value_or(otherwise));
}

std::uint64_t number_or(JsonView object, std::string_view name, std::uint64_t otherwise) {
  const auto member = object.find(name);
  const auto number = member ? member->as_uint64() : std::nullopt;
  return number.value_or(otherwise);
}

bool flag(JsonView object, std::string_view name) {
  const auto member = object.find(name);
  return member && member->as_bool().value_or(false);
}

template <typename Visit>
void for_each_in(JsonView object, std::string_view name, Visit visit) {
  const auto list = object.find(name);
  if (!list) return;
  list->for_each_element([&visit](JsonView element) {
    visit(element);
    return true;
  });
}

// ---------------------------------------------------------------- configuration

Result<PayloadIndexKind> index_kind(std::string_view name) {
  constexpr std::pair<std::string_view, PayloadIndexKind> kKinds[] = {
      {"keyword", PayloadIndexKind::kKeyword},   {"integer", PayloadIndexKind::kInteger},
      {"float", PayloadIndexKind::kFloat},       {"bool", PayloadIndexKind::kBool},
      {"datetime", PayloadIndexKind::kDatetime}, {"geo", PayloadIndexKind::kGeo}};
  for (const auto& [known, kind] : kKinds) {
    if (known == name) return kind;
  }
  return malformed("no payload index of type '" + std::string(name) + "'");
}

Result<std::vector<PayloadIndexConfig>> payload_indexes(JsonView config) {
  std::vector<PayloadIndexConfig> found;
  Status read = ok_status();
  for_each_in(config, "payload_indexes", [&](JsonView element) {
    Result<PayloadIndexKind> kind = index_kind(text_or(element, "type", ""));
    if (!kind.ok()) {
      read = std::move(kind).error();
      return;
    }
    found.push_back({.key = text_or(element, "key", ""), .kind = kind.value()});
  });
  QUIPU_TRY_OK(std::move(read));
  return found;
}

Result<CollectionConfig> read_config(JsonView config) {
  CollectionConfig made;
  for_each_in(config, "vectors", [&made](JsonView element) {
    VectorConfig vector;
    vector.name = text_or(element, "name", "");
    vector.dim = static_cast<std::uint32_t>(number_or(element, "dim", 0));
    vector.model = text_or(element, "model", "");
    if (flag(element, "sparse")) vector.kind = VectorKind::kSparse;
    made.vectors.push_back(std::move(vector));
  });
  for_each_in(config, "words", [&made](JsonView element) {
    const auto analyzer = element.find("analyzer");
    made.words.push_back({.name = text_or(element, "name", ""),
                          .source = text_or(element, "source", ""),
                          .analyzer = analyzer ? analyzer->to_string() : "{}"});
  });
  QUIPU_TRY(made.payload_indexes, payload_indexes(config));
  made.shard_count = static_cast<std::uint32_t>(number_or(config, "shards", 1));
  made.durability = Durability::kAsync;  // Loading is not what is measured here.
  return made;
}

// ---------------------------------------------------------------- requests

using AnyRequest = std::variant<QueryRequest, CountRequest, ScrollRequest, FacetRequest>;

Result<std::optional<Filter>> read_filter(JsonView request) {
  const auto filter = request.find("filter");
  if (!filter || filter->is_null()) return std::optional<Filter>();
  QUIPU_TRY(Filter read, query::parse_filter(*filter, "filter"));
  return std::optional<Filter>(std::move(read));
}

Result<AnyRequest> read_request(JsonView line) {
  QUIPU_TRY(const std::string op, text_of(line, "op"));
  const Select select{
      .payload = flag(line, "payload"), .text = flag(line, "text"), .vectors = false};
  const ReadParams params{.min_seq = "", .timeout = kPatience, .cache = !flag(line, "fresh")};
  if (op == "query") {
    const auto body = line.find("query");
    if (!body) return malformed("no 'query'");
    QUIPU_TRY(query::RankedRequest ranked, query::read_query(*body));
    return AnyRequest(QueryRequest{.root = std::move(ranked.stage),
                                   .offset = ranked.offset,
                                   .select = select,
                                   .explain = flag(line, "explain"),
                                   .params = params});
  }
  QUIPU_TRY(std::optional<Filter> filter, read_filter(line));
  if (op == "count") {
    return AnyRequest(CountRequest{.filter = std::move(filter), .params = params});
  }
  const std::size_t limit = number_or(line, "limit", 10);
  if (op == "scroll") {
    ScrollRequest scroll;
    scroll.filter = std::move(filter);
    scroll.limit = limit;
    scroll.select = select;
    scroll.params = params;
    return AnyRequest(std::move(scroll));
  }
  if (op != "facet") return unknown_op(op);
  QUIPU_TRY(const std::string key, text_of(line, "key"));
  return AnyRequest(
      FacetRequest{.key = key, .filter = std::move(filter), .limit = limit, .params = params});
}

// What an answer says, written once the clock has stopped.
using AnyAnswer = std::variant<SearchResult, std::uint64_t, ScrollPage, std::vector<FacetValue>>;

Result<AnyAnswer> answer_to(Engine& engine, const AnyRequest& request) {
  if (const auto* query = std::get_if<QueryRequest>(&request)) {
    QUIPU_TRY(SearchResult found, engine.query(kTenant, kCollection, *query));
    return AnyAnswer(std::move(found));
  }
  if (const auto* count = std::get_if<CountRequest>(&request)) {
    QUIPU_TRY(const std::uint64_t points, engine.count(kTenant, kCollection, *count));
    return AnyAnswer(points);
  }
  if (const auto* scroll = std::get_if<ScrollRequest>(&request)) {
    QUIPU_TRY(ScrollPage page, engine.scroll(kTenant, kCollection, *scroll));
    return AnyAnswer(std::move(page));
  }
  QUIPU_TRY(std::vector<FacetValue> facets,
            engine.facet(kTenant, kCollection, std::get<FacetRequest>(request)));
  return AnyAnswer(std::move(facets));
}

void write_hits(JsonWriter& writer, const SearchResult& found) {
  std::uint64_t bytes = 0;
  writer.key("ids").begin_array();
  for (const SearchHit& hit : found.hits) {
    writer.value(hit.point.id.as_number());
    bytes += hit.point.payload.size() + hit.point.text.value_or("").size();
  }
  writer.end_array();
  writer.key("scores").begin_array();
  for (const SearchHit& hit : found.hits) writer.value(hit.score);
  writer.end_array();
  writer.key("bytes").value(bytes);
  if (!found.explain) return;
  writer.key("postings").value(found.explain->postings);
  writer.key("judged").value(found.explain->filter_judged);
}

void write_answer(JsonWriter& writer, const AnyAnswer& answer) {
  writer.begin_object();
  if (const auto* found = std::get_if<SearchResult>(&answer)) {
    write_hits(writer, *found);
  } else if (const auto* count = std::get_if<std::uint64_t>(&answer)) {
    writer.key("count").value(*count);
  } else if (const auto* page = std::get_if<ScrollPage>(&answer)) {
    std::uint64_t bytes = 0;
    writer.key("ids").begin_array();
    for (const Point& point : page->points) {
      writer.value(point.id.as_number());
      bytes += point.payload.size();
    }
    writer.end_array();
    writer.key("bytes").value(bytes);
  } else {
    writer.key("facets").begin_array();
    for (const FacetValue& facet : std::get<std::vector<FacetValue>>(answer)) {
      writer.begin_array();
      std::visit([&writer](const auto& value) { writer.value(value); }, facet.value);
      writer.value(facet.count).end_array();
    }
    writer.end_array();
  }
  writer.end_object();
}

// ---------------------------------------------------------------- loading

Result<SparseValues> read_sparse(JsonView object) {
  SparseValues sparse;
  const auto values = object.find("values");
  if (!values) return malformed("a sparse vector without values");
  QUIPU_TRY_OK(values->read_floats(sparse.values));
  for_each_in(object, "indices", [&sparse](JsonView element) {
    sparse.indices.push_back(static_cast<std::uint32_t>(element.as_uint64().value_or(0)));
  });
  if (sparse.indices.size() != sparse.values.size()) return malformed("a ragged sparse vector");
  return sparse;
}

// Files that are read side by side; a file of row i has it in its line i.
class Rows {
 public:
  static Result<Rows> open(JsonView request) {
    Rows rows;
    for (const auto& [name, stream] : {std::pair{"texts", &rows.texts_},
                                       {"payloads", &rows.payloads_},
                                       {"sparse", &rows.sparse_}}) {
      const std::string path = text_or(request, name, "");
      if (path.empty()) continue;
      stream->emplace(path);
      if (!(*stream)->good()) return malformed("cannot read '" + path + "'");
    }
    const std::string vectors = text_or(request, "vectors", "");
    if (!vectors.empty()) {
      QUIPU_TRY(NpyMatrix matrix, NpyMatrix::map(vectors));
      rows.vectors_.emplace(std::move(matrix));
    }
    rows.vector_name_ = text_or(request, "vector_name", "");
    rows.sparse_name_ = text_or(request, "sparse_name", "sparse");
    return rows;
  }

  Result<PointWrite> next() {
    PointWrite point;
    point.id = PointId::number(row_);
    std::string line;
    if (texts_) {
      QUIPU_TRY_OK(read_line(*texts_, line));
      point.text = line;
    }
    if (payloads_) QUIPU_TRY_OK(read_line(*payloads_, point.payload));
    if (sparse_) {
      QUIPU_TRY_OK(read_line(*sparse_, line));
      QUIPU_TRY(const JsonDocument document, JsonDocument::parse(line));
      QUIPU_TRY(SparseValues sparse, read_sparse(document.root()));
      point.vectors.push_back({sparse_name_, std::move(sparse.values), std::move(sparse.indices)});
    }
    if (vectors_) {
      if (row_ >= vectors_->rows()) return malformed("fewer vectors than rows");
      const std::span<const float> values = vectors_->row(row_);
      point.vectors.push_back({vector_name_, {values.begin(), values.end()}, {}});
    }
    ++row_;
    return point;
  }

 private:
  Status read_line(std::ifstream& stream, std::string& into) const {
    if (std::getline(stream, into)) return ok_status();
    return malformed("a file ends before row " + std::to_string(row_));
  }

  std::optional<std::ifstream> texts_;
  std::optional<std::ifstream> payloads_;
  std::optional<std::ifstream> sparse_;
  std::optional<NpyMatrix> vectors_;
  std::string vector_name_;
  std::string sparse_name_;
  std::size_t row_ = 0;
};

// ---------------------------------------------------------------- the peer

class QueryPeer {
 public:
  Result<std::string> answer(std::string_view op, JsonView request) {
    if (op == "open") return open(request);
    if (engine_ == nullptr) return malformed("nothing is open");
    if (op == "load") return load(request);
    if (op == "settle") return settle();
    if (op == "index") return index(request);
    if (op == "run") return run(request);
    if (op == "write") return write(request);
    if (op == "erase") return erase(request);
    if (op == "status") return status();
    return unknown_op(op);
  }

 private:
  Result<std::string> open(JsonView request) {
    QUIPU_TRY(const std::string work_dir, text_of(request, "work_dir"));
    const auto config = request.find("config");
    if (!config) return malformed("no 'config'");
    EngineOptions options;
    options.data_dir = work_dir + "/data";
    options.background_threads = number_or(request, "threads", 1);
    const std::string models = text_or(request, "models", "");
    if (!models.empty()) options.model_dirs = {models};
    options.embedding_cache_bytes =
        number_or(request, "embedding_cache_bytes", options.embedding_cache_bytes);
    // Rounds ask the same again: with the default, all but the first would measure the cache.
    options.query_cache_entries = number_or(request, "query_cache_entries", 0);
    options.query_cache_warm = 0;
    QUIPU_TRY(engine_, Engine::open(options, {}));
    QUIPU_TRY(CollectionConfig made, read_config(*config));
    QUIPU_TRY_OK(engine_->create_collection(kTenant, kCollection, std::move(made)));
    return std::string("{}");
  }

  // Times count from the first write until everything is acknowledged; settle() is beside it.
  Result<std::string> load(JsonView request) {
    QUIPU_TRY(const std::uint64_t count, number_of(request, "rows"));
    QUIPU_TRY(Rows rows, Rows::open(request));
    const Memory before = resident_memory();
    const std::int64_t wall = wall_ns();
    const std::int64_t cpu = process_cpu_ns();
    for (std::size_t first = 0; first < count; first += kBatch) {
      UpsertRequest batch;
      batch.allow_bare = true;
      batch.params.timeout = kPatience;
      for (std::size_t row = first; row < std::min<std::size_t>(first + kBatch, count); ++row) {
        QUIPU_TRY(PointWrite point, rows.next());
        batch.points.push_back(std::move(point));
      }
      QUIPU_TRY_OK(engine_->upsert(kTenant, kCollection, std::move(batch)));
    }
    const std::int64_t acknowledged = wall_ns() - wall;
    QUIPU_TRY_OK(wait_idle());
    const std::int64_t settled = wall_ns() - wall;
    const std::int64_t spent = process_cpu_ns() - cpu;
    QUIPU_TRY(const std::uint64_t points, engine_->count(kTenant, kCollection, {}));
    ::malloc_trim(0);  // What loading no longer needs is not the views' memory.
    const Memory after = resident_memory();
    std::string reply;
    JsonWriter writer(reply);
    writer.begin_object();
    writer.key("rows").value(points);
    writer.key("acknowledged_ns").value(acknowledged);
    writer.key("wall_ns").value(settled);
    writer.key("cpu_ns").value(spent);
    writer.key("anonymous_bytes")
        .value(static_cast<std::int64_t>(after.anonymous_bytes) -
               static_cast<std::int64_t>(before.anonymous_bytes));
    write_views(writer);
    writer.end_object();
    return reply;
  }

  Result<std::string> settle() {
    QUIPU_TRY_OK(wait_idle());
    return std::string("{}");
  }

  Result<std::string> index(JsonView request) {
    CollectionPatch patch;
    QUIPU_TRY(patch.add_payload_indexes, payload_indexes(request));
    const std::int64_t wall = wall_ns();
    const std::int64_t cpu = process_cpu_ns();
    QUIPU_TRY_OK(engine_->update_collection(kTenant, kCollection, patch));
    QUIPU_TRY_OK(wait_idle());
    const std::int64_t taken = wall_ns() - wall;
    const std::int64_t spent = process_cpu_ns() - cpu;
    std::string reply;
    JsonWriter writer(reply);
    writer.begin_object();
    writer.key("wall_ns").value(taken);
    writer.key("cpu_ns").value(spent);
    write_views(writer);
    writer.end_object();
    return reply;
  }

  Result<std::string> run(JsonView request) {
    QUIPU_TRY(const std::string path, text_of(request, "requests"));
    QUIPU_TRY(const std::vector<AnyRequest> requests, read_requests(path));
    std::vector<AnyAnswer> answers;
    answers.reserve(requests.size());
    std::vector<std::int64_t> walls;
    std::vector<std::int64_t> cpus;
    std::int64_t last_cpu = thread_cpu_ns();
    std::int64_t last = wall_ns();
    for (const AnyRequest& each : requests) {
      QUIPU_TRY(AnyAnswer answer, answer_to(*engine_, each));
      const std::int64_t now = wall_ns();
      const std::int64_t cpu = thread_cpu_ns();
      answers.push_back(std::move(answer));
      walls.push_back(now - last);
      cpus.push_back(cpu - last_cpu);
      last_cpu = thread_cpu_ns();  // What was kept above is not the engine's time.
      last = wall_ns();
    }
    std::string reply;
    JsonWriter writer(reply);
    writer.begin_object();
    writer.key("wall_ns").begin_array();
    for (const std::int64_t each : walls) writer.value(each);
    writer.end_array();
    writer.key("cpu_each_ns").begin_array();
    for (const std::int64_t each : cpus) writer.value(each);
    writer.end_array();
    writer.key("answers").begin_array();
    if (!flag(request, "silent")) {
      for (const AnyAnswer& answer : answers) write_answer(writer, answer);
    }
    writer.end_array();
    writer.end_object();
    return reply;
  }

  static Result<std::vector<AnyRequest>> read_requests(const std::string& path) {
    std::ifstream in(path);
    std::vector<AnyRequest> requests;
    for (std::string line; std::getline(in, line);) {
      QUIPU_TRY(const JsonDocument document, JsonDocument::parse(line));
      QUIPU_TRY(AnyRequest request, read_request(document.root()));
      requests.push_back(std::move(request));
    }
    if (requests.empty()) return malformed("no request in '" + path + "'");
    return requests;
  }

  Result<std::string> write(JsonView request) {
    UpsertRequest batch;
    Status read = ok_status();
    for_each_in(request, "points", [&](JsonView element) {
      PointWrite& point = batch.points.emplace_back();
      point.id = PointId::number(number_or(element, "id", 0));
      if (element.find("text")) point.text = text_or(element, "text", "");
      if (const auto payload = element.find("payload")) point.payload = payload->to_string();
      if (const auto vector = element.find("vector")) {
        NamedVector& named = point.vectors.emplace_back();
        if (Status floats = vector->read_floats(named.values); !floats.ok()) {
          read = std::move(floats).error();
        }
      }
    });
    QUIPU_TRY_OK(std::move(read));
    QUIPU_TRY_OK(engine_->upsert(kTenant, kCollection, std::move(batch)));
    return std::string("{}");
  }

  Result<std::string> erase(JsonView request) {
    DeleteRequest batch;
    for_each_in(request, "ids", [&batch](JsonView element) {
      batch.points.push_back({PointId::number(element.as_uint64().value_or(0)), {}});
    });
    QUIPU_TRY(const WriteResult result, engine_->remove(kTenant, kCollection, std::move(batch)));
    for (const ItemResult& item : result.items) {
      if (item.outcome != ItemOutcome::kDeleted) return malformed("a point was not there");
    }
    return std::string("{}");
  }

  Result<std::string> status() {
    std::string reply;
    JsonWriter writer(reply);
    writer.begin_object();
    const Memory memory = resident_memory();
    writer.key("anonymous_bytes").value(memory.anonymous_bytes);
    writer.key("file_bytes").value(memory.file_bytes);
    const EngineStatus engine = engine_->status();
    writer.key("disk_bytes").value(engine.disk_bytes);
    writer.key("cache_entries").value(engine.query_cache.entries);
    writer.key("cache_bytes").value(engine.query_cache.bytes);
    writer.key("cache_hits").value(engine.query_cache.hits);
    writer.key("cache_misses").value(engine.query_cache.misses);
    writer.key("cache_stale").value(engine.query_cache.stale);
    writer.key("cache_evictions").value(engine.query_cache.evictions);
    write_views(writer);
    writer.end_object();
    return reply;
  }

  void write_views(JsonWriter& writer) {
    writer.key("views").begin_array();
    const Result<CollectionInfo> info = engine_->collection(kTenant, kCollection);
    for (const VectorStatus& view :
         info.ok() ? info.value().vectors : std::vector<VectorStatus>()) {
      writer.begin_object();
      writer.key("name").value(view.name);
      writer.key("kind").value(view.kind);
      writer.key("live").value(view.live);
      writer.key("memory_bytes").value(view.memory_bytes);
      writer.key("mapped_bytes").value(view.mapped_bytes);
      writer.end_object();
    }
    writer.end_array();
  }

  // Nobody notifies: there is nothing to be told by but the engine's own figures.
  static void pause(std::chrono::milliseconds length) {
    std::mutex mutex;
    std::condition_variable never;
    std::unique_lock<std::mutex> lock(mutex);
    never.wait_for(lock, length, [] { return false; });
  }

  // Linked, every view ready, and the process at rest: background merges have no other sign.
  Status wait_idle() {
    QUIPU_TRY_OK(engine_->wait_linked(kTenant, kCollection, kPatience));
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    constexpr std::chrono::milliseconds kStep(20);
    constexpr int kIdleSteps = 25;  // longer than a tick of the engine's housekeeper
    int idle = 0;
    while (idle < kIdleSteps) {
      if (std::chrono::steady_clock::now() > give_up) return malformed("not idle in 20 minutes");
      pause(kStep);
      QUIPU_TRY(const CollectionInfo info, engine_->collection(kTenant, kCollection));
      const bool ready =
          std::all_of(info.vectors.begin(), info.vectors.end(),
                      [](const VectorStatus& view) { return view.state == "ready"; });
      idle = ready && !other_threads_busy() ? idle + 1 : 0;
    }
    return ok_status();
  }

  std::unique_ptr<Engine> engine_;
};

}  // namespace
}  // namespace quipu::bench

int main() {
  quipu::bench::QueryPeer peer;
  return quipu::bench::serve(
      [&peer](std::string_view op, quipu::JsonView request) { return peer.answer(op, request); });
}
