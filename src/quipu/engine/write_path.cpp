// The way of a write up to the log: validate, embed, make canonical, cut into one operation for
// each shard, and put the answers of the shards together again.
#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/engine/canonical.h"
#include "quipu/engine/engine_state.h"
#include "quipu/engine/refusals.h"
#include "quipu/engine/waiting.h"

namespace quipu {
namespace {

using engine::Applied;
using engine::canonical_payload;
using engine::canonical_vector;
using engine::canonical_vectors;
using engine::check_text;
using engine::Collection;
using engine::invalid;
using engine::PointsWrite;

// What the door learned about a point's text, for the answer.
struct TextFacts {
  bool truncated = false;
  std::uint32_t token_count = 0;
};

template <typename Points>
Status check_batch(const Points& points) {
  if (points.empty() || points.size() > limits::kBatchPointsMax) {
    return invalid(format("points has {} entries; it must have from 1 to {}", points.size(),
                          limits::kBatchPointsMax),
                   points.empty() ? "empty_batch" : "batch_too_large");
  }
  std::unordered_set<PointId> ids;
  ids.reserve(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!ids.insert(points[i].id).second) {
      return invalid(format("points[{}].id {} is in the batch twice", i, points[i].id.to_string()),
                     "duplicate_id");
    }
    if (points[i].condition.if_absent && points[i].condition.if_version) {
      return invalid(format("points[{}] has both if_absent and if_version", i),
                     "conflicting_conditions");
    }
  }
  return ok_status();
}

// Embeds the texts of a batch into those configured vectors that have a model and were not given.
class TextEmbedding {
 public:
  TextEmbedding(Engine::State& state, const Collection& collection, std::size_t count,
                std::chrono::steady_clock::time_point deadline)
      : state_(state), collection_(collection), facts_(count), deadline_(deadline) {}

  template <typename OpPoint>
  void want(std::size_t index, OpPoint& point) {
    if (!point.text) return;
    for (std::size_t v = 0; v < collection_.record.config.vectors.size(); ++v) {
      const VectorConfig& config = collection_.record.config.vectors[v];
      const bool given = std::any_of(point.vectors.begin(), point.vectors.end(),
                                     [&config](const auto& x) { return x.vector_id == config.id; });
      if (config.model.empty() || given) continue;
      wanted_.push_back({.point_index = index,
                         .vector_index = v,
                         .text = *point.text,
                         .vectors = &point.vectors,
                         .embedding = &point.embedding});
    }
  }

  // One call of the embedder for each model. An error of one text fails the batch, naming it.
  Status run() {
    std::map<std::string, std::vector<Wanted*>> by_model;
    for (Wanted& wanted : wanted_) {
      by_model[collection_.record.config.vectors[wanted.vector_index].model].push_back(&wanted);
    }
    for (auto& [model, list] : by_model) QUIPU_TRY_OK(run_model(model, list));
    return ok_status();
  }
  [[nodiscard]] const std::vector<TextFacts>& facts() const { return facts_; }

 private:
  struct Wanted {
    std::size_t point_index;
    std::size_t vector_index;
    std::string_view text;
    std::vector<storage::OpVector>* vectors;
    std::optional<storage::OpEmbedding>* embedding;
  };

  Status run_model(const std::string& model, const std::vector<Wanted*>& list) {
    embed::Embedder& embedder = *state_.embedder;
    std::vector<std::string_view> texts;
    texts.reserve(list.size());
    for (const Wanted* wanted : list) texts.push_back(wanted->text);
    auto embedded = embedder.embed(texts, {.model = model,
                                           .kind = embed::TextKind::kPassage,
                                           .interactive = list.size() <= 4,
                                           .deadline = deadline_});
    QUIPU_TRY(const embed::ModelInfo info, embedder.model(model));
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string field = format("points[{}].text", list[i]->point_index);
      if (!embedded[i].ok()) {
        Error error = std::move(embedded[i]).error();
        error.message = format("{}: {}", field, error.message);
        return error;
      }
      embed::Embedding one = std::move(embedded[i]).value();
      const VectorConfig& config = collection_.record.config.vectors[list[i]->vector_index];
      QUIPU_TRY(storage::OpVector vector,
                canonical_vector(collection_, {.name = config.name, .values = one.values}, field));
      list[i]->vectors->push_back(std::move(vector));
      *list[i]->embedding = storage::OpEmbedding{.model = info.name, .revision = info.revision};
      TextFacts& facts = facts_[list[i]->point_index];
      facts.truncated = facts.truncated || one.truncated;
      facts.token_count = std::max(facts.token_count, one.token_count);
    }
    for (const Wanted* wanted : list) {
      std::sort(wanted->vectors->begin(), wanted->vectors->end(),
                [](const auto& a, const auto& b) { return a.vector_id < b.vector_id; });
    }
    return ok_status();
  }

  Engine::State& state_;
  const Collection& collection_;
  std::vector<TextFacts> facts_;
  const std::chrono::steady_clock::time_point deadline_;
  std::vector<Wanted> wanted_;
};

storage::OpCondition op_condition(const Condition& condition) {
  return {.if_version = condition.if_version, .if_absent = condition.if_absent};
}

// ---- one request kind each: its operation, its points, how a point is made canonical

struct UpsertKind {
  using Op = storage::UpsertOp;
  using OpPoint = storage::UpsertPoint;
  static constexpr std::string_view kRoute = "upsert";
  static Result<OpPoint> convert(const Collection& collection, PointWrite& from, std::size_t i) {
    OpPoint point{.id = from.id, .condition = op_condition(from.condition)};
    QUIPU_TRY(point.vectors,
              canonical_vectors(collection, from.vectors, format("points[{}].vector", i)));
    QUIPU_TRY_OK(check_text(from.text, format("points[{}].text", i)));
    point.text = std::move(from.text);
    QUIPU_TRY(point.payload, canonical_payload(from.payload, format("points[{}].payload", i)));
    return point;
  }
  static Status check(const OpPoint& point, std::size_t i, const Collection& collection,
                      const UpsertRequest& request) {
    // Words of a payload key may be there; whether they are is seen when they are read.
    const bool has_words =
        std::any_of(collection.record.config.words.begin(), collection.record.config.words.end(),
                    [&point](const WordsConfig& words) {
                      return words.source.empty() ? point.text.has_value() : point.payload != "{}";
                    });
    if (!point.vectors.empty() || has_words || request.allow_bare) return ok_status();
    return invalid(format("points[{}] has no vector, and {}", i,
                          point.text ? format("no vector of '{}' has a model to embed its text",
                                              collection.record.name)
                                     : "no text to embed"),
                   "vector_missing");
  }
};

struct PatchKind {
  using Op = storage::PatchOp;
  using OpPoint = storage::PatchPoint;
  static constexpr std::string_view kRoute = "patch";
  static Result<OpPoint> convert(const Collection& collection, PointPatch& from, std::size_t i) {
    OpPoint point{.id = from.id, .condition = op_condition(from.condition)};
    QUIPU_TRY(point.vectors,
              canonical_vectors(collection, from.vectors, format("points[{}].vector", i)));
    QUIPU_TRY_OK(check_text(from.text, format("points[{}].text", i)));
    point.text = std::move(from.text);
    QUIPU_TRY_OK(engine::canonical_change(collection, from, format("points[{}]", i), point));
    return point;
  }
  static Status check(const OpPoint& point, std::size_t i, const Collection& collection,
                      const PatchRequest&) {
    const bool has_model = std::any_of(collection.record.config.vectors.begin(),
                                       collection.record.config.vectors.end(),
                                       [](const VectorConfig& v) { return !v.model.empty(); });
    if (!point.text || !point.vectors.empty() || !has_model) return ok_status();
    return invalid(format("points[{}].text could not be embedded", i), "vector_missing");
  }
};

struct DeleteKind {
  using Op = storage::DeleteOp;
  using OpPoint = storage::DeletePoint;
  static constexpr std::string_view kRoute = "delete";
  static Result<OpPoint> convert(const Collection&, PointDelete& from, std::size_t) {
    return OpPoint{.id = from.id, .condition = op_condition(from.condition)};
  }
  static Status check(const OpPoint&, std::size_t, const Collection&, const DeleteRequest&) {
    return ok_status();
  }
};

template <typename Request>
struct KindOf;
template <>
struct KindOf<UpsertRequest> {
  using type = UpsertKind;
};
template <>
struct KindOf<PatchRequest> {
  using type = PatchKind;
};
template <>
struct KindOf<DeleteRequest> {
  using type = DeleteKind;
};

// Collects the answers of a request's shards and calls `done` with the last.
class Gather {
 public:
  Gather(std::vector<std::vector<std::size_t>> positions, std::vector<ShardId> shards,
         std::vector<TextFacts> facts, bool durable, Engine::WriteDone done)
      : positions_(std::move(positions)),
        shards_(std::move(shards)),
        facts_(std::move(facts)),
        done_(std::move(done)),
        left_(positions_.size()) {
    std::size_t items = 0;
    for (const auto& list : positions_) items += list.size();
    result_.items.resize(items);
    result_.durable = durable;
    result_.replayed = true;
  }

  void add(std::size_t part, Result<Applied> applied) {
    {
      const std::lock_guard lock(mutex_);
      if (!applied.ok()) {
        if (!error_) error_ = applied.error();
      } else {
        take(part, std::move(applied).value());
      }
      if (--left_ > 0) return;
    }
    finish();
  }

 private:
  void take(std::size_t part, Applied applied) {
    result_.replayed = result_.replayed && applied.replayed;
    token_.moments.emplace_back(shards_[part], applied.seq);
    for (std::size_t i = 0; i < applied.items.size() && i < positions_[part].size(); ++i) {
      const std::size_t position = positions_[part][i];
      ItemResult& item = result_.items[position];
      item = std::move(applied.items[i]);
      item.truncated = facts_[position].truncated;
      item.token_count = facts_[position].token_count;
    }
  }

  void finish() {
    if (error_) {
      // Parts that were written stay written; with one shard, the usual case, there is no such.
      if (!token_.moments.empty()) {
        error_->message += "; other shards of this batch were written: repeating it is safe";
      }
      done_(std::move(*error_));
      return;
    }
    std::sort(token_.moments.begin(), token_.moments.end());
    result_.seq = engine::format_seq_token(token_);
    done_(std::move(result_));
  }

  std::mutex mutex_;
  const std::vector<std::vector<std::size_t>> positions_;
  const std::vector<ShardId> shards_;
  const std::vector<TextFacts> facts_;
  const Engine::WriteDone done_;
  std::size_t left_;
  WriteResult result_;
  engine::SeqToken token_;
  std::optional<Error> error_;
};

}  // namespace

Status Engine::State::admit(const Collection& collection,
                            std::chrono::steady_clock::time_point deadline) {
  if (maintenance->memory_full()) {
    return Error{ErrorCode::kResourceExhausted,
                 format("resident memory is {} bytes; writes are refused over the limit of {}",
                        maintenance->resident_bytes(), options.memory_bytes_max),
                 "memory_full"};
  }
  const std::uint64_t limit = collection.record.config.tail_vectors_max;
  for (const std::shared_ptr<engine::Shard>& shard : collection.shards) {
    while (true) {
      const std::uint64_t tail = shard->tail_rows();
      const std::uint64_t allowed = limit + shard->tail_allowance.load();
      if (tail * 2 < allowed) break;
      // From half of the limit, those who write help to link (invariants.md, rule 5).
      std::size_t linked = 0;
      {
        const EpochDomain::Guard guard = epochs.pin();
        const std::shared_ptr<const engine::ViewSet> now = shard->moment()->views;
        for (const auto& index : now->dense) {
          if (index != nullptr) linked += index->link(tail >= allowed ? 64 : 8);
        }
      }
      if (tail < allowed) break;
      if (clock->steady_now() >= deadline || (linked == 0 && shard->dropped.load())) {
        return Error{ErrorCode::kResourceExhausted,
                     format("{} vectors wait to be linked; the limit of '{}' is {}", tail,
                            collection.record.name, limit),
                     "tail_full"};
      }
    }
  }
  return ok_status();
}

namespace {

// Turns one request into one operation for each shard that it touches.
template <typename Request>
class WritePlan {
 public:
  using Kind = typename KindOf<Request>::type;
  struct Part {
    std::shared_ptr<engine::Shard> shard;
    storage::Operation operation;
    std::string encoded;
  };

  WritePlan(Engine::State& state, std::string_view tenant, std::string_view name, Request request)
      : state_(state),
        tenant_(tenant),
        name_(name),
        request_(std::move(request)),
        deadline_(state.clock->steady_now() + request_.params.timeout),
        facts_(request_.points.size()) {}

  Status prepare() {
    QUIPU_TRY_OK(state_.check_open());
    QUIPU_TRY(collection_, state_.catalogue.find(tenant_, name_));
    QUIPU_TRY_OK(check_batch(request_.points));
    if (request_.params.idempotency_key.size() > limits::kIdempotencyKeyBytesMax) {
      return invalid(
          format("the idempotency key has {} bytes; the limit is {}",
                 request_.params.idempotency_key.size(), limits::kIdempotencyKeyBytesMax),
          "idempotency_key_too_long");
    }
    QUIPU_TRY_OK(convert());
    QUIPU_TRY_OK(embed());
    QUIPU_TRY_OK(state_.admit(*collection_, deadline_));
    return split();
  }

  // After prepare(). Hands the parts to the committer.
  void submit(const Engine::WriteDone& done) {
    const bool sync = collection_->record.config.durability == Durability::kSync;
    std::vector<ShardId> ids;
    for (const Part& part : parts_) ids.push_back(part.shard->id());
    auto gather = std::make_shared<Gather>(std::move(positions_), std::move(ids), std::move(facts_),
                                           sync, done);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Status submitted = state_.committer->submit(
          PointsWrite{
              .shard = std::move(parts_[i].shard),
              .operation = std::move(parts_[i].operation),
              .encoded = std::move(parts_[i].encoded),
              .sync = sync,
              .done = [gather, i](Result<Applied> applied) { gather->add(i, std::move(applied)); }},
          deadline_);
      if (!submitted.ok()) gather->add(i, submitted.error());
    }
  }

 private:
  Status convert() {
    points_.reserve(request_.points.size());
    for (std::size_t i = 0; i < request_.points.size(); ++i) {
      QUIPU_TRY(typename Kind::OpPoint point, Kind::convert(*collection_, request_.points[i], i));
      points_.push_back(std::move(point));
      if (request_.params.idempotency_key.empty()) continue;
      // What identifies a request is what the caller said, before a model had a part in it.
      const storage::Operation alone{.body = typename Kind::Op{{points_.back()}}};
      digests_.push_back(digest128(storage::encode_operation(alone)));
    }
    return ok_status();
  }

  Status embed() {
    if constexpr (!std::is_same_v<Kind, DeleteKind>) {
      TextEmbedding embedding(state_, *collection_, points_.size(), deadline_);
      for (std::size_t i = 0; i < points_.size(); ++i) embedding.want(i, points_[i]);
      QUIPU_TRY_OK(embedding.run());
      facts_ = embedding.facts();
    }
    for (std::size_t i = 0; i < points_.size(); ++i) {
      QUIPU_TRY_OK(Kind::check(points_[i], i, *collection_, request_));
    }
    return ok_status();
  }

  Status split() {
    std::map<std::size_t, std::vector<std::size_t>> by_shard;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      by_shard[collection_->shard_index(points_[i].id)].push_back(i);
    }
    const std::int64_t now_us = state_.clock->now_us();
    for (auto& [shard_index, list] : by_shard) {
      Part part{.shard = collection_->shards[shard_index]};
      part.operation.time_us = now_us;
      if (!digests_.empty()) part.operation.idempotency = identity(shard_index, list);
      typename Kind::Op op;
      op.points.reserve(list.size());
      for (const std::size_t i : list) op.points.push_back(std::move(points_[i]));
      part.operation.body = std::move(op);
      // What could not be read back must not be logged.
      QUIPU_TRY_OK(storage::validate_operation(part.operation));
      storage::encode_operation(part.operation, part.encoded);
      if (part.encoded.size() > limits::kBatchBytesMax) {
        return Error{ErrorCode::kResourceExhausted,
                     format("the batch has {} bytes; the limit is {}: send it in smaller ones",
                            part.encoded.size(), limits::kBatchBytesMax),
                     "batch_too_large"};
      }
      positions_.push_back(std::move(list));
      parts_.push_back(std::move(part));
    }
    return ok_status();
  }

  [[nodiscard]] storage::OpIdempotency identity(std::size_t shard_index,
                                                const std::vector<std::size_t>& list) const {
    std::string scope;
    ByteWriter out(scope);
    out.sized(tenant_);
    out.sized(collection_->record.name);  // an alias is no other request
    out.sized(Kind::kRoute);
    out.sized(request_.params.idempotency_key);
    out.varint(shard_index);
    std::string said;
    ByteWriter digests(said);
    for (const std::size_t i : list) {
      digests.u64(digests_[i].high);
      digests.u64(digests_[i].low);
    }
    return {.key = digest128(scope), .request = digest128(said)};
  }

  Engine::State& state_;
  const std::string_view tenant_;
  const std::string_view name_;
  Request request_;
  const std::chrono::steady_clock::time_point deadline_;
  std::shared_ptr<const Collection> collection_;
  std::vector<typename Kind::OpPoint> points_;
  std::vector<Digest128> digests_;  // of each point; empty without an idempotency key
  std::vector<TextFacts> facts_;
  std::vector<std::vector<std::size_t>> positions_;  // of each part's points in the request
  std::vector<Part> parts_;
};

}  // namespace

template <typename Request>
void Engine::State::write(std::string_view tenant, std::string_view collection_name,
                          Request request, const WriteDone& done) {
  WritePlan<Request> plan(*this, tenant, collection_name, std::move(request));
  if (Status prepared = plan.prepare(); !prepared.ok()) {
    done(std::move(prepared).error());
    return;
  }
  plan.submit(done);
}

void Engine::upsert_async(std::string_view tenant, std::string_view collection,
                          UpsertRequest request, WriteDone done) {
  state_->write(tenant, collection, std::move(request), done);
}
void Engine::patch_async(std::string_view tenant, std::string_view collection, PatchRequest request,
                         WriteDone done) {
  state_->write(tenant, collection, std::move(request), done);
}
void Engine::remove_async(std::string_view tenant, std::string_view collection,
                          DeleteRequest request, WriteDone done) {
  state_->write(tenant, collection, std::move(request), done);
}

Result<WriteResult> Engine::upsert(std::string_view tenant, std::string_view collection,
                                   UpsertRequest request) {
  engine::Waiting<WriteResult> waiter;
  upsert_async(tenant, collection, std::move(request), waiter.callback());
  return waiter.wait();
}
Result<WriteResult> Engine::patch(std::string_view tenant, std::string_view collection,
                                  PatchRequest request) {
  engine::Waiting<WriteResult> waiter;
  patch_async(tenant, collection, std::move(request), waiter.callback());
  return waiter.wait();
}
Result<WriteResult> Engine::remove(std::string_view tenant, std::string_view collection,
                                   DeleteRequest request) {
  engine::Waiting<WriteResult> waiter;
  remove_async(tenant, collection, std::move(request), waiter.callback());
  return waiter.wait();
}

std::string_view item_outcome_name(ItemOutcome outcome) noexcept {
  switch (outcome) {
    case ItemOutcome::kCreated: return "created";
    case ItemOutcome::kUpdated: return "updated";
    case ItemOutcome::kDeleted: return "deleted";
    case ItemOutcome::kNotFound: return "not_found";
    case ItemOutcome::kRefused: return "refused";
  }
  return "refused";
}

}  // namespace quipu
