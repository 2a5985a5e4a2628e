#include "quipu/text/unicode/graphemes.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "quipu/text/unicode/tables.h"
#include "quipu/text/unicode/unicode_data.h"

namespace quipu::text {
namespace {

enum class ClusterKind : std::uint8_t {
  kOther,
  kJoinsBefore,  // Extend, SpacingMark and ZWJ
  kJoinsAfter,   // Prepend
  kBreaks,       // Control
  kPictograph,
  kRegional,
  kLeading,  // Hangul jamo and syllables
  kVowel,
  kTrailing,
  kSyllableOpen,
  kSyllableClosed,
};

constexpr char32_t kJoiner = 0x200D;

// One byte for each character of planes 0 and 1 and of the tags, in blocks of 256 of which equal
// ones are kept once.
class CodePointTable {
 public:
  explicit CodePointTable(const std::vector<std::uint8_t>& flat) {
    for (std::size_t start = 0; start < flat.size(); start += 256) {
      std::array<std::uint8_t, 256> block{};
      std::copy_n(flat.begin() + static_cast<std::ptrdiff_t>(start), 256, block.begin());
      std::size_t same = 0;
      while (same < values_.size() && values_[same] != block) ++same;
      if (same == values_.size()) values_.push_back(block);
      blocks_.push_back(static_cast<std::uint16_t>(same));
    }
  }
  [[nodiscard]] std::uint8_t at(char32_t c) const noexcept {
    return values_[blocks_[c >> 8]][c & 255];
  }

 private:
  std::vector<std::uint16_t> blocks_;
  std::vector<std::array<std::uint8_t, 256>> values_;
};

CodePointTable make_cluster_table() {
  std::vector<std::uint8_t> flat(0x110000, 0);
  const auto set = [&](std::uint32_t first, std::uint32_t last, ClusterKind kind) {
    for (std::uint32_t c = first; c <= last; ++c) flat[c] = static_cast<std::uint8_t>(kind);
  };
  const auto set_all = [&](std::span<const std::uint32_t> numbers, ClusterKind kind) {
    tables::for_each_range(
        numbers, [&](std::uint32_t first, std::uint32_t last) { set(first, last, kind); });
  };
  set_all(tables::kPictographRanges, ClusterKind::kPictograph);
  set_all(tables::kJoinsBeforeRanges, ClusterKind::kJoinsBefore);
  set_all(tables::kJoinsAfterRanges, ClusterKind::kJoinsAfter);
  set_all(tables::kBreaksRanges, ClusterKind::kBreaks);
  set(0x1F1E6, 0x1F1FF, ClusterKind::kRegional);
  set(0x1100, 0x115F, ClusterKind::kLeading);
  set(0xA960, 0xA97C, ClusterKind::kLeading);
  set(0x1160, 0x11A7, ClusterKind::kVowel);
  set(0xD7B0, 0xD7C6, ClusterKind::kVowel);
  set(0x11A8, 0x11FF, ClusterKind::kTrailing);
  set(0xD7CB, 0xD7FB, ClusterKind::kTrailing);
  for (char32_t c = kHangulFirst; c < kHangulFirst + kHangulCount; ++c) {
    flat[c] = static_cast<std::uint8_t>(
        (c - kHangulFirst) % 28 == 0 ? ClusterKind::kSyllableOpen : ClusterKind::kSyllableClosed);
  }
  return CodePointTable(flat);
}

ClusterKind cluster_kind(char32_t c) noexcept {
  static const CodePointTable& table = *new CodePointTable(make_cluster_table());
  return static_cast<ClusterKind>(table.at(c));
}

bool joins_hangul(ClusterKind before, ClusterKind after) noexcept {
  switch (before) {
    case ClusterKind::kLeading:
      return after == ClusterKind::kLeading || after == ClusterKind::kVowel ||
             after == ClusterKind::kSyllableOpen || after == ClusterKind::kSyllableClosed;
    case ClusterKind::kSyllableOpen:
    case ClusterKind::kVowel:
      return after == ClusterKind::kVowel || after == ClusterKind::kTrailing;
    case ClusterKind::kSyllableClosed:
    case ClusterKind::kTrailing: return after == ClusterKind::kTrailing;
    default: return false;
  }
}

CodePointTable make_script_table() {
  std::vector<std::uint8_t> flat(0x110000, 0);
  const std::span<const std::uint32_t> numbers = tables::kScripts;
  std::uint32_t before = 0;
  for (std::size_t i = 0; i + 2 < numbers.size(); i += 3) {
    const std::uint32_t first = before + numbers[i];
    const std::uint32_t last = first + numbers[i + 1];
    for (std::uint32_t c = first; c <= last; ++c) {
      flat[c] = static_cast<std::uint8_t>(numbers[i + 2]);
    }
    before = last;
  }
  return CodePointTable(flat);
}

}  // namespace

std::size_t grapheme_size(std::span<const AlignedChar> text) noexcept {
  const auto kind_at = [&](std::size_t i) { return cluster_kind(text[i].value); };
  if (text.size() > 1 && text[0].value == '\r' && text[1].value == '\n') return 2;
  ClusterKind before = kind_at(0);
  // Whether all since a pictograph extends it, and how many regional indicators end here.
  bool pictograph = before == ClusterKind::kPictograph;
  std::size_t regionals = before == ClusterKind::kRegional ? 1 : 0;
  std::size_t at = 1;
  for (; at < text.size(); ++at) {
    const ClusterKind after = kind_at(at);
    if (before == ClusterKind::kBreaks || after == ClusterKind::kBreaks) break;
    const bool joined =
        after == ClusterKind::kJoinsBefore || before == ClusterKind::kJoinsAfter ||
        joins_hangul(before, after) ||
        (pictograph && text[at - 1].value == kJoiner && after == ClusterKind::kPictograph) ||
        (after == ClusterKind::kRegional && regionals % 2 == 1);
    if (!joined) break;
    if (after != ClusterKind::kJoinsBefore) pictograph = after == ClusterKind::kPictograph;
    regionals = after == ClusterKind::kRegional ? regionals + 1 : 0;
    before = after;
  }
  return at;
}

unsigned script_of(char32_t c) noexcept {
  static const CodePointTable& table = *new CodePointTable(make_script_table());
  return table.at(c);
}

}  // namespace quipu::text
