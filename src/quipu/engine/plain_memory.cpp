#include "quipu/engine/plain_memory.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"
#include "quipu/base/rng.h"
#include "quipu/embed/embedder.h"
#include "quipu/engine/refusals.h"
#include "quipu/text/documents/utf8.h"

namespace quipu::engine {
namespace {

// The member of a point's payload that makes it a chunk of a record.
constexpr std::string_view kChunkMember = "quipu_chunk";
constexpr std::uint32_t kOverlapTokens = 32;
constexpr std::size_t kRecallMax = 1'000;
constexpr std::size_t kQueryBytesMax = 64U << 10;
// Bounds of one write of several records together.
constexpr std::size_t kGroupPointsMax = 1'000;
constexpr std::size_t kGroupBytesMax = 16U << 20;
// How often a write begins anew because another one changed the record meanwhile.
constexpr int kAttemptsMax = 16;

Status check_text(std::string_view field, std::string_view text, std::size_t bytes_max) {
  if (text.empty() || text.size() > bytes_max) {
    return invalid(
        quipu::format("{}: has {} bytes; it takes 1 to {}", field, text.size(), bytes_max),
        text.empty() ? "text_empty" : "text_too_large");
  }
  if (const auto bad = text::first_invalid_utf8(text)) {
    return invalid(quipu::format("{}: is not UTF-8 at byte {}", field, *bad), "text_not_utf8");
  }
  return ok_status();
}

Status check_metadata(std::string_view metadata) {
  if (metadata.size() > limits::kPayloadBytesMax) {
    return invalid(quipu::format("metadata: has {} bytes, over the limit of {}", metadata.size(),
                                 limits::kPayloadBytesMax),
                   "payload_too_large");
  }
  QUIPU_TRY(const JsonDocument document, JsonDocument::parse(metadata));
  if (!document.root().is_object()) {
    return invalid(quipu::format("metadata: is a JSON {}, not an object",
                                 json_kind_name(document.root().kind())),
                   "payload_not_object");
  }
  if (document.root().find(kChunkMember)) {
    return invalid(quipu::format("metadata: the member \"{}\" is kept for Quipu", kChunkMember),
                   "reserved_member");
  }
  return ok_status();
}

PointId chunk_id(const PointId& record, std::size_t index) {
  if (index == 0) return record;
  std::string bytes = "quipu.chunk";
  ByteWriter writer(bytes);
  writer.u8(record.is_uuid() ? 1 : 0);
  writer.u64_big_endian(record.high());
  writer.u64_big_endian(record.low());
  writer.u64_big_endian(index);
  return derived_uuid(bytes);
}

// What a point's payload says of its place in a record.
struct ChunkPlace {
  PointId of;
  std::size_t index = 0;
  std::size_t count = 1;
};

// Empty for a point that is no chunk, and for a member that is not as we write it: payloads come
// from outside too.
std::optional<ChunkPlace> chunk_place(const JsonView& payload) {
  const auto member = payload.find(kChunkMember);
  if (!member) return std::nullopt;
  const auto of = member->find("of");
  const auto index = member->find("index");
  const auto count = member->find("count");
  if (!of || !index || !count) return std::nullopt;
  const auto of_text = of->as_string();
  const auto index_value = index->as_uint64();
  const auto count_value = count->as_uint64();
  if (!of_text || !index_value || !count_value) return std::nullopt;
  const Result<PointId> record = PointId::parse(*of_text);
  if (!record.ok() || *index_value >= *count_value || *count_value > limits::kBatchPointsMax) {
    return std::nullopt;
  }
  return ChunkPlace{record.value(), *index_value, *count_value};
}

std::optional<ChunkPlace> chunk_place(const Point& point) {
  const Result<JsonDocument> payload = JsonDocument::parse(point.payload);
  if (!payload.ok()) return std::nullopt;
  const auto place = chunk_place(payload.value().root());
  // A place that leads elsewhere was not given by remember().
  if (!place || chunk_id(place->of, place->index) != point.id) return std::nullopt;
  return place;
}

std::string chunk_payload(const RememberRequest& request, const PointId& record,
                          std::span<const embed::TextChunk> chunks, std::size_t index) {
  if (chunks.size() == 1) return request.metadata;
  std::string payload;
  JsonWriter writer(payload);
  writer.begin_object();
  // Checked by check_metadata().
  const Result<JsonDocument> metadata = JsonDocument::parse(request.metadata);
  metadata.value().root().for_each_member([&](std::string_view key, JsonView value) {
    writer.key(key).raw(value.to_string());
    return true;
  });
  writer.key(kChunkMember).begin_object();
  writer.key("of").value(record.to_string());
  writer.key("index").value(static_cast<std::uint64_t>(index));
  writer.key("count").value(static_cast<std::uint64_t>(chunks.size()));
  writer.key("offset").value(static_cast<std::uint64_t>(chunks[index].offset));
  writer.key("bytes").value(static_cast<std::uint64_t>(chunks[index].size));
  writer.end_object().end_object();
  return payload;
}

// The payload without our own member.
std::string metadata_of(const Point& point) {
  const Result<JsonDocument> payload = JsonDocument::parse(point.payload);
  if (!payload.ok() || !payload.value().root().find(kChunkMember)) return point.payload;
  std::string metadata;
  JsonWriter writer(metadata);
  writer.begin_object();
  payload.value().root().for_each_member([&](std::string_view key, JsonView value) {
    if (key != kChunkMember) writer.key(key).raw(value.to_string());
    return true;
  });
  writer.end_object();
  return metadata;
}

// A request on its way into the store.
struct Draft {
  std::size_t position = 0;  // in the caller's list
  RememberRequest request;
  PointId id;
  bool replaces = false;  // the caller named the record, so that it may be there already
  std::vector<embed::TextChunk> chunks;
  // What is there now, for a draft that replaces.
  std::optional<std::uint64_t> version;
  std::size_t count_before = 0;

  [[nodiscard]] std::vector<PointId> point_ids() const {
    std::vector<PointId> ids;
    for (std::size_t i = 0; i < chunks.size(); ++i) ids.push_back(chunk_id(id, i));
    return ids;
  }
};

// What one write of drafts gave: an answer for each, or word that the state moved under it.
struct Attempt {
  std::vector<Result<Remembered>> answers;
  bool conflict = false;
};

}  // namespace

struct PlainMemory::State {
  Engine& engine;
  Clock& clock;
  Options options;

  [[nodiscard]] std::string collection_or_default(std::string_view name) const {
    return name.empty() ? options.collection : std::string(name);
  }

  Result<std::string> model_of(const std::string& collection, bool create);
  Result<Draft> draft(RememberRequest request, std::size_t position);
  Status read_current(const std::string& collection, Draft& draft);
  Attempt write_once(const std::string& collection, std::span<Draft> drafts);
  void remove_stale(const std::string& collection, const Draft& draft, const WriteParams& params);
  void write(std::span<Draft> drafts, std::vector<Result<Remembered>>& answers);
  Result<std::vector<Recalled>> records_of(const std::string& collection,
                                           const std::vector<SearchHit>& hits,
                                           const ReadParams& params);
  Result<std::vector<Point>> get(const std::string& collection, std::vector<PointId> ids,
                                 const ReadParams& params) {
    return engine.get(options.tenant, collection,
                      {.ids = std::move(ids), .select = {.text = false}, .params = params});
  }
};

// The model that embeds the collection's texts; makes the collection when asked to and it is
// absent.
Result<std::string> PlainMemory::State::model_of(const std::string& collection, bool create) {
  Result<CollectionInfo> info = engine.collection(options.tenant, collection);
  if (!info.ok() && info.error().code == ErrorCode::kNotFound && create) {
    CollectionConfig config;
    config.vectors.push_back({.model = options.model});
    info = engine.create_collection(options.tenant, collection, config);
    // Somebody was quicker: theirs serves as well.
    if (!info.ok() && info.error().code == ErrorCode::kAlreadyExists) {
      info = engine.collection(options.tenant, collection);
    }
  }
  if (!info.ok()) return std::move(info).error();
  const std::vector<VectorConfig>& vectors = info.value().config.vectors;
  const auto usual = std::find_if(vectors.begin(), vectors.end(), [](const VectorConfig& vector) {
    return vector.name.empty() && !vector.model.empty();
  });
  if (usual == vectors.end()) {
    return Error{ErrorCode::kFailedPrecondition,
                 quipu::format("collection {} has no model that embeds texts into its unnamed "
                               "vector, so it can remember none",
                               in_quotes(collection)),
                 "collection_without_model"};
  }
  return usual->model;
}

Result<Draft> PlainMemory::State::draft(RememberRequest request, std::size_t position) {
  QUIPU_TRY_OK(check_text("text", request.text, limits::kTextBytesMax));
  QUIPU_TRY_OK(check_metadata(request.metadata));
  Draft draft;
  draft.position = position;
  request.collection = collection_or_default(request.collection);
  QUIPU_TRY(const std::string model, model_of(request.collection, true));
  QUIPU_TRY(draft.chunks, engine.embedder().chunk(model, request.text, 0, kOverlapTokens));
  // White space alone has no sentence to cut at, yet it is a text.
  if (draft.chunks.empty()) draft.chunks.push_back({.offset = 0, .size = request.text.size()});
  if (draft.chunks.size() == 1) draft.chunks[0] = {0, request.text.size(), 0};
  if (draft.chunks.size() > limits::kBatchPointsMax) {
    return invalid(quipu::format("text: makes {} chunks, over the limit of {}", draft.chunks.size(),
                                 limits::kBatchPointsMax),
                   "text_too_large");
  }
  const std::string& key = request.params.idempotency_key;
  if (request.id) {
    draft.id = *request.id;
    // With a key the engine tells a repeated request by its content: a condition, which depends on
    // what is there, would make it another one.
    draft.replaces = key.empty();
  } else if (!key.empty()) {
    // The same request again must make the same points.
    std::string name = "quipu.remember";
    ByteWriter writer(name);
    writer.sized(options.tenant);
    writer.sized(request.collection);
    writer.sized(key);
    draft.id = derived_uuid(name);
  } else {
    draft.id = make_uuid_v7(clock.now_us());
  }
  draft.request = std::move(request);
  return draft;
}

// Notes what the record is now, so that the write can be refused when it is not that any more.
Status PlainMemory::State::read_current(const std::string& collection, Draft& draft) {
  draft.version.reset();
  draft.count_before = 0;
  QUIPU_TRY(const std::vector<Point> found,
            get(collection, {draft.id}, {.min_seq = {}, .timeout = draft.request.params.timeout}));
  if (found.empty()) return ok_status();
  const auto place = chunk_place(found[0]);
  if (place && place->index > 0) {
    return invalid(quipu::format("id: {} is part {} of record {}; name the record",
                                 draft.id.to_string(), place->index, place->of.to_string()),
                   "chunk_of_record");
  }
  draft.version = found[0].version;
  draft.count_before = place ? place->count : 1;
  return ok_status();
}

// Takes away the chunks that the earlier, longer version of the record had beyond the new one's.
// They are named with the versions read here, after the new record was written: a chunk that a yet
// newer version wrote meanwhile has another version, and stays.
void PlainMemory::State::remove_stale(const std::string& collection, const Draft& draft,
                                      const WriteParams& params) {
  if (draft.count_before <= draft.chunks.size()) return;
  std::vector<PointId> ids;
  for (std::size_t i = draft.chunks.size(); i < draft.count_before; ++i) {
    ids.push_back(chunk_id(draft.id, i));
  }
  const Result<std::vector<Point>> found = get(collection, ids, {.timeout = params.timeout});
  const Result<std::vector<Point>> first = get(collection, {draft.id}, {.timeout = params.timeout});
  // A failure leaves points that recall() knows as stale and passes over.
  if (!found.ok() || !first.ok() || first.value().empty()) return;
  const auto now = chunk_place(first.value()[0]);
  const std::size_t count_now = now ? now->count : 1;
  DeleteRequest removal;
  removal.params.timeout = params.timeout;
  for (const Point& point : found.value()) {
    const auto place = chunk_place(point);
    if (!place || place->index < count_now) continue;
    removal.points.push_back({point.id, {.if_version = point.version}});
  }
  if (removal.points.empty()) return;
  const auto removed = engine.remove(options.tenant, collection, std::move(removal));
  if (!removed.ok()) return;  // as above
}

// Writes the drafts as one batch.
Attempt PlainMemory::State::write_once(const std::string& collection, std::span<Draft> drafts) {
  Attempt attempt;
  UpsertRequest upsert;
  upsert.params = drafts[0].request.params;
  for (Draft& draft : drafts) {
    for (std::size_t i = 0; i < draft.chunks.size(); ++i) {
      PointWrite point;
      point.id = chunk_id(draft.id, i);
      point.text = draft.request.text.substr(draft.chunks[i].offset, draft.chunks[i].size);
      point.payload = chunk_payload(draft.request, draft.id, draft.chunks, i);
      if (i == 0 && draft.replaces) {
        point.condition.if_version = draft.version;
        point.condition.if_absent = !draft.version;
      }
      upsert.points.push_back(std::move(point));
    }
  }
  const Result<WriteResult> written = engine.upsert(options.tenant, collection, std::move(upsert));
  if (!written.ok()) {
    for (std::size_t i = 0; i < drafts.size(); ++i) attempt.answers.emplace_back(written.error());
    return attempt;
  }
  std::size_t item = 0;
  for (Draft& draft : drafts) {
    Remembered answer;
    answer.id = draft.id;
    answer.seq = written.value().seq;
    answer.durable = written.value().durable;
    answer.created = written.value().items[item].outcome == ItemOutcome::kCreated;
    answer.version = written.value().items[item].version;
    answer.chunks = draft.point_ids();
    std::optional<Error> refused;
    for (std::size_t i = 0; i < draft.chunks.size(); ++i, ++item) {
      const ItemResult& result = written.value().items[item];
      answer.token_count += result.token_count;
      if (result.error) refused = result.error;
    }
    attempt.conflict = attempt.conflict || refused.has_value();
    if (refused) {
      attempt.answers.emplace_back(*std::move(refused));
    } else {
      attempt.answers.emplace_back(std::move(answer));
    }
    if (!attempt.conflict && !written.value().replayed) {
      remove_stale(collection, draft, draft.request.params);
    }
  }
  return attempt;
}

// Writes the drafts of one group together, and one by one when that is refused: a text that cannot
// be embedded, or a record that another client changes, fails alone.
void PlainMemory::State::write(std::span<Draft> drafts, std::vector<Result<Remembered>>& answers) {
  const std::string& collection = drafts[0].request.collection;
  const int attempts_max = drafts.size() > 1 ? 1 : kAttemptsMax;
  for (int attempt_count = 0; attempt_count < attempts_max; ++attempt_count) {
    bool readable = true;
    for (Draft& draft : drafts) {
      if (!draft.replaces) continue;
      if (Status read = read_current(collection, draft); !read.ok()) {
        answers[draft.position] = std::move(read).error();
        readable = false;
      }
    }
    if (!readable) break;
    Attempt attempt = write_once(collection, drafts);
    const bool failed_together =
        std::any_of(attempt.answers.begin(), attempt.answers.end(),
                    [](const Result<Remembered>& answer) { return !answer.ok(); });
    for (std::size_t i = 0; i < drafts.size(); ++i) {
      answers[drafts[i].position] = std::move(attempt.answers[i]);
    }
    if (!failed_together) return;
    if (!attempt.conflict && drafts.size() == 1) return;
  }
  if (drafts.size() == 1) return;
  for (std::size_t i = 0; i < drafts.size(); ++i) write(drafts.subspan(i, 1), answers);
}

PlainMemory::PlainMemory(Engine& engine, Clock& clock, Options options)
    : state_(new State{engine, clock, std::move(options)}) {}
PlainMemory::~PlainMemory() = default;

std::vector<Result<Remembered>> PlainMemory::remember(std::vector<RememberRequest> requests) {
  std::vector<Result<Remembered>> answers;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    answers.emplace_back(Error{ErrorCode::kInternal, "not written"});
  }
  std::vector<Draft> drafts;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Result<Draft> draft = state_->draft(std::move(requests[i]), i);
    if (draft.ok()) {
      drafts.push_back(std::move(draft).value());
    } else {
      answers[i] = std::move(draft).error();
    }
  }
  // Neighbours that can share a write do. The order is kept, so the later of two that name one
  // record wins.
  std::size_t begin = 0;
  while (begin < drafts.size()) {
    std::unordered_set<PointId> ids;
    std::size_t points = 0;
    std::size_t bytes = 0;
    std::size_t end = begin;
    for (; end < drafts.size(); ++end) {
      const Draft& draft = drafts[end];
      const RememberRequest& lead = drafts[begin].request;
      points += draft.chunks.size();
      bytes += draft.request.text.size() + draft.chunks.size() * draft.request.metadata.size();
      const bool fits = points <= kGroupPointsMax && bytes <= kGroupBytesMax &&
                        draft.request.collection == lead.collection &&
                        draft.request.params.timeout == lead.params.timeout &&
                        draft.request.params.idempotency_key.empty() &&
                        lead.params.idempotency_key.empty() && !ids.contains(draft.id);
      if (end > begin && !fits) break;
      ids.insert(draft.id);
    }
    state_->write(std::span(drafts).subspan(begin, end - begin), answers);
    begin = end;
  }
  return answers;
}

// One entry for each record among the hits, in their order. Hits on chunks that their record does
// not have any more are passed over.
Result<std::vector<Recalled>> PlainMemory::State::records_of(const std::string& collection,
                                                             const std::vector<SearchHit>& hits,
                                                             const ReadParams& params) {
  struct Candidate {
    const SearchHit* hit;
    PointId record;
    std::size_t index;
  };
  std::vector<Candidate> candidates;
  std::vector<PointId> later;  // records of which a chunk after the first was hit
  std::unordered_set<PointId> asked;
  for (const SearchHit& hit : hits) {
    const auto place = chunk_place(hit.point);
    const PointId record = place ? place->of : hit.point.id;
    const std::size_t index = place ? place->index : 0;
    candidates.push_back({&hit, record, index});
    if (index > 0 && asked.insert(record).second) later.push_back(record);
  }
  std::unordered_map<PointId, Point> firsts;
  if (!later.empty()) {
    QUIPU_TRY(std::vector<Point> found, get(collection, std::move(later), params));
    for (Point& point : found) firsts.emplace(point.id, std::move(point));
  }
  std::vector<Recalled> records;
  std::unordered_set<PointId> seen;
  for (const Candidate& candidate : candidates) {
    const Point* first = &candidate.hit->point;
    if (candidate.index > 0) {
      const auto found = firsts.find(candidate.record);
      if (found == firsts.end()) continue;
      const auto place = chunk_place(found->second);
      if (!place || candidate.index >= place->count) continue;
      first = &found->second;
    }
    if (!seen.insert(candidate.record).second) continue;
    Recalled recalled;
    recalled.id = candidate.record;
    recalled.point = candidate.hit->point.id;
    recalled.score = candidate.hit->score;
    recalled.text = candidate.hit->point.text.value_or("");
    recalled.metadata = metadata_of(candidate.hit->point);
    recalled.created_us = first->created_us;
    recalled.updated_us = first->updated_us;
    records.push_back(std::move(recalled));
  }
  return records;
}

Result<RecallResult> PlainMemory::recall(const RecallRequest& request) {
  QUIPU_TRY_OK(check_text("query", request.query, kQueryBytesMax));
  if (request.k < 1 || request.k > kRecallMax) {
    return invalid(quipu::format("k: is {}; it takes 1 to {}", request.k, kRecallMax), "k_range");
  }
  const std::string collection = state_->collection_or_default(request.collection);
  const Result<std::string> model = state_->model_of(collection, false);
  if (!model.ok()) {
    // The default collection is made by the first remember(): before that, nothing is known.
    if (request.collection.empty() && model.error().code == ErrorCode::kNotFound) {
      return RecallResult{};
    }
    return Error(model.error());
  }
  SearchRequest search;
  search.text = request.query;
  search.score_threshold = request.score_threshold;
  search.explain = request.explain;
  search.params = request.params;
  // Several chunks of one record may be among the best: ask for more until there are k records.
  search.k = std::min(request.k + 16, limits::kSearchHitsMax);
  while (true) {
    QUIPU_TRY(SearchResult found,
              state_->engine.search(state_->options.tenant, collection, search));
    RecallResult result;
    QUIPU_TRY(result.records, state_->records_of(collection, found.hits, request.params));
    result.explain = std::move(found.explain);
    result.query_truncated = found.query_truncated;
    const bool exhausted = found.hits.size() < search.k || search.k == limits::kSearchHitsMax;
    if (result.records.size() >= request.k || exhausted) {
      if (result.records.size() > request.k) result.records.resize(request.k);
      return result;
    }
    search.k = std::min(search.k * 4, limits::kSearchHitsMax);
  }
}

Result<bool> PlainMemory::forget(PointId id, std::string_view collection_name) {
  const std::string collection = state_->collection_or_default(collection_name);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    Result<std::vector<Point>> found = state_->get(collection, {id}, {});
    if (!found.ok()) {
      const bool never_made =
          collection_name.empty() && found.error().stable_reason() == "collection_not_found";
      if (never_made) return false;
      return std::move(found).error();
    }
    if (found.value().empty()) return false;
    const auto place = chunk_place(found.value()[0]);
    if (place && place->index > 0) {
      return invalid(quipu::format("id: {} is part {} of record {}; forget the record",
                                   id.to_string(), place->index, place->of.to_string()),
                     "chunk_of_record");
    }
    DeleteRequest removal;
    const std::size_t count = place ? place->count : 1;
    removal.points.push_back({id, {.if_version = found.value()[0].version}});
    for (std::size_t i = 1; i < count; ++i) removal.points.push_back({chunk_id(id, i), {}});
    QUIPU_TRY(const WriteResult removed,
              state_->engine.remove(state_->options.tenant, collection, std::move(removal)));
    if (removed.items[0].outcome == ItemOutcome::kDeleted) return true;
    if (removed.items[0].outcome == ItemOutcome::kNotFound) return false;
    // Refused: it was changed meanwhile. Look again.
  }
  return Error{
      ErrorCode::kUnavailable,
      quipu::format("record {} is being changed by others; {} attempts to forget it failed",
                    id.to_string(), kAttemptsMax),
      "record_busy"};
}

PointId derived_uuid(std::string_view name) {
  const Digest128 digest = digest128(name);
  // Version 8 and the RFC's variant: "vendor-specific, made from something".
  return PointId::uuid((digest.high & ~0xf000ULL) | 0x8000ULL,
                       (digest.low & ~(3ULL << 62)) | (2ULL << 62));
}

PointId make_uuid_v7(std::int64_t now_us) {
  // Milliseconds in the upper 48 bits and, as the RFC's method 3 allows, the fraction below them in
  // the 12 bits after the version; one more than the last when the clock did not move on.
  static std::atomic<std::uint64_t> last_stamp{0};
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(now_us, 0));
  std::uint64_t stamp = ((us / 1000) << 12) | ((us % 1000) * 4096 / 1000);
  std::uint64_t last = last_stamp.load();
  do {
    // A clock that was set far back does not drag ids with it for longer than a second.
    if (stamp <= last && last - stamp < (1000ULL << 12)) stamp = last + 1;
  } while (!last_stamp.compare_exchange_weak(last, stamp));
  thread_local Rng rng(entropy());
  const std::uint64_t high = ((stamp >> 12) << 16) | 0x7000ULL | (stamp & 0xfffULL);
  return PointId::uuid(high, (rng.next() & ~(3ULL << 62)) | (2ULL << 62));
}

}  // namespace quipu::engine
