// The key-value interface that the engine keeps its state behind. Implemented by storage/rocksdb.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu {

// The column families of invariants.md, rule 17. Append only: the name is what is on disk.
enum class Family : std::uint8_t {
  kMeta,     // catalogue, counters, each shard's applied number
  kLog,      // operations, values in blob files
  kPoints,   // point records: version, times, text, payload
  kVectors,  // raw vectors
  kEdges,    // adjacency
  kAccess,   // access statistics, by merge operator (64-bit little-endian sums)
  kDedup,    // idempotency keys
  kJobs,
  kHistory,  // earlier versions, trash
  kAudit,
  kViews,  // what view checkpoints exist
};
inline constexpr std::size_t kFamilyCount = 11;
[[nodiscard]] std::string_view family_name(Family family) noexcept;

// One moment of the store; released when the last copy of the pointer goes. Any thread.
class KvSnapshot {
 public:
  virtual ~KvSnapshot() = default;
};

// Changes that become visible and durable together or not at all. Threads: one at a time.
class KvBatch {
 public:
  virtual ~KvBatch() = default;
  virtual void put(Family family, std::string_view key, std::string_view value) = 0;
  // As put, of the concatenation of `parts`; saves the caller a copy of a large value.
  virtual void put_parts(Family family, std::string_view key,
                         std::span<const std::string_view> parts) = 0;
  virtual void erase(Family family, std::string_view key) = 0;
  // Every key in [begin, end).
  virtual void erase_range(Family family, std::string_view begin, std::string_view end) = 0;
  // Adds a little-endian 64-bit number to the one stored (Family::kAccess only).
  virtual void add(Family family, std::string_view key, std::uint64_t amount) = 0;
  virtual void clear() = 0;
  [[nodiscard]] virtual std::size_t size_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::size_t count() const noexcept = 0;
};

// Ordered by bytes. Threads: one at a time. Views returned are valid until the next move.
class KvIterator {
 public:
  virtual ~KvIterator() = default;
  [[nodiscard]] virtual bool valid() const = 0;          // False at the end and after an error.
  virtual void seek(std::string_view key) = 0;           // To the first key >= `key`.
  virtual void seek_for_prev(std::string_view key) = 0;  // To the last key <= `key`.
  virtual void next() = 0;
  virtual void prev() = 0;
  [[nodiscard]] virtual std::string_view key() const = 0;
  [[nodiscard]] virtual std::string_view value() const = 0;
  // An error met on the way; look at it when valid() turns false.
  [[nodiscard]] virtual Status status() const = 0;
};

struct KvStatistics {
  std::uint64_t disk_bytes = 0;      // all files of the store
  std::uint64_t memtable_bytes = 0;  // not yet flushed
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t table_reader_bytes = 0;
  std::uint64_t user_bytes_written = 0;  // what callers put
  std::uint64_t file_bytes_written = 0;  // WAL, flushes, compactions and blob files together
  std::uint64_t estimated_keys = 0;
};

// Threads: any number may call anything at once; write() groups concurrent callers by itself.
// Errors: kIo, kResourceExhausted ("disk_full"), kCorruption (naming the file), kUnavailable
// (a write error stopped the store; see resume()).
class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;
  [[nodiscard]] virtual std::unique_ptr<KvBatch> make_batch() = 0;
  // sync: return only when the batch survives a power cut. Order of writes is kept either way:
  // what survives is a prefix.
  struct WriteParams {
    bool sync = true;
  };
  virtual Status write(KvBatch& batch, WriteParams params) = 0;
  // Null `snapshot` means now.
  virtual Result<std::optional<std::string>> get(Family family, std::string_view key,
                                                 const KvSnapshot* snapshot) = 0;
  // One result for each key, in their order.
  virtual Result<std::vector<std::optional<std::string>>> multi_get(
      Family family, std::span<const std::string> keys, const KvSnapshot* snapshot) = 0;
  // Over [begin, end); an empty `end` means no upper bound. Not positioned: seek first.
  // `fill_cache` false for scans that should not push hot blocks out.
  struct IterateParams {
    std::string begin;
    std::string end;
    bool fill_cache = true;
  };
  [[nodiscard]] virtual std::unique_ptr<KvIterator> iterate(Family family, IterateParams params,
                                                            const KvSnapshot* snapshot) = 0;
  [[nodiscard]] virtual std::shared_ptr<const KvSnapshot> snapshot() = 0;
  // Makes every earlier write survive a power cut.
  virtual Status sync_wal() = 0;
  // Writes what is in memory to table files.
  virtual Status flush() = 0;
  // Drops [begin, end) of a family for good and gives the space back soon (whole files at once,
  // the rest by a range deletion).
  virtual Status drop_range(Family family, std::string_view begin, std::string_view end) = 0;
  virtual Status compact_range(Family family, std::string_view begin, std::string_view end) = 0;
  // A consistent copy in `directory`, which must not exist; by hard links where that works.
  virtual Status checkpoint(const std::string& directory) = 0;
  // After a write error whose cause is gone (space was freed): accept writes again.
  virtual Status resume() = 0;
  [[nodiscard]] virtual KvStatistics statistics() = 0;
  // Drops clean cached blocks until at most `bytes` remain, and keeps to that from now on.
  virtual void set_cache_bytes_max(std::uint64_t bytes) = 0;
};

}  // namespace quipu
