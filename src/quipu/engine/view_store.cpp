#include "quipu/engine/view_store.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <set>
#include <utility>
#include <variant>

#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/engine/applier.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::string_view kUnfinished = ".tmp";
constexpr std::size_t kCatchUpPoints = 512;  // read at once

std::optional<Seq> parse_number(std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return Seq(number);
}

}  // namespace

namespace {

std::string file_name(const Schema& schema, const ViewRef& view) {
  if (view.kind == ViewKind::kWords) {
    return format("words-{}.ckpt", schema.words[view.index].config.view_id);
  }
  if (view.kind == ViewKind::kPayload) {
    return format("payload-{}.ckpt", schema.payload[view.index].config.view_id);
  }
  const bool sparse = schema.vectors[view.index].kind == VectorKind::kSparse;
  return format("{}-{}.ckpt", sparse ? "sparse" : "dense", schema.vectors[view.index].id);
}

}  // namespace

ShardCapture capture_shard(Shard& shard) {
  ShardCapture capture;
  capture.covers = shard.meta.applied;
  capture.slots = shard.slots.image();
  const ViewSet& views = *shard.views;
  for (const ViewRef& view : all_views(*views.schema)) {
    if (views.missing(view)) continue;
    std::string name = file_name(*views.schema, view);
    if (view.kind == ViewKind::kPayload) {
      capture.payload.emplace_back(std::move(name),
                                   views.payload[view.index]->capture(capture.covers));
    } else if (const auto sparse = views.sparse_of(view)) {
      capture.sparse.emplace_back(std::move(name), sparse->capture(capture.covers));
    } else {
      capture.dense.emplace_back(std::move(name), views.dense[view.index]->capture(capture.covers));
    }
  }
  return capture;
}

ViewStore::ViewStore(FileSystem& fs, std::string directory)
    : fs_(fs), directory_(std::move(directory)) {}

std::string ViewStore::shard_directory(ShardId shard) const {
  return format("{}/{}", directory_, shard.value());
}
std::string ViewStore::folder(ShardId shard, Seq covers) const {
  return format("{}/{}/{}", directory_, shard.value(), covers.value());
}
std::string ViewStore::slots_path(ShardId shard, Seq covers) const {
  return folder(shard, covers) + "/slots.ckpt";
}
std::string ViewStore::view_path(ShardId shard, Seq covers, const Schema& schema,
                                 const ViewRef& view) const {
  return folder(shard, covers) + "/" + file_name(schema, view);
}

Status ViewStore::write(ShardId shard, const ShardCapture& capture) {
  const std::string temporary = folder(shard, capture.covers) + std::string(kUnfinished);
  QUIPU_TRY_OK(remove_tree(fs_, temporary));
  QUIPU_TRY_OK(fs_.create_directories(temporary));
  QUIPU_TRY_OK(SlotMap::save(fs_, temporary + "/slots.ckpt", capture.slots));
  for (const auto& [name, dense] : capture.dense) {
    QUIPU_TRY_OK(index::DenseIndex::save(fs_, temporary + "/" + name, *dense));
  }
  for (const auto& [name, sparse] : capture.sparse) {
    QUIPU_TRY_OK(index::SparseIndex::save(fs_, temporary + "/" + name, *sparse));
  }
  for (const auto& [name, payload] : capture.payload) {
    QUIPU_TRY_OK(index::PayloadIndex::save(fs_, temporary + "/" + name, *payload));
  }
  return fs_.sync_directory(temporary);
}

Status ViewStore::publish(ShardId shard, Seq covers) {
  const std::string final_name = folder(shard, covers);
  // One of the same number is of the same moment; the new one may hold views that it lacks.
  QUIPU_TRY_OK(remove_tree(fs_, final_name));
  QUIPU_TRY_OK(fs_.rename(final_name + std::string(kUnfinished), final_name));
  QUIPU_TRY_OK(fs_.sync_directory(shard_directory(shard)));
  return fs_.sync_directory(directory_);
}

Result<std::vector<Seq>> ViewStore::list(ShardId shard) {
  std::vector<Seq> found;
  const std::string directory = shard_directory(shard);
  if (!fs_.exists(directory)) return found;
  QUIPU_TRY(const std::vector<std::string> names, fs_.list(directory));
  for (const std::string& name : names) {
    if (const std::optional<Seq> number = parse_number(name)) {
      found.push_back(*number);
    } else if (name.ends_with(kUnfinished)) {
      QUIPU_TRY_OK(remove_tree(fs_, directory + "/" + name));
    }
  }
  std::sort(found.begin(), found.end(), std::greater<>());
  return found;
}

Status ViewStore::remove(ShardId shard, Seq covers) {
  return remove_tree(fs_, folder(shard, covers));
}

Status ViewStore::remove_older(ShardId shard, Seq newest) {
  QUIPU_TRY(const std::vector<Seq> found, list(shard));
  for (const Seq number : found) {
    if (number < newest) QUIPU_TRY_OK(remove(shard, number));
  }
  return ok_status();
}

Status ViewStore::remove_all(ShardId shard) { return remove_tree(fs_, shard_directory(shard)); }

namespace {

// Opens one shard; a class only to keep its steps short.
class ShardOpener {
 public:
  ShardOpener(KeyValueStore& kv, FileSystem& fs, ViewStore& views, EpochDomain& epochs,
              const CollectionRecord& record, std::shared_ptr<const Schema> schema, ShardId id)
      : kv_(kv),
        fs_(fs),
        views_(views),
        epochs_(epochs),
        record_(record),
        schema_(std::move(schema)),
        id_(id) {}

  Result<std::shared_ptr<Shard>> open() {
    QUIPU_TRY_OK(read_meta());
    QUIPU_TRY_OK(find_log_first());
    QUIPU_TRY(const std::vector<Seq> found, views_.list(id_));
    for (const Seq covers : found) {
      QUIPU_TRY(const bool opened, try_checkpoint(covers));
      if (opened) return std::move(shard_);
      // Whatever is wrong with it, it can be made again from the state.
      QUIPU_TRY_OK(views_.remove(id_, covers));
    }
    QUIPU_TRY(const bool replayed, try_replay_from_nothing());
    if (replayed) return std::move(shard_);
    QUIPU_TRY_OK(rebuild_slots());
    return std::move(shard_);
  }

 private:
  void fresh_shard() {
    shard_ = std::make_shared<Shard>(id_, schema_, epochs_);
    shard_->meta = meta_;
    const std::uint64_t kept =
        log_first_.value() == 0 ? 0 : meta_.applied.value() - log_first_.value() + 1;
    shard_->log_operations.store(kept);
  }

  Status read_meta() {
    QUIPU_TRY(const std::optional<std::string> bytes,
              kv_.get(Family::kMeta, storage::applied_key(id_), nullptr));
    if (!bytes) {
      return Error{ErrorCode::kCorruption,
                   format("shard {} of collection '{}' has no counters", id_.value(), record_.name),
                   "state_mismatch"};
    }
    QUIPU_TRY(meta_, decode_shard_meta(*bytes));
    return ok_status();
  }

  Status find_log_first() {
    const storage::KeyRange range = log_after(Seq(0));
    const std::unique_ptr<KvIterator> it = kv_.iterate(
        Family::kLog, {.begin = range.begin, .end = range.end, .fill_cache = false}, nullptr);
    it->seek(range.begin);
    if (it->valid()) {
      QUIPU_TRY(const storage::LogKey key, storage::decode_log_key(it->key()));
      log_first_ = key.seq;
    }
    return it->status();
  }

  [[nodiscard]] storage::KeyRange log_after(Seq covers) const {
    return storage::log_range(id_, Seq(covers.value() + 1),
                              Seq(std::numeric_limits<std::uint64_t>::max()));
  }

  // Whether the log still holds every operation after `covers`.
  [[nodiscard]] bool log_reaches(Seq covers) const {
    if (covers == meta_.applied) return true;
    return log_first_.value() != 0 && log_first_.value() <= covers.value() + 1;
  }

  // Loads the checkpoint and replays what follows. False when it is of no use.
  Result<bool> try_checkpoint(Seq covers) {
    if (covers > meta_.applied) {
      log_warning("a view checkpoint is ahead of the state; it is discarded",
                  {{"shard", std::to_string(id_.value())},
                   {"covers", std::to_string(covers.value())},
                   {"applied", std::to_string(meta_.applied.value())}});
      return false;
    }
    if (!log_reaches(covers)) return false;
    fresh_shard();
    if (const Status loaded = shard_->slots.load(fs_, views_.slots_path(id_, covers));
        !loaded.ok()) {
      report_damage(loaded.error());
      return false;
    }
    auto set = std::make_shared<ViewSet>(*shard_->views);
    for (const ViewRef& view : all_views(*schema_)) open_view(covers, view, *set);
    shard_->views = std::move(set);
    shard_->note_live_slots();
    shard_->checkpoint_covers.store(covers.value());
    return replay(covers);
  }

  // Leaves the view null when its file is of no use.
  void open_view(Seq covers, const ViewRef& view, ViewSet& set) {
    const std::string path = views_.view_path(id_, covers, *schema_, view);
    const bool words = view.kind == ViewKind::kWords;
    if (view.kind == ViewKind::kPayload) return open_payload_view(path, view, set);
    // What was added after the checkpoint has no file yet: nothing is damaged.
    if (!fs_.exists(path)) return;
    if (!words && schema_->vectors[view.index].kind == VectorKind::kDense) {
      auto opened =
          index::DenseIndex::open(fs_, path, dense_options(schema_->vectors[view.index]), epochs_);
      if (!opened.ok()) return report_damage(opened.error());
      set.dense[view.index] = std::move(opened).value();
      return;
    }
    auto opened =
        index::SparseIndex::open(fs_, path, words ? words_options() : sparse_options(), epochs_);
    if (!opened.ok()) return report_damage(opened.error());
    (words ? set.words : set.sparse)[view.index] = std::move(opened).value();
  }

  void open_payload_view(const std::string& path, const ViewRef& view, ViewSet& set) {
    if (!fs_.exists(path)) return;  // added after the checkpoint
    auto opened =
        index::PayloadIndex::open(fs_, path, schema_->payload[view.index].options, epochs_);
    if (!opened.ok()) return report_damage(opened.error());
    set.payload[view.index] = std::move(opened).value();
  }

  // A young shard: its whole log is there, and short.
  Result<bool> try_replay_from_nothing() {
    if (!log_reaches(Seq(0))) return false;
    fresh_shard();
    QUIPU_TRY_OK(shard_->make_views());
    return replay(Seq(0));
  }

  // What the log did since `covers` is read from the state, point by point: it says what the whole
  // of it led to, also where the log alone does not (patches, writes by filter).
  Result<bool> replay(Seq covers) {
    const storage::KeyRange range = log_after(covers);
    const std::unique_ptr<KvIterator> it = kv_.iterate(
        Family::kLog, {.begin = range.begin, .end = range.end, .fill_cache = false}, nullptr);
    std::uint64_t expected = covers.value() + 1;
    std::set<PointId> touched;
    for (it->seek(range.begin); it->valid(); it->next(), ++expected) {
      const auto key = storage::decode_log_key(it->key());
      if (!key.ok() || key.value().seq.value() != expected) break;
      const auto entry = read_log_entry(it->value());
      if (!entry.ok()) {
        report_damage(entry.error());
        break;
      }
      if (!entry.value().refused) add_touched(entry.value().operation, touched);
    }
    QUIPU_TRY_OK(it->status());
    if (expected != meta_.applied.value() + 1) {
      log_warning("a shard's log has a gap; its views are rebuilt from the state",
                  {{"shard", std::to_string(id_.value())}, {"at", std::to_string(expected)}});
      return false;
    }
    QUIPU_TRY_OK(catch_up({touched.begin(), touched.end()}));
    if (shard_->slots.size() != meta_.points) {
      log_warning("a shard's views do not fit its state; they are rebuilt",
                  {{"shard", std::to_string(id_.value())},
                   {"slots", std::to_string(shard_->slots.size())},
                   {"points", std::to_string(meta_.points)}});
      return false;
    }
    return true;
  }

  static void add_touched(const storage::Operation& operation, std::set<PointId>& touched) {
    std::visit(
        [&touched](const auto& op) {
          if constexpr (requires { op.points; }) {
            for (const auto& point : op.points) touched.insert(point.id);
          } else if constexpr (requires { op.candidates; }) {
            touched.insert(op.candidates.begin(), op.candidates.end());
          }
        },
        operation.body);
  }

  // Brings slots and views to what the state says of these points.
  Status catch_up(const std::vector<PointId>& ids) {
    for (std::size_t begin = 0; begin < ids.size(); begin += kCatchUpPoints) {
      const std::size_t count = std::min(kCatchUpPoints, ids.size() - begin);
      std::vector<std::string> keys;
      for (std::size_t i = 0; i < count; ++i) {
        keys.push_back(storage::point_key(id_, ids[begin + i]));
      }
      QUIPU_TRY(const auto records, kv_.multi_get(Family::kPoints, keys, nullptr));
      std::vector<PointEffect> effects(count);
      for (std::size_t i = 0; i < count; ++i) {
        effects[i].id = ids[begin + i];
        if (!records[i]) continue;
        effects[i].exists = true;
        effects[i].text_changed = true;
        effects[i].payload_changed = true;
        QUIPU_TRY(effects[i].record, decode_point_record(*records[i]));
      }
      std::vector<std::vector<storage::OpVector>> vectors(count);
      QUIPU_TRY_OK(read_vectors(effects, vectors));
      shard_->apply_to_views(effects, meta_.applied);
    }
    return ok_status();
  }

  Status read_vectors(std::vector<PointEffect>& effects,
                      std::vector<std::vector<storage::OpVector>>& vectors) {
    for (std::uint16_t v = 0; v < schema_->vectors.size(); ++v) {
      const unsigned bit = 1U << v;
      std::vector<std::string> keys;
      std::vector<std::size_t> owners;
      for (std::size_t i = 0; i < effects.size(); ++i) {
        if (!effects[i].exists) continue;
        if (!effects[i].record.vectors.contains(schema_->vectors[v].id)) {
          effects[i].erased_vectors = static_cast<std::uint16_t>(effects[i].erased_vectors | bit);
          continue;
        }
        keys.push_back(storage::vector_key(id_, schema_->vectors[v].id, effects[i].id));
        owners.push_back(i);
      }
      QUIPU_TRY(const auto found, kv_.multi_get(Family::kVectors, keys, nullptr));
      for (std::size_t k = 0; k < found.size(); ++k) {
        if (!found[k]) {
          return Error{ErrorCode::kCorruption,
                       format("the vector '{}' of point {} is missing", schema_->vectors[v].name,
                              effects[owners[k]].id.to_string()),
                       "state_mismatch"};
        }
        QUIPU_TRY(storage::OpVector vector, decode_vector(schema_->vectors[v], *found[k]));
        vectors[owners[k]].push_back(std::move(vector));
      }
    }
    for (std::size_t i = 0; i < effects.size(); ++i) effects[i].vectors = &vectors[i];
    return ok_status();
  }

  // The last resort: slots from the points themselves; vectors are loaded in the background.
  Status rebuild_slots() {
    fresh_shard();
    const storage::KeyRange range = storage::shard_range(id_);
    const std::unique_ptr<KvIterator> it = kv_.iterate(
        Family::kPoints, {.begin = range.begin, .end = range.end, .fill_cache = false}, nullptr);
    for (it->seek(range.begin); it->valid(); it->next()) {
      QUIPU_TRY(const storage::PointKey key, storage::decode_point_key(it->key()));
      QUIPU_TRY(const PointRecord head, decode_point_head(it->value()));
      shard_->slots.assign(key.id, head.version);
    }
    QUIPU_TRY_OK(it->status());
    shard_->note_live_slots();
    return ok_status();
  }

  void report_damage(const Error& error) const {
    log_warning("a view checkpoint is discarded and will be rebuilt",
                {{"shard", std::to_string(id_.value())}, {"error", error.message}});
  }

  KeyValueStore& kv_;
  FileSystem& fs_;
  ViewStore& views_;
  EpochDomain& epochs_;
  const CollectionRecord& record_;
  const std::shared_ptr<const Schema> schema_;
  const ShardId id_;
  ShardMeta meta_;
  Seq log_first_;  // 0: the log is empty
  std::shared_ptr<Shard> shard_;
};

}  // namespace

Result<std::shared_ptr<Shard>> open_shard(KeyValueStore& kv, FileSystem& fs, ViewStore& views,
                                          EpochDomain& epochs, const CollectionRecord& record,
                                          std::shared_ptr<const Schema> schema, ShardId id) {
  return ShardOpener(kv, fs, views, epochs, record, std::move(schema), id).open();
}

}  // namespace quipu::engine
