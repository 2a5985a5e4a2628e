#include "quipu/storage/rocksdb/log_check.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "quipu/base/bytes.h"
#include "quipu/base/log.h"
#include "quipu/storage/rocksdb/log_scan.h"

namespace quipu::storage {
namespace {

// A log mark in a batch: RocksDB's tag for a blob of the log (3), its size, and our bytes.
constexpr std::uint8_t kLogDataTag = 3;
constexpr std::uint32_t kMarkMagic = 0x4b524d51;  // "QMRK"
constexpr std::size_t kMarkPayloadBytes = 36;
static_assert(kLogMarkBytes == 2 + kMarkPayloadBytes);
static_assert(kLogMarkBytes <= kLogTailBytes);

constexpr std::size_t kCurrentBytesMax = 256;
constexpr std::size_t kNoteBytesMax = 1U << 20U;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The number between the two in "000123.log" or "MANIFEST-000123"; none where there is no such
// name.
std::optional<std::uint64_t> number_between(std::string_view name, std::string_view prefix,
                                            std::string_view suffix) {
  if (name.size() < prefix.size() + suffix.size()) return std::nullopt;
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return std::nullopt;
  const char* const end = name.data() + name.size() - suffix.size();
  std::uint64_t number = 0;
  const std::from_chars_result read = std::from_chars(name.data() + prefix.size(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return number;
}

// What whole records say, of a file or of a part of it.
struct Evidence {
  std::optional<std::uint64_t> first_seq;  // the lowest number seen
  std::uint64_t next_seq = 0;              // the one after the highest
  std::optional<LogMark> mark;             // the highest of each of its numbers

  // Takes in a record, or as much of one as a fragment holds. Returns whether it has a whole head.
  bool add(const LogRecord& record) {
    if (const std::optional<LogMark> found = find_log_mark(record.tail); found) {
      const LogMark before = mark.value_or(LogMark{});
      mark = LogMark{.durable_seq = std::max(before.durable_seq, found->durable_seq),
                     .floor_seq = std::max(before.floor_seq, found->floor_seq),
                     .manifest = std::max(before.manifest, found->manifest)};
    }
    ByteReader reader(record.head);
    const std::uint64_t seq = reader.u64();
    const std::uint32_t count = reader.u32();
    if (!reader.ok()) return false;
    first_seq = std::min(first_seq.value_or(seq), seq);
    next_seq = std::max(next_seq, seq + count);
    return true;
  }
};

struct WalState {
  std::string name;
  std::string path;
  LogScan scan;
  std::uint64_t size = 0;
  Evidence good;           // the records before the damage
  Evidence later;          // what was found behind it
  bool any_later = false;  // whether anything was
};

Result<WalState> scan_wal(FileSystem& files, const std::string& path, const std::string& name) {
  WalState wal;
  wal.name = name;
  wal.path = path + "/" + name;
  QUIPU_TRY(const std::unique_ptr<MappedFile> mapped, files.map(wal.path));
  const std::string_view bytes = text_of(mapped->bytes());
  wal.size = bytes.size();
  wal.scan = scan_log(bytes, [&wal](const LogRecord& record) {
    ByteReader reader(record.head);
    const std::uint64_t seq = reader.u64();
    // Within a file the numbers follow one another without a gap; between files they may jump,
    // because writes that were lost have used some up.
    if (wal.good.first_seq && seq != wal.good.next_seq) return false;
    return wal.good.add(record);
  });
  if (wal.scan.damaged) {
    search_fragments(bytes, wal.scan.good_bytes, [&wal](const LogRecord& fragment) {
      wal.any_later = true;
      wal.later.add(fragment);
    });
  }
  return wal;
}

Error damaged_wal(const WalState& wal, const std::string& why) {
  return Error{.code = ErrorCode::kCorruption,
               .message = "the write-ahead log " + wal.path + " is damaged at byte " +
                          std::to_string(wal.scan.good_bytes) + " of " + std::to_string(wal.size) +
                          ": " + why + ". Restore the file, or give up what follows with 'quipu " +
                          "doctor --recover-to-point'",
               .reason = "wal_damaged"};
}

// Whether the damage in wals[at] can be a crash's: OK then, and the damage is to be cut off.
Status judge(const std::vector<WalState>& wals, std::size_t at) {
  const WalState& wal = wals[at];
  std::uint64_t lost_seq = 0;  // the first write that cannot be read
  if (wal.good.first_seq) {
    lost_seq = wal.good.next_seq;
  } else {
    if (at > 0) lost_seq = wals[at - 1].good.next_seq;
    if (wal.later.mark) lost_seq = std::max(lost_seq, wal.later.mark->floor_seq + 1);
  }
  std::uint64_t durable_seq = wal.later.mark ? wal.later.mark->durable_seq : 0;
  for (std::size_t next = at + 1; next < wals.size(); ++next) {
    const Evidence& good = wals[next].good;
    if (!good.first_seq) continue;
    // A log is synced before the next one is begun, so nothing of it may be missing. What failed
    // for want of space is no exception: its number was used again by the next file.
    if (*good.first_seq > lost_seq) {
      return damaged_wal(wal, "write " + std::to_string(lost_seq) + " is missing, but " +
                                  wals[next].path + " goes on with later ones");
    }
    lost_seq = std::max(lost_seq, good.next_seq);
  }
  if (wal.any_later && durable_seq >= lost_seq) {
    return damaged_wal(wal,
                       "write " + std::to_string(lost_seq) +
                           " cannot be read, but was durable: later records say that all up to " +
                           std::to_string(durable_seq) + " were");
  }
  return ok_status();
}

Status sync_file(FileSystem& files, const std::string& path, std::optional<std::uint64_t> cut_to) {
  QUIPU_TRY(const std::unique_ptr<WritableFile> file, files.open_writable(path, OpenMode::kAppend));
  if (cut_to) QUIPU_TRY_OK(file->truncate(*cut_to));
  QUIPU_TRY_OK(file->sync());
  return file->close();
}

// Cuts `path` after its last whole record. Says so: an operator may wonder where bytes went.
Status cut_file(FileSystem& files, const std::string& path, const LogScan& scan,
                std::uint64_t size) {
  log_warning("cut the unfinished end of a log off, as after a crash",
              {{"file", path},
               {"kept_bytes", std::to_string(scan.good_bytes)},
               {"cut_bytes", std::to_string(size - scan.good_bytes)}});
  return sync_file(files, path, scan.good_bytes);
}

// By number, which is the order of writing.
Result<std::map<std::uint64_t, std::string>> wal_names(FileSystem& files, const std::string& path) {
  QUIPU_TRY(const std::vector<std::string> names, files.list(path));
  std::map<std::uint64_t, std::string> found;
  for (const std::string& name : names) {
    if (const auto number = number_between(name, "", ".log")) found.emplace(*number, name);
  }
  return found;
}

Result<std::vector<WalState>> scan_wals(FileSystem& files, const std::string& path) {
  QUIPU_TRY(const auto found, wal_names(files, path));
  std::vector<WalState> wals;
  for (const auto& [number, name] : found) {
    QUIPU_TRY(WalState wal, scan_wal(files, path, name));
    wals.push_back(std::move(wal));
  }
  return wals;
}

std::string note_path(const std::string& path) { return path + "/SYNCED"; }

// The logs that an orderly close has synced, by path and size. Empty without a readable note.
std::map<std::string, std::uint64_t> read_note(FileSystem& files, const std::string& path) {
  std::map<std::string, std::uint64_t> synced;
  const Result<std::string> note = read_file(files, note_path(path), kNoteBytesMax);
  if (!note.ok() || note.value().size() < sizeof(std::uint32_t)) return synced;
  const std::string_view bytes(note.value());
  const std::string_view body = bytes.substr(0, bytes.size() - sizeof(std::uint32_t));
  ByteReader checksum(bytes.substr(body.size()));
  if (checksum.u32() != crc32c(body)) return synced;
  ByteReader reader(body);
  while (reader.ok() && reader.left() != 0) {
    std::string name(reader.sized());
    synced[std::move(name)] = reader.u64();
  }
  return synced;
}

Status settle_wals(FileSystem& files, const std::string& path, const std::vector<WalState>& wals,
                   LogCheckReport& report) {
  const std::map<std::string, std::uint64_t> noted = read_note(files, path);
  for (const WalState& wal : wals) {
    const auto note = noted.find(wal.name);
    if (note == noted.end() || wal.scan.good_bytes >= note->second) continue;
    return damaged_wal(wal,
                       "an orderly close has left " + std::to_string(note->second) + " good bytes");
  }
  bool any_synced = false;
  for (std::size_t i = 0; i < wals.size(); ++i) {
    if (wals[i].scan.damaged) QUIPU_TRY_OK(judge(wals, i));
  }
  for (const WalState& wal : wals) {
    report.wal_bytes += wal.scan.good_bytes;
    report.wal_count += 1;
    if (wal.scan.damaged) {
      report.cut_bytes += wal.size - wal.scan.good_bytes;
      QUIPU_TRY_OK(cut_file(files, wal.path, wal.scan, wal.size));
      any_synced = true;
      continue;
    }
    const auto note = noted.find(wal.name);
    if (wal.size == 0 || (note != noted.end() && note->second == wal.size)) continue;
    QUIPU_TRY_OK(sync_file(files, wal.path, std::nullopt));
    any_synced = true;
  }
  return any_synced ? files.sync_directory(path) : ok_status();
}

Error damaged_manifest(const std::string& what) {
  return Error{.code = ErrorCode::kCorruption, .message = what, .reason = "manifest_damaged"};
}

// Every edit of the manifest is synced before it is acted upon, so the last one may be half there
// without a loss; but not if something whole follows it, nor if a write-ahead log vouches for it.
Status check_manifest(FileSystem& files, const std::string& path, const ManifestMark& vouched,
                      LogCheckReport& report) {
  const std::string current = path + "/CURRENT";
  if (!files.exists(current)) return ok_status();
  QUIPU_TRY(std::string name, read_file(files, current, kCurrentBytesMax));
  while (name.ends_with('\n')) name.pop_back();
  const std::string manifest = path + "/" + name;
  const std::optional<std::uint64_t> number = number_between(name, "MANIFEST-", "");
  if (!number || !files.exists(manifest)) {
    return damaged_manifest(current + " is damaged: it should name a manifest beside it");
  }
  QUIPU_TRY(const std::unique_ptr<MappedFile> mapped, files.map(manifest));
  const std::string_view bytes = text_of(mapped->bytes());
  const LogScan scan = scan_log(bytes, [](const LogRecord&) { return true; });
  const bool lacks_vouched = *number == vouched.number && scan.good_bytes < vouched.bytes;
  bool any_later = false;
  if (scan.damaged) {
    search_fragments(bytes, scan.good_bytes, [&any_later](const LogRecord&) { any_later = true; });
  }
  if (any_later || lacks_vouched || scan.good_bytes == 0) {
    return damaged_manifest("the manifest " + manifest + " is damaged at byte " +
                            std::to_string(scan.good_bytes) + " of " +
                            std::to_string(std::max<std::uint64_t>(bytes.size(), vouched.bytes)));
  }
  if (!scan.damaged) return ok_status();
  report.cut_bytes += bytes.size() - scan.good_bytes;
  return cut_file(files, manifest, scan, bytes.size());
}

}  // namespace

std::string encode_log_mark(const LogMark& mark) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.u32(kMarkMagic);
  writer.u64(mark.durable_seq);
  writer.u64(mark.floor_seq);
  writer.u64(mark.manifest.number);
  writer.u64(mark.manifest.bytes);
  return bytes;
}

std::optional<LogMark> find_log_mark(std::string_view batch_tail) {
  if (batch_tail.size() < kLogMarkBytes) return std::nullopt;
  ByteReader reader(batch_tail.substr(batch_tail.size() - kLogMarkBytes));
  const std::uint8_t tag = reader.u8();
  const std::uint8_t size = reader.u8();
  const std::uint32_t magic = reader.u32();
  if (tag != kLogDataTag || size != kMarkPayloadBytes || magic != kMarkMagic) return std::nullopt;
  LogMark mark;
  for (std::uint64_t* field :
       {&mark.durable_seq, &mark.floor_seq, &mark.manifest.number, &mark.manifest.bytes}) {
    *field = reader.u64();
  }
  return mark;
}

Result<LogCheckReport> check_logs(FileSystem& files, const std::string& path) {
  LogCheckReport report;
  QUIPU_TRY(const std::vector<WalState> wals, scan_wals(files, path));
  ManifestMark vouched;
  for (const WalState& wal : wals) {
    for (const Evidence* evidence : {&wal.good, &wal.later}) {
      if (evidence->mark) vouched = std::max(vouched, evidence->mark->manifest);
    }
  }
  QUIPU_TRY_OK(check_manifest(files, path, vouched, report));
  QUIPU_TRY_OK(settle_wals(files, path, wals, report));
  return report;
}

Status note_synced_wals(FileSystem& files, const std::string& path) {
  std::string note;
  ByteWriter writer(note);
  QUIPU_TRY(const auto found, wal_names(files, path));
  for (const auto& [number, name] : found) {
    QUIPU_TRY(const std::uint64_t size, files.file_size(path + "/" + name));
    writer.sized(name);
    writer.u64(size);
  }
  writer.u32(crc32c(note));
  QUIPU_TRY(const std::unique_ptr<WritableFile> file,
            files.open_writable(note_path(path), OpenMode::kTruncate));
  QUIPU_TRY_OK(file->append(std::as_bytes(std::span(note.data(), note.size()))));
  return file->close();
}

}  // namespace quipu::storage
