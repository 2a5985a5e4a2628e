// Byte-pair encoding (Sennrich et al.: Neural Machine Translation of Rare Words with Subword Units,
// 2016): neighbouring tokens are merged, the pair that was learnt first before the others.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// What two neighbouring tokens become, and how early.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = kNone;  // smaller ones first
    std::uint32_t id = 0;
  };
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  // Of the same pair the last one counts.
  void reserve(std::size_t count);
  void insert(std::uint32_t first, std::uint32_t second, Merge merge);
  // Rank kNone when the two do not merge.
  [[nodiscard]] Merge find(std::uint32_t first, std::uint32_t second) const noexcept {
    const std::uint64_t key = (static_cast<std::uint64_t>(first) << 32) | second;
    for (std::size_t at = place_of(key);; at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].key == key) return slots_[at].merge;
      if (slots_[at].key == kFree) return {};
    }
  }

 private:
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  struct Slot {
    std::uint64_t key = kFree;
    Merge merge;
  };
  [[nodiscard]] std::size_t place_of(std::uint64_t key) const noexcept {
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> shift_);
  }
  std::vector<Slot> slots_{2};  // a power of two, at most half of them taken
  int shift_ = 63;
};

// Threads: immutable.
class Bpe final : public TokenModel {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Bpe>> read(const JsonPart& part);
  // Cost: n log n in the word's characters.
  [[nodiscard]] bool tokenize(std::string_view word, Scratch& scratch,
                              std::vector<Piece>& out) const override;
  // Before the mark of a word's beginning (U+2581), where no merge reaches across it.
  [[nodiscard]] std::size_t next_cut(std::string_view word,
                                     std::size_t from) const noexcept override;
  [[nodiscard]] const Vocabulary& vocabulary() const noexcept override { return vocabulary_; }

 private:
  Bpe() = default;
  Status read_options(const JsonPart& part);
  Status read_merges(const JsonPart& part);
  Status add_merge(const JsonPart& entry, std::string_view first, std::string_view second,
                   std::uint32_t rank);
  [[nodiscard]] bool split_characters(std::string_view word, Scratch& scratch) const;
  [[nodiscard]] std::optional<std::uint32_t> character_id(std::string_view character, bool is_first,
                                                          bool is_last, std::string& bytes) const;
  void merge_few(std::vector<Scratch::Symbol>& symbols) const;
  void merge_many(Scratch& scratch) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::array<std::uint32_t, 128> ascii_ids_{};  // npos() where there is none
  std::array<std::optional<std::uint32_t>, 256> byte_ids_;
  std::string prefix_;  // of all but a word's first token
  std::string suffix_;  // of a word's last token
  bool has_unknown_ = false;
  std::optional<std::uint32_t> unknown_id_;
  bool fuse_unknown_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  // Whether words may be cut before U+2581, but for behind these characters.
  bool cuts_ = false;
  std::unordered_set<char32_t> no_cut_behind_;
};

}  // namespace quipu::text
