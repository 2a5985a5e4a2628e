// BERT's normalizer, splitting and WordPiece in one pass over the bytes: the way that nearly all
// texts of nearly all embedding models take. It gives the tokens that the parts give one after the
// other (normalizer.h, pre_tokenizer.h, word_piece.h), which remain its oracle and its way out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "quipu/text/tokenizer/normalizer.h"
#include "quipu/text/tokenizer/token_sink.h"
#include "quipu/text/tokenizer/word_piece.h"

namespace quipu::text {

// Threads: any; what it learns of a character is kept in atomics.
class BertScanner {
 public:
  // Longer words than this are not for it: see usable().
  static constexpr std::size_t kWordCharsMax = 512;

  // `normalizer` is_bert(); `model`, borrowed, outlives the scanner.
  BertScanner(const Normalizer& normalizer, const WordPiece& model);
  [[nodiscard]] static bool usable(const WordPiece& model) noexcept {
    return model.word_chars_max() <= kWordCharsMax;
  }

  // Adds the tokens of well-formed `text`, whose first byte is at `base` of the original. Returns
  // false, with nothing added, when the text holds marks that normalization has to put in order.
  [[nodiscard]] bool scan(std::string_view text, std::uint32_t base, TokenSink& sink) const;

 private:
  enum class Kind : std::uint32_t {
    kUnknown,  // not looked at yet
    kKeep,     // one character of a word
    kParts,    // several characters of a word
    kAlone,    // a word of its own
    kSpace,    // between words
    kDrop,     // nothing
    kReorder,  // depends on its neighbours
  };
  // A character's Kind in the upper bits and what it becomes in the lower 24.
  using Entry = std::uint32_t;
  static constexpr std::size_t kEntries = 0x20000;  // planes 0 and 1; the rest is rare

  class Word;
  [[nodiscard]] Entry look_up(char32_t c) const;
  [[nodiscard]] Entry measure(char32_t c) const;
  void finish(Word& word, TokenSink& sink) const;

  const Normalizer normalizer_;
  const WordPiece& model_;
  bool reorders_ = false;
  std::array<unsigned char, 256> plain_{};  // the word character that an ASCII byte gives, or 0
  std::unique_ptr<std::atomic<Entry>[]> entries_;
};

}  // namespace quipu::text
