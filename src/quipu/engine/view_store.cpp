#include "quipu/engine/view_store.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/engine/applier.h"
#include "quipu/storage/keys.h"

namespace quipu::engine {
namespace {

constexpr std::string_view kUnfinished = ".tmp";

std::optional<Seq> parse_number(std::string_view name) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return Seq(number);
}

}  // namespace

ShardCapture capture_shard(Shard& shard) {
  ShardCapture capture;
  capture.covers = shard.meta.applied;
  capture.slots = shard.slots.image();
  for (const auto& index : shard.views->dense) {
    capture.dense.push_back(index == nullptr ? nullptr : index->capture(capture.covers));
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
std::string ViewStore::dense_path(ShardId shard, Seq covers, std::size_t vector_index) const {
  return format("{}/dense-{}.ckpt", folder(shard, covers), vector_index);
}

Status ViewStore::write(ShardId shard, const ShardCapture& capture) {
  const std::string temporary = folder(shard, capture.covers) + std::string(kUnfinished);
  QUIPU_TRY_OK(remove_tree(fs_, temporary));
  QUIPU_TRY_OK(fs_.create_directories(temporary));
  QUIPU_TRY_OK(SlotMap::save(fs_, temporary + "/slots.ckpt", capture.slots));
  for (std::size_t i = 0; i < capture.dense.size(); ++i) {
    if (capture.dense[i] == nullptr) continue;
    QUIPU_TRY_OK(
        index::DenseIndex::save(fs_, format("{}/dense-{}.ckpt", temporary, i), *capture.dense[i]));
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
              const CollectionRecord& record, ShardId id)
      : kv_(kv), fs_(fs), views_(views), epochs_(epochs), record_(record), id_(id) {}

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
    shard_ = std::make_shared<Shard>(id_, record_.config.vectors, epochs_);
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
    auto set = std::make_shared<ViewSet>();
    for (std::size_t i = 0; i < record_.config.vectors.size(); ++i) {
      auto opened =
          index::DenseIndex::open(fs_, views_.dense_path(id_, covers, i),
                                  Shard::dense_options(record_.config.vectors[i]), epochs_);
      if (!opened.ok()) report_damage(opened.error());
      set->dense.push_back(
          opened.ok() ? std::shared_ptr<index::DenseIndex>(std::move(opened).value()) : nullptr);
    }
    shard_->views = std::move(set);
    shard_->checkpoint_covers.store(covers.value());
    return replay(covers);
  }

  // A young shard: its whole log is there, and short.
  Result<bool> try_replay_from_nothing() {
    if (!log_reaches(Seq(0))) return false;
    fresh_shard();
    QUIPU_TRY_OK(shard_->make_views());
    return replay(Seq(0));
  }

  Result<bool> replay(Seq covers) {
    const storage::KeyRange range = log_after(covers);
    const std::unique_ptr<KvIterator> it = kv_.iterate(
        Family::kLog, {.begin = range.begin, .end = range.end, .fill_cache = false}, nullptr);
    std::uint64_t expected = covers.value() + 1;
    for (it->seek(range.begin); it->valid(); it->next(), ++expected) {
      const auto key = storage::decode_log_key(it->key());
      if (!key.ok() || key.value().seq.value() != expected) break;
      const auto entry = read_log_entry(it->value());
      if (!entry.ok()) {
        report_damage(entry.error());
        break;
      }
      if (!entry.value().refused) {
        shard_->apply_to_views(entry.value().operation, key.value().seq);
      }
    }
    QUIPU_TRY_OK(it->status());
    if (expected != meta_.applied.value() + 1) {
      log_warning("a shard's log has a gap; its views are rebuilt from the state",
                  {{"shard", std::to_string(id_.value())}, {"at", std::to_string(expected)}});
      return false;
    }
    if (shard_->slots.size() != meta_.points) {
      log_warning("a shard's views do not fit its state; they are rebuilt",
                  {{"shard", std::to_string(id_.value())},
                   {"slots", std::to_string(shard_->slots.size())},
                   {"points", std::to_string(meta_.points)}});
      return false;
    }
    return true;
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
    auto set = std::make_shared<ViewSet>();
    set->dense.resize(record_.config.vectors.size());
    shard_->views = std::move(set);
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
  const ShardId id_;
  ShardMeta meta_;
  Seq log_first_;  // 0: the log is empty
  std::shared_ptr<Shard> shard_;
};

}  // namespace

Result<std::shared_ptr<Shard>> open_shard(KeyValueStore& kv, FileSystem& fs, ViewStore& views,
                                          EpochDomain& epochs, const CollectionRecord& record,
                                          ShardId id) {
  return ShardOpener(kv, fs, views, epochs, record, id).open();
}

}  // namespace quipu::engine
