// Reads the framing of RocksDB's logs (write-ahead logs and manifests), which is documented and has
// not changed since LevelDB: blocks of 32 KiB; in them fragments of u32 masked CRC-32C (over type
// and data), u16 size, u8 type (1 full, 2 first, 3 middle, 4 last), data; less than a fragment's
// header at the end of a block is left unused. Recycled logs, which Quipu does not use, have other
// types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace quipu::storage {

// The two ends of a logical record; its middle is only checked, not kept. Views into the caller's
// memory or the scan's, valid during the call.
struct LogRecord {
  std::string_view head;  // the first bytes, at most kLogHeadBytes
  std::string_view tail;  // the last bytes, at most kLogTailBytes; they may overlap the head
};
inline constexpr std::size_t kLogHeadBytes = 12;
inline constexpr std::size_t kLogTailBytes = 48;

struct LogScan {
  std::uint64_t good_bytes = 0;  // up to the end of the last whole record
  bool damaged = false;          // whether anything but unused space follows
};

// Calls `on_record` for each whole record from the front, until it returns false (which marks that
// record as damaged) or one is damaged or incomplete. Zeros count as damage too: a sector that was
// never written.
[[nodiscard]] LogScan scan_log(std::string_view bytes,
                               const std::function<bool(const LogRecord&)>& on_record);

// Looks for single fragments with a right checksum from `offset` on, at every byte, since a damaged
// size hides where the next one begins. `on_fragment` gets the fragment as if it were a record:
// `head` only if it begins one, `tail` only if it ends one.
// Cost: proportional to the bytes, with a factor that only matters for megabytes of garbage.
void search_fragments(std::string_view bytes, std::uint64_t offset,
                      const std::function<void(const LogRecord&)>& on_fragment);

}  // namespace quipu::storage
