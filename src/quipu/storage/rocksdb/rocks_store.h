// The KeyValueStore over RocksDB 7.8. This header shows nothing of RocksDB.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "quipu/base/file_system.h"
#include "quipu/base/key_value.h"
#include "quipu/result.h"

namespace quipu::storage {

struct RocksStoreOptions {
  std::string path;         // the database's own folder; made if it is not there
  FileSystem& file_system;  // all files go through it; borrowed until it is closed
  std::uint64_t block_cache_bytes = 32U << 20U;   // index and filter blocks included
  std::uint64_t memtable_bytes_max = 96U << 20U;  // of all families; beyond it one is flushed
  std::uint64_t wal_bytes_max = 256U << 20U;      // beyond it families are flushed to shorten it
  std::uint32_t background_threads = 2;           // flushes and compactions, 1 to 16
  // For how long resume() waits for RocksDB, which may wait for ever (see resume()).
  std::chrono::milliseconds resume_wait{30'000};
  // The operator's choice after a refused open: drop the writes from the first damaged one of the
  // write-ahead log on. Still refused where table files hold later writes than that.
  bool recover_to_point = false;
};

// Opens the store, or makes it if `path` holds none, and locks its folder against other processes.
// An end of the write-ahead log that was never durable is cut (see log_check.h); any other damage
// that is found stops the open. Afterwards all that was recovered is durable.
//
// Writes: one committer thread with large batches is what this is tuned for. RocksDB's single write
// queue is kept, since pipelined writes only help several writers that each sync, and unordered
// writes give up the snapshots' isolation that apply relies on. Concurrent callers are grouped.
// Every write carries a mark for recovery (log_check.h), 38 bytes.
//
// After a disk_full error the store refuses writes, answers reads, and resumes on resume() only:
// RocksDB's own polling is turned off, so that a caller decides when to try. After other write
// errors, if the log failed while nothing was in memory, and if RocksDB does not come back from
// resuming, the store must be opened again, which resume() says (kUnavailable, "store_stopped").
//
// Snapshots, iterators and batches keep the database open, if need be beyond the store's
// destructor; the folder stays locked until the last of them goes. Closing syncs the write-ahead
// log, and writes memory to tables where replaying it would keep the next open waiting.
//
// Exceptions: RocksDB is built and documented to throw none but bad_alloc, which ends the process;
// none is caught.
//
// Errors: kFailedPrecondition ("locked"; "store_version" for a family that this program does not
// know), kCorruption ("wal_damaged", "manifest_damaged", "storage_damaged") naming the file,
// kResourceExhausted ("disk_full"), kInvalidArgument (an option out of range), kIo.
[[nodiscard]] Result<std::unique_ptr<KeyValueStore>> open_rocks_store(
    const RocksStoreOptions& options);

}  // namespace quipu::storage
