// The tokens of short words that came before: texts repeat a few words over and over.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "quipu/text/tokenizer/token_model.h"

namespace quipu::text {

// A word has one place, where it replaces another: half a megabyte, never more. Threads: one.
class WordCache {
 public:
  static constexpr std::size_t kWordBytesMax = 26;
  static constexpr std::size_t kPiecesMax = 6;

  // Appends the tokens of `word`, of at most kWordBytesMax bytes, each `offset` bytes further on.
  // Returns false if it does not know them.
  bool find(std::string_view word, std::uint32_t offset, std::vector<TokenModel::Piece>& out) {
    if (entries_.empty()) entries_.resize(kEntries);
    const Entry& entry = entries_[place_of(word)];
    if (entry.size != word.size() || std::memcmp(entry.word, word.data(), word.size()) != 0) {
      return false;
    }
    for (std::size_t i = 0; i < entry.count; ++i)
      out.push_back({entry.ids[i], offset + entry.ends[i]});
    return true;
  }
  // Remembers the tokens of a word that find() did not know, if they are few.
  void insert(std::string_view word, std::uint32_t offset,
              std::span<const TokenModel::Piece> pieces) {
    if (pieces.size() > kPiecesMax) return;
    Entry& entry = entries_[place_of(word)];
    entry.size = static_cast<std::uint8_t>(word.size());
    entry.count = static_cast<std::uint8_t>(pieces.size());
    std::memcpy(entry.word, word.data(), word.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      entry.ids[i] = pieces[i].id;
      entry.ends[i] = static_cast<std::uint8_t>(pieces[i].end - offset);
    }
  }

 private:
  static constexpr std::size_t kEntries = 8'192;
  struct Entry {
    std::array<std::uint32_t, kPiecesMax> ids{};
    std::array<std::uint8_t, kPiecesMax> ends{};
    std::uint8_t size = 0;  // 0: none is here, since no word is empty
    std::uint8_t count = 0;
    char word[kWordBytesMax] = {};
  };
  static_assert(sizeof(Entry) <= 64);

  [[nodiscard]] static std::size_t place_of(std::string_view word) noexcept {
    std::uint64_t hash = word.size();
    const char* p = word.data();
    std::size_t left = word.size();
    for (; left >= 8; left -= 8, p += 8) hash = mix(hash, load(p, 8));
    if (left > 0) hash = mix(hash, load(p, left));
    return static_cast<std::size_t>(hash >> 40) % kEntries;
  }
  [[nodiscard]] static std::uint64_t load(const char* p, std::size_t size) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, p, size);
    return value;
  }
  [[nodiscard]] static std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
    return hash ^ (hash >> 29);
  }
  std::vector<Entry> entries_;  // none before the first word
};

}  // namespace quipu::text
