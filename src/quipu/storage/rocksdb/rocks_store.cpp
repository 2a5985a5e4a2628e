#include "quipu/storage/rocksdb/rocks_store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/experimental.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/log.h"
#include "quipu/storage/rocksdb/log_check.h"
#include "quipu/storage/rocksdb/rocks_file_system.h"
#include "quipu/storage/rocksdb/rocks_options.h"
#include "quipu/storage/rocksdb/rocks_status.h"

namespace quipu::storage {
namespace {

using rocksdb::ColumnFamilyHandle;
using rocksdb::Slice;

// More than this is written to tables when the store closes, so that the next open has little to
// replay. Less is left in the log: a command line that writes one point pays for no tables.
constexpr std::uint64_t kReplayBytesMax = 1U << 20U;
constexpr std::size_t kReplayFilesMax = 4;
// A process that is always killed never closes: then the open itself shortens the row of logs.
constexpr std::size_t kReplayFilesAtOpenMax = 16;

Slice slice(std::string_view text) { return {text.data(), text.size()}; }

using Handles = std::array<ColumnFamilyHandle*, kFamilyCount>;

// The open database and all that it needs, in the order of their destruction. Held by the store and
// by every snapshot and iterator.
struct Database {
  Database(FileSystem& base, std::string db_path)
      : path(std::move(db_path)),
        file_system(base),
        files(std::make_shared<RocksFileSystem>(base)),
        env(rocksdb::NewCompositeEnv(files)) {}
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() { close(); }

  void close();
  // Leaves things so that the next open is quick.
  Status tidy();
  [[nodiscard]] ColumnFamilyHandle* handle(Family family) const {
    return handles[static_cast<std::size_t>(family)];
  }
  [[nodiscard]] std::string doing(std::string_view what) const {
    return std::string(what) + " the store in " + path;
  }

  const std::string path;
  FileSystem& file_system;
  const std::shared_ptr<RocksFileSystem> files;
  const std::unique_ptr<rocksdb::Env> env;
  std::shared_ptr<rocksdb::Cache> cache;
  std::unique_ptr<rocksdb::DB> db;
  ColumnFamilyHandle* default_handle = nullptr;
  Handles handles{};
  LogCheckReport logs;  // as the open found them
};

Status Database::tidy() {
  const std::uint64_t replay_bytes = logs.wal_bytes + files->written().wal.load();
  if (replay_bytes > kReplayBytesMax || logs.wal_count >= kReplayFilesMax) {
    std::vector<ColumnFamilyHandle*> all{default_handle};
    // Some are missing when an open failed on the way.
    std::copy_if(handles.begin(), handles.end(), std::back_inserter(all),
                 [](const ColumnFamilyHandle* handle) { return handle != nullptr; });
    QUIPU_TRY_OK(to_status(db->Flush(rocksdb::FlushOptions(), all), doing("flush")));
  }
  QUIPU_TRY_OK(files->sync_wal());
  return note_synced_wals(file_system, path);
}

void Database::close() {
  if (db == nullptr) return;
  if (default_handle != nullptr) {
    // Not an error of anybody's: what was promised to be durable is so already.
    if (const Status status = tidy(); !status.ok()) {
      log_warning("the store could not be written out before closing",
                  {{"path", path}, {"error", status.error().message}});
    }
  }
  rocksdb::CancelAllBackgroundWork(db.get(), /*wait=*/true);
  for (ColumnFamilyHandle* handle : handles) {
    if (handle != nullptr) db->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
  }
  if (default_handle != nullptr) {
    db->DestroyColumnFamilyHandle(default_handle).PermitUncheckedError();
  }
  db->Close().PermitUncheckedError();
  db.reset();
}

class RocksSnapshot final : public KvSnapshot {
 public:
  explicit RocksSnapshot(std::shared_ptr<Database> database)
      : database_(std::move(database)), snapshot_(database_->db->GetSnapshot()) {}
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  ~RocksSnapshot() override { database_->db->ReleaseSnapshot(snapshot_); }
  [[nodiscard]] const rocksdb::Snapshot* get() const noexcept { return snapshot_; }

 private:
  std::shared_ptr<Database> database_;
  const rocksdb::Snapshot* snapshot_;
};

rocksdb::ReadOptions read_options(const KvSnapshot* snapshot) {
  rocksdb::ReadOptions options;
  if (snapshot != nullptr) options.snapshot = static_cast<const RocksSnapshot*>(snapshot)->get();
  return options;
}

class RocksBatch final : public KvBatch {
 public:
  explicit RocksBatch(std::shared_ptr<Database> database) : database_(std::move(database)) {}

  // The batch's own functions fail only past a size limit, which is not set.
  void put(Family family, std::string_view key, std::string_view value) override {
    user_bytes_ += key.size() + value.size();
    checked(batch_.Put(database_->handle(family), slice(key), slice(value)));
  }
  void put_parts(Family family, std::string_view key,
                 std::span<const std::string_view> parts) override {
    user_bytes_ += key.size();
    std::vector<Slice> slices;
    slices.reserve(parts.size());
    for (const std::string_view part : parts) {
      user_bytes_ += part.size();
      slices.push_back(slice(part));
    }
    const Slice key_slice = slice(key);
    checked(batch_.Put(database_->handle(family), rocksdb::SliceParts(&key_slice, 1),
                       rocksdb::SliceParts(slices.data(), static_cast<int>(slices.size()))));
  }
  void erase(Family family, std::string_view key) override {
    user_bytes_ += key.size();
    checked(batch_.Delete(database_->handle(family), slice(key)));
  }
  void erase_range(Family family, std::string_view begin, std::string_view end) override {
    if (begin >= end) return;
    user_bytes_ += begin.size() + end.size();
    checked(batch_.DeleteRange(database_->handle(family), slice(begin), slice(end)));
  }
  void add(Family family, std::string_view key, std::uint64_t amount) override {
    QUIPU_ASSERT(family == Family::kAccess);  // No other family has the operator.
    std::string value;
    ByteWriter(value).u64(amount);
    user_bytes_ += key.size() + value.size();
    checked(batch_.Merge(database_->handle(family), slice(key), slice(value)));
  }
  void clear() override {
    batch_.Clear();
    user_bytes_ = 0;
  }
  [[nodiscard]] std::size_t size_bytes() const noexcept override { return batch_.GetDataSize(); }
  [[nodiscard]] std::size_t count() const noexcept override { return batch_.Count(); }

  [[nodiscard]] rocksdb::WriteBatch& batch() noexcept { return batch_; }
  [[nodiscard]] std::uint64_t user_bytes() const noexcept { return user_bytes_; }
  [[nodiscard]] const Database* database() const noexcept { return database_.get(); }

 private:
  static void checked(const rocksdb::Status& status) { QUIPU_ASSERT(status.ok()); }

  std::shared_ptr<Database> database_;
  rocksdb::WriteBatch batch_;
  std::uint64_t user_bytes_ = 0;
};

class RocksIterator final : public KvIterator {
 public:
  RocksIterator(std::shared_ptr<Database> database, Family family,
                KeyValueStore::IterateParams params, const KvSnapshot* snapshot)
      : database_(std::move(database)),
        begin_(std::move(params.begin)),
        end_(std::move(params.end)),
        begin_slice_(begin_),
        end_slice_(end_) {
    rocksdb::ReadOptions options = read_options(snapshot);
    options.fill_cache = params.fill_cache;
    options.iterate_lower_bound = begin_.empty() ? nullptr : &begin_slice_;
    options.iterate_upper_bound = end_.empty() ? nullptr : &end_slice_;
    iterator_.reset(database_->db->NewIterator(options, database_->handle(family)));
  }
  [[nodiscard]] bool valid() const override { return iterator_->Valid(); }
  void seek(std::string_view key) override { iterator_->Seek(slice(key)); }
  void seek_for_prev(std::string_view key) override { iterator_->SeekForPrev(slice(key)); }
  void next() override {
    QUIPU_DCHECK(valid());
    iterator_->Next();
  }
  void prev() override {
    QUIPU_DCHECK(valid());
    iterator_->Prev();
  }
  [[nodiscard]] std::string_view key() const override { return iterator_->key().ToStringView(); }
  [[nodiscard]] std::string_view value() const override {
    return iterator_->value().ToStringView();
  }
  [[nodiscard]] Status status() const override {
    return to_status(iterator_->status(), database_->doing("read through"));
  }

 private:
  std::shared_ptr<Database> database_;
  // The iterator holds the addresses of the slices, which point into the strings.
  const std::string begin_;
  const std::string end_;
  const Slice begin_slice_;
  const Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksStore final : public KeyValueStore {
 public:
  RocksStore(std::shared_ptr<Database> database, const RocksStoreOptions& options)
      : database_(std::move(database)),
        file_system_(options.file_system),
        resume_wait_(options.resume_wait),
        floor_seq_(database_->db->GetLatestSequenceNumber()),
        durable_seq_(floor_seq_) {}

  // Puts something into the family that users do not see. While any family has something in memory,
  // resume() makes RocksDB begin a new log; with nothing in memory it would keep the log that could
  // not be written to.
  Status leave_trace() {
    rocksdb::WriteBatch batch;
    QUIPU_TRY_OK(to_status(batch.Put(database_->default_handle, "trace", ""), "make a batch"));
    return write_marked(batch, {.sync = false});
  }

  std::unique_ptr<KvBatch> make_batch() override { return std::make_unique<RocksBatch>(database_); }

  Status write(KvBatch& batch, WriteParams params) override {
    auto& own = static_cast<RocksBatch&>(batch);
    QUIPU_ASSERT(own.database() == database_.get());
    QUIPU_TRY_OK(write_marked(own.batch(), params));
    user_bytes_.fetch_add(own.user_bytes(), std::memory_order_relaxed);
    return ok_status();
  }

  Result<std::optional<std::string>> get(Family family, std::string_view key,
                                         const KvSnapshot* snapshot) override {
    std::string value;
    const rocksdb::Status status =
        db().Get(read_options(snapshot), database_->handle(family), slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return to_error(status, database_->doing("read from"));
    return std::optional<std::string>(std::move(value));
  }

  Result<std::vector<std::optional<std::string>>> multi_get(Family family,
                                                            std::span<const std::string> keys,
                                                            const KvSnapshot* snapshot) override {
    std::vector<Slice> slices(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db().MultiGet(read_options(snapshot), database_->handle(family), keys.size(), slices.data(),
                  values.data(), statuses.data());
    std::vector<std::optional<std::string>> found(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return to_error(statuses[i], database_->doing("read from"));
      found[i].emplace(values[i].data(), values[i].size());
    }
    return found;
  }

  std::unique_ptr<KvIterator> iterate(Family family, IterateParams params,
                                      const KvSnapshot* snapshot) override {
    return std::make_unique<RocksIterator>(database_, family, std::move(params), snapshot);
  }

  std::shared_ptr<const KvSnapshot> snapshot() override {
    return std::make_shared<const RocksSnapshot>(database_);
  }

  Status sync_wal() override {
    const std::uint64_t seq = db().GetLatestSequenceNumber();
    QUIPU_TRY_OK(database_->files->sync_wal());
    note_durable(seq);
    return ok_status();
  }

  Status flush() override {
    std::vector<ColumnFamilyHandle*> all(database_->handles.begin(), database_->handles.end());
    all.push_back(database_->default_handle);
    QUIPU_TRY_OK(to_status(db().Flush(rocksdb::FlushOptions(), all), database_->doing("flush")));
    return leave_trace();
  }

  Status drop_range(Family family, std::string_view begin, std::string_view end) override;

  Status compact_range(Family family, std::string_view begin, std::string_view end) override {
    const Slice begin_slice = slice(begin);
    const Slice end_slice = slice(end);
    return to_status(db().CompactRange(rocksdb::CompactRangeOptions(), database_->handle(family),
                                       begin.empty() ? nullptr : &begin_slice,
                                       end.empty() ? nullptr : &end_slice),
                     database_->doing("compact"));
  }

  Status checkpoint(const std::string& directory) override;
  Status resume() override;
  KvStatistics statistics() override;

  void set_cache_bytes_max(std::uint64_t bytes) override {
    database_->cache->SetCapacity(static_cast<std::size_t>(bytes));
  }

 private:
  [[nodiscard]] rocksdb::DB& db() const { return *database_->db; }

  // Writes `batch` with a log mark at its end, which is taken off again for a batch that is reused.
  Status write_marked(rocksdb::WriteBatch& batch, WriteParams params) {
    if (must_reopen_.load(std::memory_order_relaxed)) return must_reopen();
    // Sequence numbers are given out in the order of the log. So whatever this batch will get is
    // above `before`, and once it is synced, so is everything up to the sum of both.
    const std::uint64_t before = db().GetLatestSequenceNumber();
    const std::uint64_t count = batch.Count();
    const LogMark mark{// Relaxed: any value that was ever right is.
                       .durable_seq = durable_seq_.load(std::memory_order_relaxed),
                       .floor_seq = floor_seq_,
                       .manifest = database_->files->synced_manifest()};
    batch.SetSavePoint();
    QUIPU_TRY_OK(to_status(batch.PutLogData(encode_log_mark(mark)), "mark a batch"));
    rocksdb::WriteOptions options;
    options.sync = params.sync;
    const rocksdb::Status written = db().Write(options, &batch);
    QUIPU_TRY_OK(to_status(batch.RollbackToSavePoint(), "unmark a batch"));
    QUIPU_TRY_OK(to_status(written, database_->doing("write to")));
    if (params.sync) note_durable(before + count);
    return ok_status();
  }

  [[nodiscard]] Error must_reopen() const {
    return Error{
        .code = ErrorCode::kUnavailable,
        .message = "cannot " + database_->doing("write to") +
                   ": RocksDB cannot resume after an error of its files; the data folder must "
                   "be closed and opened again",
        .reason = "store_stopped"};
  }

  [[nodiscard]] rocksdb::Status resume_in_time();

  void note_durable(std::uint64_t seq) {
    std::uint64_t known = durable_seq_.load(std::memory_order_relaxed);
    // Relaxed: a number on its own; a mark that is written with an older one is right too.
    while (known < seq &&
           !durable_seq_.compare_exchange_weak(known, seq, std::memory_order_relaxed)) {
    }
  }

  const std::shared_ptr<Database> database_;
  FileSystem& file_system_;
  const std::chrono::milliseconds resume_wait_;
  // The last write before this object. Opening began a new log, so no record of it or of a later
  // one has this number or a lower one.
  const std::uint64_t floor_seq_;
  std::atomic<std::uint64_t> durable_seq_;  // Everything up to here is known to be synced.
  std::atomic<std::uint64_t> user_bytes_{0};
  // Set before resume() returns; a write that races with it was allowed by nobody. Relaxed for
  // that.
  std::atomic<bool> must_reopen_{false};
};

Status RocksStore::drop_range(Family family, std::string_view begin, std::string_view end) {
  if (end.empty()) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = "drop_range needs an end; an empty one is no upper bound here"};
  }
  if (begin >= end) return ok_status();
  const std::string action = database_->doing("drop a range from");
  // First what makes it so, durably; then the space. The other way round, a crash in between could
  // bring an older value of a key back from a file that was not wholly inside the range.
  RocksBatch batch(database_);
  batch.erase_range(family, begin, end);
  QUIPU_TRY_OK(write(batch, {.sync = true}));
  const Slice begin_slice = slice(begin);
  const Slice end_slice = slice(end);
  ColumnFamilyHandle* const handle = database_->handle(family);
  QUIPU_TRY_OK(to_status(rocksdb::DeleteFilesInRange(&db(), handle, &begin_slice, &end_slice,
                                                     /*include_end=*/false),
                         action));
  return to_status(
      rocksdb::experimental::SuggestCompactRange(&db(), handle, &begin_slice, &end_slice), action);
}

Status RocksStore::checkpoint(const std::string& directory) {
  if (file_system_.exists(directory)) {
    return Error{.code = ErrorCode::kAlreadyExists,
                 .message = "a checkpoint of the store needs a new folder; " + directory +
                            " is there already"};
  }
  rocksdb::Checkpoint* made = nullptr;
  QUIPU_TRY_OK(to_status(rocksdb::Checkpoint::Create(&db(), &made),
                         database_->doing("make a checkpoint of")));
  const std::unique_ptr<rocksdb::Checkpoint> owned(made);
  // A log size of 0: memory is flushed first, so that the copy consists of finished files only,
  // which link instead of copying, and holds no log whose end would have to be judged.
  return to_status(owned->CreateCheckpoint(directory, /*log_size_for_flush=*/0),
                   database_->doing("make a checkpoint of"));
}

// RocksDB 7.8 has been seen to wait for ever in Resume(), for a flush that none of its threads had
// taken up. Its wait ends when background work is cancelled, which nothing undoes but opening anew.
rocksdb::Status RocksStore::resume_in_time() {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  rocksdb::Status status;
  std::thread resuming([&] {
    rocksdb::Status result = db().Resume();
    const std::lock_guard lock(mutex);
    status = std::move(result);
    done = true;
    changed.notify_one();
  });
  {
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, resume_wait_, [&] { return done; })) {
      must_reopen_.store(true, std::memory_order_relaxed);
      lock.unlock();
      log_error("RocksDB does not come back from resuming; the data folder must be opened again",
                {{"path", database_->path}});
      rocksdb::CancelAllBackgroundWork(&db(), /*wait=*/false);
    }
  }
  resuming.join();
  return status;
}

Status RocksStore::resume() {
  if (must_reopen_.load(std::memory_order_relaxed)) return must_reopen();
  const rocksdb::Status resumed = resume_in_time();
  if (must_reopen_.load(std::memory_order_relaxed)) return must_reopen();
  QUIPU_TRY_OK(to_status(resumed, database_->doing("resume writes to")));
  if (database_->files->newest_wal_failed()) {
    // The next write would meet RocksDB's assertion and end the process.
    must_reopen_.store(true, std::memory_order_relaxed);
    return must_reopen();
  }
  // Resume has flushed everything that was recovered or written so far.
  const std::uint64_t seq = db().GetLatestSequenceNumber();
  note_durable(seq);
  return leave_trace();
}

KvStatistics RocksStore::statistics() {
  KvStatistics statistics;
  // A folder that cannot be listed, or a file that has just gone, counts as nothing.
  if (const auto names = file_system_.list(database_->path); names.ok()) {
    for (const std::string& name : names.value()) {
      const auto size = file_system_.file_size(database_->path + "/" + name);
      if (size.ok()) statistics.disk_bytes += size.value();
    }
  }
  const auto property = [this](const std::string& name) {
    std::uint64_t value = 0;
    return db().GetAggregatedIntProperty(name, &value) ? value : 0;
  };
  statistics.memtable_bytes = property(rocksdb::DB::Properties::kCurSizeAllMemTables);
  statistics.block_cache_bytes = database_->cache->GetUsage();
  statistics.table_reader_bytes = property(rocksdb::DB::Properties::kEstimateTableReadersMem);
  for (ColumnFamilyHandle* const handle : database_->handles) {
    std::uint64_t keys = 0;
    if (db().GetIntProperty(handle, rocksdb::DB::Properties::kEstimateNumKeys, &keys)) {
      statistics.estimated_keys += keys;
    }
  }
  statistics.user_bytes_written = user_bytes_.load(std::memory_order_relaxed);
  const WrittenBytes& written = database_->files->written();
  statistics.file_bytes_written = written.wal.load(std::memory_order_relaxed) +
                                  written.tables.load(std::memory_order_relaxed) +
                                  written.blobs.load(std::memory_order_relaxed);
  return statistics;
}

Status check_options(const RocksStoreOptions& options) {
  struct Range {
    std::string_view name;
    std::uint64_t value;
    std::uint64_t least;
    std::uint64_t most;
  };
  // Smaller memtables or logs than this would be flushed all the time, and 0 means none to RocksDB.
  constexpr std::uint64_t kBytesMin = 4U << 20U;
  constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40U;
  for (const Range& range :
       {Range{"background_threads", static_cast<std::uint64_t>(options.background_threads), 1, 16},
        Range{"block_cache_bytes", options.block_cache_bytes, 0, kBytesMax},
        Range{"memtable_bytes_max", options.memtable_bytes_max, kBytesMin, kBytesMax},
        Range{"wal_bytes_max", options.wal_bytes_max, kBytesMin, kBytesMax}}) {
    if (range.least <= range.value && range.value <= range.most) continue;
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = "the store's " + std::string(range.name) + " is " +
                            std::to_string(range.value) + "; it must be " +
                            std::to_string(range.least) + " to " + std::to_string(range.most)};
  }
  return ok_status();
}

std::optional<Family> family_named(std::string_view name) {
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    if (family_name(static_cast<Family>(i)) == name) return static_cast<Family>(i);
  }
  return std::nullopt;
}

// The families that the database has, the default one first.
Result<std::vector<rocksdb::ColumnFamilyDescriptor>> existing_families(
    const rocksdb::DBOptions& db_options, const Database& database) {
  std::vector<rocksdb::ColumnFamilyDescriptor> found;
  found.emplace_back(rocksdb::kDefaultColumnFamilyName, default_family_options(database.cache));
  std::vector<std::string> names;
  QUIPU_TRY_OK(to_status(rocksdb::DB::ListColumnFamilies(db_options, database.path, &names),
                         database.doing("open")));
  for (const std::string& name : names) {
    if (name == rocksdb::kDefaultColumnFamilyName) continue;
    const std::optional<Family> family = family_named(name);
    if (!family) {
      return Error{.code = ErrorCode::kFailedPrecondition,
                   .message = "the store in " + database.path + " has a family \"" + name +
                              "\" that this program does not know; a newer one made it",
                   .reason = "store_version"};
    }
    found.emplace_back(name, family_options(*family, database.cache));
  }
  return found;
}

// Makes the families that are missing, in one go.
Status create_missing(Database& database) {
  std::vector<Family> missing;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::size_t i = 0; i < kFamilyCount; ++i) {
    const auto family = static_cast<Family>(i);
    if (database.handle(family) != nullptr) continue;
    missing.push_back(family);
    descriptors.emplace_back(std::string(family_name(family)),
                             family_options(family, database.cache));
  }
  if (missing.empty()) return ok_status();
  std::vector<ColumnFamilyHandle*> made;
  const rocksdb::Status status = database.db->CreateColumnFamilies(descriptors, &made);
  for (std::size_t i = 0; i < made.size(); ++i) {
    database.handles[static_cast<std::size_t>(missing[i])] = made[i];
  }
  return to_status(status, database.doing("make the families of"));
}

Status open_database(const RocksStoreOptions& options, Database& database) {
  const rocksdb::DBOptions db_options = database_options(options, database.env.get());
  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  if (options.file_system.exists(database.path + "/CURRENT")) {
    QUIPU_TRY(families, existing_families(db_options, database));
  } else {
    families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                          default_family_options(database.cache));
  }
  std::vector<ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  QUIPU_TRY_OK(to_status(rocksdb::DB::Open(db_options, database.path, families, &handles, &db),
                         database.doing("open")));
  database.db.reset(db);
  database.default_handle = handles[0];
  for (std::size_t i = 1; i < handles.size(); ++i) {
    const std::optional<Family> family = family_named(families[i].name);
    QUIPU_ASSERT(family.has_value());
    database.handles[static_cast<std::size_t>(*family)] = handles[i];
  }
  return create_missing(database);
}

}  // namespace

Result<std::unique_ptr<KeyValueStore>> open_rocks_store(const RocksStoreOptions& options) {
  QUIPU_TRY_OK(check_options(options));
  FileSystem& files = options.file_system;
  QUIPU_TRY_OK(files.create_directories(options.path));
  // Taken here and not by RocksDB, which asks for it only after it has touched files.
  const std::string lock_path = options.path + "/LOCK";
  QUIPU_TRY(std::unique_ptr<FileLock> lock, files.lock(lock_path));

  auto database = std::make_shared<Database>(files, options.path);
  database->cache = rocksdb::NewLRUCache(static_cast<std::size_t>(options.block_cache_bytes));
  database->files->adopt_lock(lock_path, std::move(lock));
  if (!options.recover_to_point) {
    QUIPU_TRY(const LogCheckReport report, check_logs(files, options.path));
    database->logs = report;
  }
  QUIPU_TRY_OK(open_database(options, *database));
  const LogCheckReport logs = database->logs;
  auto store = std::make_unique<RocksStore>(std::move(database), options);
  // What was replayed is in memory and serves as the trace.
  if (logs.wal_bytes == 0) QUIPU_TRY_OK(store->leave_trace());
  if (logs.wal_count >= kReplayFilesAtOpenMax) QUIPU_TRY_OK(store->flush());
  return std::unique_ptr<KeyValueStore>(std::move(store));
}

}  // namespace quipu::storage
