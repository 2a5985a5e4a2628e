#include "quipu/storage/rocksdb/rocks_options.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstdarg>
#include <cstdio>
#include <string>

#include "quipu/base/bytes.h"
#include "quipu/base/log.h"

namespace quipu::storage {
namespace {

constexpr std::size_t kMiB = 1U << 20U;
constexpr std::size_t kKiB = 1U << 10U;

// Sums 64-bit little-endian numbers, wrapping around. A stored value of another size is reported as
// corruption, by RocksDB, to whoever reads it.
class AddOperator final : public rocksdb::AssociativeMergeOperator {
 public:
  bool Merge(const rocksdb::Slice&, const rocksdb::Slice* existing, const rocksdb::Slice& value,
             std::string* result, rocksdb::Logger*) const override {
    ByteReader amount(value.ToStringView());
    std::uint64_t sum = amount.u64();
    if (!amount.ok() || amount.left() != 0) return false;
    if (existing != nullptr) {
      ByteReader stored(existing->ToStringView());
      sum += stored.u64();
      if (!stored.ok() || stored.left() != 0) return false;
    }
    result->clear();
    ByteWriter(*result).u64(sum);
    return true;
  }
  [[nodiscard]] const char* Name() const override { return "quipu.add64"; }
};

// Passes errors on to our log, and leaves the decision to resume to the store's owner.
class ErrorListener final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    log_error("the store met an error while writing", {{"error", error->ToString()}});
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

// RocksDB's errors go to our log as warnings, because what comes of them is reported by whoever
// meets it; its warnings, which are notes to its developers, as information. Its own text log would
// begin each open with 1,700 lines of options, of which the next open keeps a copy.
class WarningLog final : public rocksdb::Logger {
 public:
  WarningLog() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void LogHeader(const char*, va_list) override {}
  void Logv(const char* format, va_list arguments) override {
    Logv(rocksdb::InfoLogLevel::WARN_LEVEL, format, arguments);
  }
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override {
    if (level < rocksdb::InfoLogLevel::WARN_LEVEL || level >= rocksdb::InfoLogLevel::HEADER_LEVEL) {
      return;
    }
    char text[512];  // Longer lines are cut.
    std::vsnprintf(text, sizeof(text), format, arguments);
    const LogLevel ours =
        level == rocksdb::InfoLogLevel::WARN_LEVEL ? LogLevel::kInfo : LogLevel::kWarning;
    log(ours, "rocksdb", {{"line", text}});
  }
};

rocksdb::ColumnFamilyOptions common_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = 16 * kKiB;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // In the cache, so that the memory of many tables has the cache's bound.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;

  rocksdb::ColumnFamilyOptions family;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  family.level_compaction_dynamic_level_bytes = true;
  family.compression = rocksdb::kLZ4Compression;
  // Memory is taken as it fills, a block at a time: small blocks keep an idle family small.
  family.write_buffer_size = 4 * kMiB;
  family.arena_block_size = 64 * kKiB;
  family.max_write_buffer_number = 2;
  return family;
}

// For families that take most of the bytes: fewer, larger tables, and writes go on while one is
// being flushed.
void take_volume(rocksdb::ColumnFamilyOptions& family, std::size_t write_buffer_bytes) {
  family.write_buffer_size = write_buffer_bytes;
  family.arena_block_size = 512 * kKiB;
  family.max_write_buffer_number = 3;
}

}  // namespace

rocksdb::DBOptions database_options(const RocksStoreOptions& options, rocksdb::Env* env) {
  rocksdb::DBOptions db;
  db.env = env;
  db.create_if_missing = true;
  db.paranoid_checks = true;
  db.max_background_jobs = static_cast<int>(options.background_threads);
  db.listeners = {std::make_shared<ErrorListener>()};
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(
      static_cast<std::size_t>(options.memtable_bytes_max));

  // What log_check.h has let through is whole, so any damage that RocksDB still finds is real. To
  // recover to a point is left to RocksDB, which also compares with what the tables hold.
  db.wal_recovery_mode = options.recover_to_point ? rocksdb::WALRecoveryMode::kPointInTimeRecovery
                                                  : rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  // Recovered writes stay in memory and in their log (synced by log_check) instead of becoming
  // small tables at each start. A recovery to a point writes them out, to be rid of the damaged
  // log.
  db.avoid_flush_during_recovery = !options.recover_to_point;
  db.max_total_wal_size = options.wal_bytes_max;
  db.max_manifest_file_size = 16 * kMiB;
  db.manifest_preallocation_size = 64 * kKiB;

  // A quick open: no table is opened before it is needed, nor read for statistics.
  db.max_open_files = 512;
  db.skip_stats_update_on_db_open = true;
  db.avoid_unnecessary_blocking_io = true;  // Files are removed by background threads.
  db.compaction_readahead_size = 2 * kMiB;
  db.bytes_per_sync = kMiB;

  // No timers in the background.
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.info_log = std::make_shared<WarningLog>();
  return db;
}

rocksdb::ColumnFamilyOptions default_family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
  return common_options(cache);
}

rocksdb::ColumnFamilyOptions family_options(Family family,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options = common_options(cache);
  switch (family) {
    case Family::kLog:
      take_volume(options, 32 * kMiB);
      // Operations hold vectors and are dropped from the front: in blob files they are written once
      // and removed with the file, while compactions move only keys. Vectors do not compress.
      options.enable_blob_files = true;
      options.min_blob_size = 512;
      options.blob_file_size = 64 * kMiB;
      options.blob_compression_type = rocksdb::kNoCompression;
      options.enable_blob_garbage_collection = true;
      break;
    case Family::kVectors:
      take_volume(options, 32 * kMiB);
      options.compression = rocksdb::kNoCompression;
      break;
    case Family::kPoints:
      take_volume(options, 16 * kMiB);
      options.bottommost_compression = rocksdb::kZSTD;
      break;
    case Family::kHistory:
    case Family::kAudit: options.bottommost_compression = rocksdb::kZSTD; break;
    case Family::kAccess: options.merge_operator = std::make_shared<AddOperator>(); break;
    case Family::kMeta:
    case Family::kEdges:
    case Family::kDedup:
    case Family::kJobs:
    case Family::kViews: break;
  }
  return options;
}

}  // namespace quipu::storage
