// The parts of a Tokenizer, and the way of a text through all of them; for tokenizer.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/text/tokenizer/added_tokens.h"
#include "quipu/text/tokenizer/bert_scanner.h"
#include "quipu/text/tokenizer/normalizer.h"
#include "quipu/text/tokenizer/post_processor.h"
#include "quipu/text/tokenizer/pre_tokenizer.h"
#include "quipu/text/tokenizer/token_model.h"
#include "quipu/text/tokenizer/token_sink.h"
#include "quipu/text/tokenizer/tokenizer.h"
#include "quipu/text/tokenizer/word_cache.h"
#include "quipu/text/unicode/aligned_text.h"

namespace quipu::text {

// What a thread needs to go by parts.
struct Tokenizer::Scratch {
  AlignedText chars;
  AlignedText stretch;               // of chars, between added tokens
  std::string bytes;                 // of chars
  std::vector<std::size_t> char_at;  // byte of bytes to index in chars
  std::vector<AddedTokenFinder::Found> found;
  std::vector<PreTokenizer::Range> words;
  std::vector<TokenModel::Piece> pieces;
  std::string word;
  std::vector<std::uint32_t> char_ends;  // byte ends of the word's characters
  NormalizerScratch normalizer;
  PreTokenizer::Scratch splits;
  TokenModel::Scratch model;
  WordCache cache;
  // Of two texts each.
  struct Side {
    std::vector<std::uint32_t> ids;
    std::vector<TokenSpan> spans;
    std::vector<TokenEdges> edges;
  };
  Side sides[2];

  // After a long text: memory that is not worth keeping for the next.
  [[nodiscard]] bool is_large() const noexcept {
    constexpr std::size_t kKeptCharsMax = 1U << 18;
    return chars.capacity() > kKeptCharsMax || stretch.capacity() > kKeptCharsMax ||
           splits.text.capacity() > kKeptCharsMax || normalizer.text.capacity() > kKeptCharsMax ||
           sides[0].ids.capacity() > kKeptCharsMax || sides[1].ids.capacity() > kKeptCharsMax;
  }
};

struct Tokenizer::Parts {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<TokenModel> model;
  AddedTokens added;
  PostProcessor post_processor;
  Truncation truncation;
  std::unique_ptr<BertScanner> bert;  // null when the parts are not BERT's
  std::vector<TokenEdges> edges;      // by id, where the post-processor trims; may lack some

  // The tokens of a stretch between added tokens that are looked for in the text as it is.
  Status add_text(std::string_view text, std::uint32_t base, bool by_parts, Scratch& scratch,
                  TokenSink& sink) const;
  // Moves the ends of a text's spans over white space, as the post-processor says.
  void trim(std::string_view text, std::span<const TokenEdges> kept,
            std::span<TokenSpan> spans) const;
  void make_edges();

 private:
  Status add_words(AlignedText& chars, bool by_parts, Scratch& scratch, TokenSink& sink) const;
  Status add_word(std::span<const AlignedChar> chars, bool by_parts, Scratch& scratch,
                  TokenSink& sink) const;
  [[nodiscard]] bool find_pieces(bool by_parts, Scratch& scratch) const;
  [[nodiscard]] TokenEdges edges_of(const TokenModel::Piece& piece, std::string_view bytes) const;
};

// How many characters of white space, or what stands for a space in byte-level tokens, are at a
// token's ends.
[[nodiscard]] TokenEdges count_edges(std::string_view token) noexcept;

}  // namespace quipu::text
