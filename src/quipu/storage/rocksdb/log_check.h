// What is done with RocksDB's logs before RocksDB sees them, so that an open after a crash cuts
// what was never durable and refuses what was (invariants.md, rule 6).
//
// None of RocksDB's own recovery modes tells the two apart. After a power cut the end of a log that
// was not synced may be any mixture of old and new sectors, so a record with a bad checksum, with
// whole ones behind it, can be no damage at all (kTolerateCorruptedTailRecords would refuse it), or
// it can be the loss of acknowledged writes (kPointInTimeRecovery would accept it, and so would
// kTolerateCorruptedTailRecords where a length field is hit that then points beyond the end).
//
// What tells them apart is written into the log: the last entry of each batch is a LogMark, saying
// up to which sequence number writes were known to be durable when the batch was made. If any whole
// record vouches for what cannot be read, then something durable was lost, and the open stops;
// otherwise the log ends where its last readable record ends, and the rest is cut off.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "quipu/base/file_system.h"
#include "quipu/result.h"

namespace quipu::storage {

// How much of which manifest was known to be durable. Later ones are greater.
struct ManifestMark {
  std::uint64_t number = 0;
  std::uint64_t bytes = 0;
  friend auto operator<=>(const ManifestMark&, const ManifestMark&) = default;
};

// The last entry of every batch in the write-ahead log: what was known when the batch was made.
struct LogMark {
  std::uint64_t durable_seq = 0;  // every write up to this one had been synced
  std::uint64_t floor_seq = 0;    // every record in the same file has a higher number
  ManifestMark manifest;
};
[[nodiscard]] std::string encode_log_mark(const LogMark& mark);
// Finds the mark at the end of a batch as the log holds it; none if the batch does not end in one.
[[nodiscard]] std::optional<LogMark> find_log_mark(std::string_view batch_tail);

// Bytes at the end of a batch that find_log_mark() looks at.
inline constexpr std::size_t kLogMarkBytes = 38;

struct LogCheckReport {
  std::size_t wal_count = 0;    // files, empty ones too
  std::uint64_t wal_bytes = 0;  // that RocksDB will have to read
  std::uint64_t cut_bytes = 0;  // that were cut off
};

// Checks the manifest and the write-ahead logs of the database in `path`, cuts their unfinished
// ends and syncs them: what an earlier process wrote and did not sync is in them, will be
// recovered, and must not be lost once newer writes are durable. Nobody else may have the database
// open.
//
// Errors: kCorruption ("wal_damaged", "manifest_damaged") naming file and place when something
// durable cannot be read; those of `files`.
// Cost: reads the logs once and computes their checksums, below 100 ms for 100 MB from memory.
Result<LogCheckReport> check_logs(FileSystem& files, const std::string& path);

// Leaves a note, after an orderly close has synced the write-ahead logs, that spares the next
// check_logs() from syncing them once more (a sync takes milliseconds, also of a clean file). The
// note need not be durable itself: where it is seen, it is true, since a log that was closed is
// never appended to. Errors: those of `files`; the note is then missing or unreadable, which costs
// time.
Status note_synced_wals(FileSystem& files, const std::string& path);

}  // namespace quipu::storage
