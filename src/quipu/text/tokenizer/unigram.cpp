#include "quipu/text/tokenizer/unigram.h"

#include <algorithm>
#include <limits>

#include "quipu/text/tokenizer/byte_tokens.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr std::size_t kUnigramTokensMax = 4'000'000;
// Bounds the time of a text to its size times this.
constexpr std::size_t kUnigramTokenBytesMax = 1'024;
constexpr std::uint32_t kNoBegin = std::numeric_limits<std::uint32_t>::max();

}  // namespace

Status Unigram::read_vocabulary(const JsonPart& part) {
  std::vector<std::string> tokens;
  QUIPU_TRY_OK(part.for_each("vocab", kUnigramTokensMax, [&](const JsonPart& entry) -> Status {
    std::optional<std::string_view> token;
    std::optional<double> score;
    std::size_t index = 0;
    entry.json().for_each_element([&](JsonView value) {
      if (index == 0) token = value.as_string();
      if (index == 1) score = value.as_double();
      ++index;
      return true;
    });
    if (!token.has_value() || !score.has_value() || index != 2 ||
        token->size() > kUnigramTokenBytesMax) {
      return entry.invalid("", "a token of at most " + std::to_string(kUnigramTokenBytesMax) +
                                   " bytes and its score");
    }
    tokens.emplace_back(*token);
    scores_.push_back(*score);
    return ok_status();
  }));
  QUIPU_TRY(vocabulary_, Vocabulary::of(std::move(tokens)));
  return ok_status();
}

Result<std::unique_ptr<Unigram>> Unigram::read(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields({"type", "unk_id", "vocab", "byte_fallback"}));
  std::unique_ptr<Unigram> model(new Unigram());
  QUIPU_TRY_OK(model->read_vocabulary(part));
  QUIPU_TRY(model->byte_fallback_, part.read_bool("byte_fallback", false));
  if (part.find("unk_id").has_value()) {
    QUIPU_TRY(const std::uint64_t id, part.read_number("unk_id", 0));
    if (id >= model->scores_.size()) {
      return part.invalid("unk_id",
                          "below the vocabulary's size, " + std::to_string(model->scores_.size()));
    }
    model->unknown_id_ = static_cast<std::uint32_t>(id);
  }
  double least = std::numeric_limits<double>::infinity();
  for (const double score : model->scores_) least = std::min(least, score);
  model->unknown_score_ = least - kUnknownPenalty;
  if (model->byte_fallback_) model->byte_ids_ = find_byte_tokens(model->vocabulary_);
  return model;
}

// Sums of scores are taken from the word's start, as the reference takes them: equal to the bit.
bool Unigram::tokenize(std::string_view word, Scratch& scratch, std::vector<Piece>& out) const {
  std::vector<Scratch::Best>& best = scratch.best;
  best.assign(word.size() + 1, {0, kNoBegin, 0});
  const auto is_better = [&](std::size_t end, double score) {
    return best[end].begin == kNoBegin || score > best[end].score;
  };
  for (std::size_t begin = 0; begin < word.size();) {
    const double so_far = best[begin].score;
    const std::size_t char_size = decode_utf8(word.data() + begin).size;
    bool has_single = false;
    vocabulary_.trie().for_each_prefix(word.substr(begin), [&](std::size_t size, std::uint32_t id) {
      const double score = scores_[id] + so_far;
      if (is_better(begin + size, score)) {
        best[begin + size] = {score, static_cast<std::uint32_t>(begin), id};
      }
      has_single = has_single || size == char_size;
    });
    const double score = unknown_score_ + so_far;
    if (!has_single && is_better(begin + char_size, score)) {
      if (!unknown_id_.has_value()) return false;
      best[begin + char_size] = {score, static_cast<std::uint32_t>(begin), *unknown_id_};
    }
    begin += char_size;
  }
  // From the end, then turned around: neighbouring unknowns are one.
  const std::size_t first = out.size();
  std::size_t unknown_end = 0;  // of a run of unknowns, 0 when there is none
  const auto finish_unknown = [&](std::size_t begin) {
    if (unknown_end != 0) add_piece(word, begin, unknown_end, out);
    unknown_end = 0;
  };
  for (std::size_t end = word.size(); end > 0; end = best[end].begin) {
    if (unknown_id_.has_value() && best[end].id == *unknown_id_) {
      if (unknown_end == 0) unknown_end = end;
      continue;
    }
    finish_unknown(end);
    add_piece(word, best[end].begin, end, out);
  }
  finish_unknown(0);
  std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
  return true;
}

// In reverse: the pieces are turned around afterwards.
void Unigram::add_piece(std::string_view word, std::size_t begin, std::size_t end,
                        std::vector<Piece>& out) const {
  const std::string_view text = word.substr(begin, end - begin);
  const auto place = static_cast<std::uint32_t>(end);
  if (const std::optional<std::uint32_t> id = vocabulary_.find(text)) {
    out.push_back({*id, place});
    return;
  }
  const bool all_bytes = byte_fallback_ && std::all_of(text.begin(), text.end(), [&](char byte) {
                           return byte_ids_[static_cast<unsigned char>(byte)].has_value();
                         });
  if (!all_bytes) {
    out.push_back({unknown_id_.value_or(0), place});
    return;
  }
  // Every byte's token stands for the whole piece: see Tokenizer, which takes a piece that ends
  // where the one before ended for one of the same bytes.
  for (auto byte = text.rbegin(); byte != text.rend(); ++byte) {
    out.push_back({*byte_ids_[static_cast<unsigned char>(*byte)], place});
  }
}

std::string Unigram::token_text(const Piece& piece, std::string_view bytes) const {
  for (const std::optional<std::uint32_t>& id : byte_ids_) {
    if (id == piece.id && vocabulary_.token(piece.id) != bytes) return vocabulary_.token(piece.id);
  }
  return std::string(bytes);
}

}  // namespace quipu::text
