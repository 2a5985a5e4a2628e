#include "quipu/text/tokenizer/tokenizer_parts.h"

#include <algorithm>

#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

// Vocabularies with larger holes get no table of edges.
constexpr std::size_t kEdgesMax = 4'000'000;

bool is_edge(char32_t c) noexcept {
  return c == byte_level_char(' ') || UnicodeData::instance().has(c, kCharSpace);
}

// Moves `at` forward over `count` characters, but not beyond `end`.
std::uint32_t skip_forward(std::string_view text, std::uint32_t at, std::uint32_t count,
                           std::uint32_t end) {
  for (; count > 0 && at < end; --count) at += decode_utf8(text.data() + at).size;
  return std::min(at, end);
}

// Moves `at` back over `count` characters, but not beyond `begin`; not at all where there are not
// so many in the whole text.
std::uint32_t skip_back(std::string_view text, std::uint32_t at, std::uint32_t count,
                        std::uint32_t begin) {
  std::uint32_t to = at;
  for (; count > 0; --count) {
    if (to == 0) return at;
    do {
      --to;
    } while (to > 0 && is_utf8_continuation(text[to]));
  }
  return std::max(to, begin);
}

}  // namespace

TokenEdges count_edges(std::string_view token) noexcept {
  TokenEdges edges;
  bool at_start = true;
  for (std::size_t at = 0; at < token.size();) {
    const DecodedChar c = decode_utf8(token.data() + at);
    at += c.size;
    const bool edge = is_edge(c.value);
    at_start = at_start && edge;
    if (at_start) ++edges.leading;
    edges.trailing = edge ? edges.trailing + 1 : 0;
  }
  return edges;
}

void Tokenizer::Parts::make_edges() {
  if (post_processor.trims().empty() || !model->text_by_id()) return;
  const std::uint32_t end = std::min<std::uint32_t>(model->vocabulary().ids_end(), kEdgesMax);
  edges.resize(end);
  for (std::uint32_t id = 0; id < end; ++id) edges[id] = count_edges(model->vocabulary().token(id));
}

TokenEdges Tokenizer::Parts::edges_of(const TokenModel::Piece& piece,
                                      std::string_view bytes) const {
  if (model->text_by_id() && piece.id < edges.size()) return edges[piece.id];
  return count_edges(model->token_text(piece, bytes));
}

void Tokenizer::Parts::trim(std::string_view text, std::span<const TokenEdges> kept,
                            std::span<TokenSpan> spans) const {
  for (const PostProcessor::Trim& trim : post_processor.trims()) {
    for (std::size_t i = 0; i < spans.size(); ++i) {
      TokenSpan& span = spans[i];
      const bool is_first = i == 0 || span.begin == 0;
      // One space before the first token was added, not found.
      const bool was_added = is_first && trim.prefix_space && kept[i].leading == 1;
      if (!was_added) span.begin = skip_forward(text, span.begin, kept[i].leading, span.end);
      span.end = skip_back(text, span.end, kept[i].trailing, span.begin);
    }
  }
}

// Fills scratch.pieces with the tokens of scratch.word.
bool Tokenizer::Parts::find_pieces(bool by_parts, Scratch& scratch) const {
  const std::string_view word = scratch.word;
  std::vector<TokenModel::Piece>& pieces = scratch.pieces;
  pieces.clear();
  if (by_parts) return model->tokenize(word, scratch.model, pieces);
  std::size_t from = 0;
  while (from < word.size()) {
    const std::size_t cut =
        word.size() <= WordCache::kWordBytesMax ? word.size() : model->next_cut(word, from);
    const std::string_view part = word.substr(from, cut - from);
    const auto offset = static_cast<std::uint32_t>(from);
    from = cut;
    const bool is_short = part.size() <= WordCache::kWordBytesMax;
    if (is_short && scratch.cache.find(part, offset, pieces)) continue;
    const std::size_t before = pieces.size();
    if (!model->tokenize(part, scratch.model, pieces)) return false;
    for (std::size_t i = before; i < pieces.size(); ++i) pieces[i].end += offset;
    if (is_short) scratch.cache.insert(part, offset, std::span(pieces).subspan(before));
  }
  return true;
}

Status Tokenizer::Parts::add_word(std::span<const AlignedChar> chars, bool by_parts,
                                  Scratch& scratch, TokenSink& sink) const {
  std::string& word = scratch.word;
  word.resize(chars.size() * 4);
  std::size_t size = 0;
  for (const AlignedChar& c : chars) {
    if (c.value < 128) {
      word[size++] = static_cast<char>(c.value);
    } else {
      size += write_utf8(word.data() + size, c.value);
    }
  }
  word.resize(size);
  if (!find_pieces(by_parts, scratch)) {
    return Error{ErrorCode::kInvalidArgument,
                 "the tokenizer has no token for a part of the text at byte " +
                     std::to_string(chars[0].begin) + ", and none for unknown ones",
                 "unknown_token"};
  }
  const bool is_ascii = size == chars.size();
  if (!is_ascii) {
    scratch.char_ends.clear();
    std::uint32_t end = 0;
    for (const AlignedChar& c : chars) scratch.char_ends.push_back(end += utf8_size(c.value));
  }
  std::size_t first = 0;  // the character that holds the piece's first byte
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  for (const TokenModel::Piece& piece : scratch.pieces) {
    if (piece.end != end) begin = end;  // Else one more of the same bytes.
    end = piece.end;
    std::size_t last = end - 1;
    if (is_ascii) {
      first = begin;
    } else {
      while (scratch.char_ends[first] <= begin) ++first;
      last = first;
      while (scratch.char_ends[last] < end) ++last;
    }
    sink.add(piece.id, chars[first].begin, chars[last].end);
    if (sink.wants_edges()) {
      sink.note_edges(edges_of(piece, std::string_view(word).substr(begin, end - begin)));
    }
  }
  return ok_status();
}

Status Tokenizer::Parts::add_words(AlignedText& chars, bool by_parts, Scratch& scratch,
                                   TokenSink& sink) const {
  QUIPU_TRY_OK(pre_tokenizer.split(chars, scratch.splits, scratch.words));
  for (const PreTokenizer::Range& word : scratch.words) {
    QUIPU_TRY_OK(add_word(std::span(chars).subspan(word.begin, word.end - word.begin), by_parts,
                          scratch, sink));
  }
  return ok_status();
}

Status Tokenizer::Parts::add_text(std::string_view text, std::uint32_t base, bool by_parts,
                                  Scratch& scratch, TokenSink& sink) const {
  AlignedText& chars = scratch.chars;
  decode_aligned(text, base, chars);
  QUIPU_TRY_OK(normalizer.normalize(base, scratch.normalizer, chars));
  if (added.normalized.empty()) return add_words(chars, by_parts, scratch, sink);
  scratch.bytes.clear();
  scratch.char_at.clear();
  for (std::size_t i = 0; i < chars.size(); ++i) {
    append_utf8(scratch.bytes, chars[i].value);
    scratch.char_at.resize(scratch.bytes.size(), i);
  }
  scratch.char_at.push_back(chars.size());
  const std::string_view bytes = scratch.bytes;
  added.normalized.find(bytes, scratch.found);
  const auto add_between = [&](std::size_t begin, std::size_t end) -> Status {
    if (begin >= end) return ok_status();
    const auto first = static_cast<std::ptrdiff_t>(scratch.char_at[begin]);
    const auto last = static_cast<std::ptrdiff_t>(scratch.char_at[end]);
    scratch.stretch.assign(chars.begin() + first, chars.begin() + last);
    return add_words(scratch.stretch, by_parts, scratch, sink);
  };
  std::size_t cursor = 0;
  for (const AddedTokenFinder::Found& token : scratch.found) {
    QUIPU_TRY_OK(add_between(cursor, token.begin));
    sink.add(token.id, chars[scratch.char_at[token.begin]].begin,
             chars[scratch.char_at[token.end] - 1].end);
    if (sink.wants_edges()) {
      sink.note_edges(count_edges(bytes.substr(token.begin, token.end - token.begin)));
    }
    cursor = token.end;
  }
  return add_between(cursor, bytes.size());
}

}  // namespace quipu::text
