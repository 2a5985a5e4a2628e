#include "quipu/text/chunk/chunker.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// How good it is to cut before a token. Larger is better.
enum Cut : std::uint8_t {
  kInsideCharacter,  // never
  kInsideWord,
  kWordEnd,
  kClauseEnd,
  kSentenceEnd,
  kLineEnd,
  kParagraphEnd,
};

bool one_of(char32_t c, std::u32string_view set) { return set.find(c) != set.npos; }
bool closes(char32_t c) { return one_of(c, U")]}>\"'`*_\u2019\u201d\u00bb\u300d\u300f\uff09"); }
bool ends_sentence(char32_t c) {
  return one_of(c, U".!?\u2026\u3002\uff01\uff1f\uff0e\u0964\u0965\u061f\u06d4\u1362\u203c\u2049");
}
bool ends_wide_sentence(char32_t c) { return one_of(c, U"\u3002\uff01\uff1f\u0964\u0965"); }
bool ends_clause(char32_t c) { return one_of(c, U",;:\u2014\u3001\uff0c\uff1b\uff1a\u060c"); }

class Chunker {
 public:
  Chunker(const Tokenizer& tokenizer, std::string_view text, const ChunkParams& params)
      : tokenizer_(tokenizer),
        text_(text),
        params_(params),
        room_(params.tokens_max - tokenizer.template_token_count()) {}

  Result<std::vector<Chunk>> run() {
    QUIPU_TRY_OK(tokenizer_.encode(text_, {.template_tokens = false}, tokens_));
    std::vector<Chunk> chunks;
    if (first_kept(0) == text_.size()) return chunks;
    grade_cuts();
    std::size_t from = 0;
    for (;;) {
      QUIPU_TRY(const std::size_t to, add_chunk(from, chunks));
      if (to >= count()) return chunks;
      from = overlap_start(from, to);
    }
  }

 private:
  [[nodiscard]] std::size_t count() const { return tokens_.spans.size(); }
  [[nodiscard]] bool is_space(char32_t c) const { return data_.has(c, kCharSpace); }

  // The first byte from `at` on that is no white space.
  [[nodiscard]] std::size_t first_kept(std::size_t at) const {
    while (at < text_.size()) {
      const DecodedChar c = decode_utf8(text_.data() + at);
      if (!is_space(c.value)) break;
      at += c.size;
    }
    return at;
  }
  [[nodiscard]] DecodedChar char_before(std::size_t at) const {
    std::size_t start = at - 1;
    while (is_utf8_continuation(text_[start])) --start;
    return decode_utf8(text_.data() + start);
  }
  // The end of what is before `at`, white space left out.
  [[nodiscard]] std::size_t kept_end(std::size_t at) const {
    while (at > 0) {
      const DecodedChar c = char_before(at);
      if (!is_space(c.value)) break;
      at -= c.size;
    }
    return at;
  }

  // Where the text is cut before token `k`: what has no tokens of its own between two tokens goes
  // with the one before, up to the first white space.
  [[nodiscard]] std::size_t cut_place(std::size_t k) const {
    if (k >= count()) return text_.size();
    if (k == 0) return 0;
    std::size_t at = tokens_.spans[k - 1].end;
    while (at < tokens_.spans[k].begin) {
      const DecodedChar c = decode_utf8(text_.data() + at);
      if (is_space(c.value)) break;
      at += c.size;
    }
    return at;
  }

  [[nodiscard]] Cut grade(std::size_t k) const {
    const TokenSpan before = tokens_.spans[k - 1];
    const TokenSpan after = tokens_.spans[k];
    if (after.begin < before.end || before.end == 0) return kInsideCharacter;
    std::size_t lines = 0;
    bool spaced = false;
    for (std::size_t at = before.end; at < after.begin;) {
      const DecodedChar c = decode_utf8(text_.data() + at);
      lines += c.value == '\n' || c.value == 0x2029 ? 1U : 0U;
      spaced = spaced || is_space(c.value);
      at += c.size;
    }
    if (lines >= 2) return kParagraphEnd;
    if (lines == 1) return kLineEnd;
    std::size_t end = before.end;
    DecodedChar last = char_before(end);
    const char32_t neighbour = last.value;
    for (int i = 0; i < 4 && closes(last.value) && end > last.size; ++i) {
      end -= last.size;
      last = char_before(end);
    }
    if (spaced && ends_sentence(last.value)) return kSentenceEnd;
    const char32_t next = decode_utf8(text_.data() + after.begin).value;
    if (ends_wide_sentence(last.value) && !closes(next)) return kSentenceEnd;
    if (spaced) return ends_clause(last.value) ? kClauseEnd : kWordEnd;
    const auto joins = [&](char32_t c) {
      return data_.has(c, kCharWord) && !data_.has(c, kCharIdeograph);
    };
    return joins(neighbour) && joins(next) ? kInsideWord : kWordEnd;
  }

  void grade_cuts() {
    cuts_.assign(count() + 1, kParagraphEnd);
    for (std::size_t k = 1; k < count(); ++k) cuts_[k] = grade(k);
  }

  // Where a chunk of tokens from `from` on, at most `room`, ends best.
  [[nodiscard]] std::size_t best_cut(std::size_t from, std::size_t room) const {
    if (count() - from <= room) return count();
    const std::size_t nearest = from + (room + 1) / 2;
    std::size_t best = from + room;
    for (std::size_t k = from + room; k >= nearest && k > from; --k) {
      if (cuts_[k] > cuts_[best]) best = k;
    }
    if (cuts_[best] > kInsideWord) return best;
    // No word ends in the last half; one that does earlier is better than a cut word.
    for (std::size_t k = nearest; k > from; --k) {
      if (cuts_[k] > kInsideWord) return k;
    }
    while (best > from && cuts_[best] == kInsideCharacter) --best;
    if (best > from) return best;
    // A first character of more tokens than there is room for.
    best = from + room;
    while (best < count() && cuts_[best] == kInsideCharacter) ++best;
    return best;
  }

  // Adds the chunk that begins with token `from` and returns the token that follows it. A chunk is
  // counted by itself, since a word that was cut has other tokens than as a whole.
  Result<std::size_t> add_chunk(std::size_t from, std::vector<Chunk>& chunks) {
    std::size_t room = room_;
    for (;;) {
      const std::size_t to = best_cut(from, room);
      const std::size_t begin = first_kept(from == 0 ? 0 : cut_place(from));
      const std::size_t end = kept_end(cut_place(to));
      QUIPU_TRY_OK(tokenizer_.encode(text_.substr(begin, end - begin), {.tokens_max = 0}, again_));
      if (again_.token_count <= params_.tokens_max) {
        chunks.push_back({begin, end - begin, again_.token_count});
        return to;
      }
      if (room == 1) {
        return Error{ErrorCode::kInvalidArgument,
                     "tokens_max is " + std::to_string(params_.tokens_max) +
                         "; the character at byte " + std::to_string(begin) + " needs " +
                         std::to_string(again_.token_count)};
      }
      const std::size_t excess = again_.token_count - params_.tokens_max;
      const std::size_t taken = std::min(room, to - from);
      room = taken > excess ? taken - excess : std::max<std::size_t>(taken / 2, 1);
    }
  }

  // The first token of the chunk that follows one of [from, to).
  [[nodiscard]] std::size_t overlap_start(std::size_t from, std::size_t to) const {
    const std::size_t overlap = params_.overlap_tokens;
    // At most half of a chunk is shared, so that each adds something.
    const std::size_t earliest = std::max(to - std::min(to, overlap), to - (to - from) / 2);
    std::size_t word = to;
    for (std::size_t k = earliest; k < to; ++k) {
      if (cuts_[k] >= kSentenceEnd) return k;
      if (cuts_[k] > kInsideWord && word == to) word = k;
    }
    return word;
  }

  const UnicodeData& data_ = UnicodeData::instance();
  const Tokenizer& tokenizer_;
  const std::string_view text_;
  const ChunkParams params_;
  const std::size_t room_;
  Encoding tokens_;  // of the whole text, without the template's
  Encoding again_;
  std::vector<Cut> cuts_;  // before each token; the last is the text's end
};

}  // namespace

Result<std::vector<Chunk>> chunk_text(const Tokenizer& tokenizer, std::string_view text,
                                      const ChunkParams& params) {
  const std::uint32_t around = tokenizer.template_token_count();
  if (params.tokens_max <= around) {
    return Error{ErrorCode::kInvalidArgument, "tokens_max is " + std::to_string(params.tokens_max) +
                                                  "; it must be more than the " +
                                                  std::to_string(around) +
                                                  " tokens around each text"};
  }
  const std::uint32_t room = params.tokens_max - around;
  if (params.overlap_tokens > room / 2) {
    return Error{ErrorCode::kInvalidArgument,
                 "overlap_tokens is " + std::to_string(params.overlap_tokens) + "; the limit is " +
                     std::to_string(room / 2) + ", half of a chunk's room"};
  }
  return Chunker(tokenizer, text, params).run();
}

}  // namespace quipu::text
