#include "quipu/text/tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "quipu/base/json.h"
#include "quipu/text/tokenizer/added_tokens.h"
#include "quipu/text/tokenizer/bert_scanner.h"
#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/tokenizer/normalizer.h"
#include "quipu/text/tokenizer/post_processor.h"
#include "quipu/text/tokenizer/pre_tokenizer.h"
#include "quipu/text/tokenizer/token_model.h"
#include "quipu/text/unicode/aligned_text.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::size_t kTextBytesMax = 1U << 30;

Status check_truncation(JsonView root) {
  const std::optional<JsonView> truncation = root.find("truncation");
  if (!truncation.has_value() || truncation->is_null()) return ok_status();
  // The length is overridden, the side is how the model was trained.
  QUIPU_TRY(const std::string_view direction, read_string(*truncation, "direction", "Right"));
  if (direction != "Right") return unimplemented("truncation with direction", direction);
  return ok_status();
}

JsonView part_of(JsonView root, std::string_view name, JsonView null_view) {
  const std::optional<JsonView> found = root.find(name);
  return found.has_value() ? *found : null_view;
}

// Calls token(begin, end, id) for each added token and text(begin, end) for what is between them.
template <typename OnToken, typename OnText>
void for_each_stretch(const std::vector<AddedTokenFinder::Found>& found, std::size_t size,
                      OnToken on_token, OnText on_text) {
  std::size_t cursor = 0;
  for (const AddedTokenFinder::Found& token : found) {
    if (cursor < token.begin) on_text(cursor, token.begin);
    on_token(token.begin, token.end, token.id);
    cursor = token.end;
  }
  if (cursor < size) on_text(cursor, size);
}

}  // namespace

struct Tokenizer::Parts {
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<TokenModel> model;
  AddedTokens added;
  PostProcessor post_processor;
  std::unique_ptr<BertScanner> bert;  // null when the parts are not BERT's

  // What a thread needs to go by parts; made for each call of encode() that does.
  struct Scratch {
    AlignedText chars;
    std::string bytes;                 // of `chars`
    std::vector<std::size_t> char_at;  // byte of `bytes` to index in `chars`
    std::vector<AddedTokenFinder::Found> found;
    std::vector<PreTokenizer::Range> words;
    std::vector<TokenModel::Piece> pieces;
    std::string word;
    std::vector<std::size_t> char_ends;  // byte ends of the word's characters
  };

  void add_text(std::string_view text, std::uint32_t base, Scratch& scratch, TokenSink& sink) const;
  void add_words(std::span<const AlignedChar> chars, Scratch& scratch, TokenSink& sink) const;
  void add_word(std::span<const AlignedChar> chars, Scratch& scratch, TokenSink& sink) const;
};

Tokenizer::Tokenizer() = default;
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_json(std::string_view json) {
  QUIPU_TRY(const JsonDocument document, JsonDocument::parse(json));
  QUIPU_TRY(const JsonDocument null_document, JsonDocument::parse("null"));
  const JsonView root = document.root();
  if (!root.is_object()) return invalid_field("tokenizer.json", "a JSON object");
  QUIPU_TRY_OK(check_fields(root, "tokenizer.json",
                            {"version", "truncation", "padding", "added_tokens", "normalizer",
                             "pre_tokenizer", "post_processor", "decoder", "model"}));
  QUIPU_TRY_OK(check_truncation(root));
  const auto part = [&](std::string_view name) {
    return part_of(root, name, null_document.root());
  };
  auto parts = std::make_unique<Parts>();
  QUIPU_TRY(parts->normalizer, Normalizer::read(part("normalizer")));
  QUIPU_TRY(parts->pre_tokenizer, PreTokenizer::read(part("pre_tokenizer")));
  QUIPU_TRY(parts->model, TokenModel::read(part("model")));
  QUIPU_TRY(parts->added,
            AddedTokens::read(part("added_tokens"), *parts->model, parts->normalizer));
  QUIPU_TRY(parts->post_processor, PostProcessor::read(part("post_processor")));
  const WordPiece* word_piece = parts->model->as_word_piece();
  if (word_piece != nullptr && BertScanner::usable(*word_piece) && parts->normalizer.is_bert() &&
      parts->pre_tokenizer.is_bert() && parts->added.normalized.empty()) {
    parts->bert = std::make_unique<BertScanner>(parts->normalizer, *word_piece);
  }
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer());
  tokenizer->parts_ = std::move(parts);
  return tokenizer;
}

void Tokenizer::Parts::add_word(std::span<const AlignedChar> chars, Scratch& scratch,
                                TokenSink& sink) const {
  scratch.word.clear();
  scratch.char_ends.clear();
  scratch.pieces.clear();
  for (const AlignedChar& c : chars) {
    append_utf8(scratch.word, c.value);
    scratch.char_ends.push_back(scratch.word.size());
  }
  model->tokenize(scratch.word, scratch.pieces);
  std::size_t first = 0;  // the character that the next piece begins with
  for (const TokenModel::Piece& piece : scratch.pieces) {
    std::size_t last = first;
    while (scratch.char_ends[last] < piece.end) ++last;
    sink.add(piece.id, chars[first].begin, chars[last].end);
    first = last + 1;
  }
}

void Tokenizer::Parts::add_words(std::span<const AlignedChar> chars, Scratch& scratch,
                                 TokenSink& sink) const {
  pre_tokenizer.split(chars, scratch.words);
  for (const PreTokenizer::Range& word : scratch.words) {
    add_word(chars.subspan(word.begin, word.end - word.begin), scratch, sink);
  }
}

void Tokenizer::Parts::add_text(std::string_view text, std::uint32_t base, Scratch& scratch,
                                TokenSink& sink) const {
  decode_aligned(text, base, scratch.chars);
  normalizer.normalize(scratch.chars);
  const std::span<const AlignedChar> chars = scratch.chars;
  if (added.normalized.empty()) {
    add_words(chars, scratch, sink);
    return;
  }
  scratch.bytes.clear();
  scratch.char_at.clear();
  for (std::size_t i = 0; i < chars.size(); ++i) {
    append_utf8(scratch.bytes, chars[i].value);
    scratch.char_at.resize(scratch.bytes.size(), i);
  }
  scratch.char_at.push_back(chars.size());
  added.normalized.find(scratch.bytes, scratch.found);
  const std::vector<AddedTokenFinder::Found> found = scratch.found;
  for_each_stretch(
      found, scratch.bytes.size(),
      [&](std::size_t begin, std::size_t end, std::uint32_t id) {
        sink.add(id, chars[scratch.char_at[begin]].begin, chars[scratch.char_at[end] - 1].end);
      },
      [&](std::size_t begin, std::size_t end) {
        const std::size_t first = scratch.char_at[begin];
        add_words(chars.subspan(first, scratch.char_at[end] - first), scratch, sink);
      });
}

Status Tokenizer::encode(std::string_view text, const EncodeParams& params, Encoding& out) const {
  return encode_with(text, params, parts_->bert.get(), out);
}

Status Tokenizer::encode_by_parts(std::string_view text, const EncodeParams& params,
                                  Encoding& out) const {
  return encode_with(text, params, nullptr, out);
}

Status Tokenizer::encode_with(std::string_view text, const EncodeParams& params,
                              const BertScanner* scanner, Encoding& out) const {
  out.ids.clear();
  out.spans.clear();
  if (text.size() >= kTextBytesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 "the text has " + std::to_string(text.size()) + " bytes; the limit is " +
                     std::to_string(kTextBytesMax - 1),
                 "text_too_large"};
  }
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return Error{ErrorCode::kInvalidArgument,
                 "the text is not UTF-8: byte " + std::to_string(bad) + " begins no character",
                 "invalid_utf8"};
  }
  const PostProcessor& post = parts_->post_processor;
  const std::uint32_t around = params.template_tokens ? template_token_count() : 0;
  const std::uint32_t room = params.tokens_max > around ? params.tokens_max - around : 0;
  const auto add_template = [&](const std::vector<std::uint32_t>& ids) {
    if (!params.template_tokens) return;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.spans.resize(out.ids.size());
  };
  add_template(post.before());
  TokenSink sink(out.ids, out.spans, room);
  std::vector<AddedTokenFinder::Found> found;
  parts_->added.raw.find(text, found);
  Parts::Scratch scratch;
  for_each_stretch(
      found, text.size(),
      [&](std::size_t begin, std::size_t end, std::uint32_t id) {
        sink.add(id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end));
      },
      [&](std::size_t begin, std::size_t end) {
        const std::string_view stretch = text.substr(begin, end - begin);
        const auto base = static_cast<std::uint32_t>(begin);
        if (scanner != nullptr && scanner->scan(stretch, base, sink)) return;
        parts_->add_text(stretch, base, scratch, sink);
      });
  add_template(post.after());
  out.token_count = static_cast<std::uint32_t>(sink.count()) + around;
  out.truncated = out.token_count > out.ids.size();
  return ok_status();
}

std::uint32_t Tokenizer::template_token_count() const noexcept {
  const PostProcessor& post = parts_->post_processor;
  return static_cast<std::uint32_t>(post.before().size() + post.after().size());
}

std::uint32_t Tokenizer::ids_end() const noexcept {
  return std::max(
      {parts_->model->ids_end(), parts_->added.ids_end, parts_->post_processor.ids_end()});
}

}  // namespace quipu::text
