#include "quipu/storage/rocksdb/log_scan.h"

#include <algorithm>
#include <bit>
#include <string>

#include "quipu/base/bytes.h"

namespace quipu::storage {
namespace {

constexpr std::size_t kBlockBytes = 32'768;
constexpr std::size_t kFragmentHeaderBytes = 7;

enum class FragmentType : std::uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

struct Fragment {
  FragmentType type = FragmentType::kFull;
  std::string_view data;
};

std::size_t left_in_block(std::size_t offset) { return kBlockBytes - offset % kBlockBytes; }

// RocksDB stores checksums rotated and shifted, so that checksums of checksums stay good.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282'ead8U; }

// The fragment at `offset`, if there is a whole one with a right checksum.
std::optional<Fragment> fragment_at(std::string_view bytes, std::size_t offset) {
  ByteReader reader(bytes.substr(offset));
  const std::uint32_t checksum = reader.u32();
  const std::uint16_t size = reader.u16();
  const std::uint8_t type = reader.u8();
  if (!reader.ok() || type < 1 || type > 4) return std::nullopt;
  if (kFragmentHeaderBytes + size > left_in_block(offset)) return std::nullopt;
  const std::string_view data = reader.bytes(size);
  if (!reader.ok()) return std::nullopt;
  // Type and data stand beside one another.
  const std::string_view summed =
      bytes.substr(offset + kFragmentHeaderBytes - 1, std::size_t{1} + size);
  if (masked(crc32c(summed)) != checksum) return std::nullopt;
  return Fragment{static_cast<FragmentType>(type), data};
}

bool begins(FragmentType type) {
  return type == FragmentType::kFull || type == FragmentType::kFirst;
}
bool ends(FragmentType type) { return type == FragmentType::kFull || type == FragmentType::kLast; }

std::string_view last_bytes(std::string_view text, std::size_t count) {
  return text.substr(text.size() - std::min(text.size(), count));
}

// Puts the ends of a record together from its fragments.
class Assembler {
 public:
  // False if the fragment cannot come next.
  bool add(const Fragment& fragment) {
    if (begins(fragment.type) == inside_) return false;
    inside_ = true;
    if (begins(fragment.type)) {
      head_.clear();
      tail_.clear();
    }
    head_.append(fragment.data.substr(0, kLogHeadBytes - std::min(head_.size(), kLogHeadBytes)));
    tail_.append(last_bytes(fragment.data, kLogTailBytes));
    tail_ = last_bytes(tail_, kLogTailBytes);
    return true;
  }
  void finish() { inside_ = false; }
  [[nodiscard]] LogRecord record() const { return {.head = head_, .tail = tail_}; }

 private:
  std::string head_;
  std::string tail_;
  bool inside_ = false;
};

}  // namespace

LogScan scan_log(std::string_view bytes, const std::function<bool(const LogRecord&)>& on_record) {
  Assembler assembler;
  LogScan scan;
  std::size_t offset = 0;
  while (offset < bytes.size()) {
    if (left_in_block(offset) < kFragmentHeaderBytes) {
      offset += left_in_block(offset);
      continue;
    }
    const std::optional<Fragment> fragment = fragment_at(bytes, offset);
    if (!fragment || !assembler.add(*fragment)) break;
    offset += kFragmentHeaderBytes + fragment->data.size();
    if (!ends(fragment->type)) continue;
    assembler.finish();
    if (!on_record(assembler.record())) break;
    scan.good_bytes = offset;
  }
  // Unused space at the end of the last block is no damage, even where the file ends in it.
  const std::uint64_t rest = bytes.size() - std::min<std::size_t>(bytes.size(), scan.good_bytes);
  const bool only_unused = left_in_block(scan.good_bytes) < kFragmentHeaderBytes &&
                           rest <= left_in_block(scan.good_bytes);
  scan.damaged = rest != 0 && !only_unused;
  return scan;
}

void search_fragments(std::string_view bytes, std::uint64_t offset,
                      const std::function<void(const LogRecord&)>& on_fragment) {
  std::size_t at = offset;
  while (at < bytes.size()) {
    const std::optional<Fragment> fragment = fragment_at(bytes, at);
    if (!fragment) {
      ++at;
      continue;
    }
    on_fragment({.head = begins(fragment->type) ? fragment->data.substr(0, kLogHeadBytes)
                                                : std::string_view(),
                 .tail = ends(fragment->type) ? last_bytes(fragment->data, kLogTailBytes)
                                              : std::string_view()});
    at += kFragmentHeaderBytes + fragment->data.size();
  }
}

}  // namespace quipu::storage
