#include "quipu/text/tokenizer/tokenizer.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>
#include <utility>

#include "quipu/base/json.h"
#include "quipu/text/tokenizer/json_fields.h"
#include "quipu/text/tokenizer/tokenizer_parts.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::size_t kTextBytesMax = 1U << 30;

Status check_text(std::string_view text) {
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
  return ok_status();
}

Status check_version(const JsonPart& root) {
  QUIPU_TRY(const std::string_view version, root.read_string("version", "1.0"));
  if (version != "1.0") return root.unsupported("'" + std::string(version) + "'", "version");
  return ok_status();
}

void clear_encoding(Encoding& out) {
  out.ids.clear();
  out.spans.clear();
  out.type_ids.clear();
  out.template_mask.clear();
  out.second_begin = out.second_end = 0;
  out.token_count = 0;
  out.truncated = false;
}

// Gives the ids that were added since the last call their type and their mark.
void close_piece(const PostProcessor::Piece& piece, Encoding& out) {
  out.spans.resize(out.ids.size());
  out.type_ids.resize(out.ids.size(), piece.type_id);
  out.template_mask.resize(out.ids.size(), static_cast<std::uint8_t>(piece.text < 0));
}

}  // namespace

// Lent to one call at a time. A thread looks first where it left its own, whose caches are warm.
class Tokenizer::ScratchPool {
 public:
  ScratchPool() = default;
  ~ScratchPool() {
    for (std::atomic<Scratch*>& slot : slots_) delete slot.load();
  }
  ScratchPool(const ScratchPool&) = delete;
  ScratchPool& operator=(const ScratchPool&) = delete;

  std::unique_ptr<Scratch> take() {
    const std::size_t first = first_slot();
    for (std::size_t i = 0; i < kSlots; ++i) {
      std::atomic<Scratch*>& slot = slots_[(first + i) % kSlots];
      if (Scratch* const scratch = slot.exchange(nullptr)) return std::unique_ptr<Scratch>(scratch);
    }
    return std::make_unique<Scratch>();
  }
  void give_back(std::unique_ptr<Scratch> scratch) {
    const std::size_t first = first_slot();
    for (std::size_t i = 0; i < kSlots; ++i) {
      Scratch* free = nullptr;
      if (slots_[(first + i) % kSlots].compare_exchange_strong(free, scratch.get())) {
        static_cast<void>(scratch.release());  // The slot owns it now.
        return;
      }
    }
  }

 private:
  static constexpr std::size_t kSlots = 16;
  static std::size_t first_slot() noexcept {
    return std::hash<std::thread::id>{}(std::this_thread::get_id()) % kSlots;
  }
  std::array<std::atomic<Scratch*>, kSlots> slots_{};
};

class Tokenizer::ScratchLease {
 public:
  explicit ScratchLease(ScratchPool& pool) : pool_(pool) {}
  ~ScratchLease() {
    if (scratch_ != nullptr && !scratch_->is_large()) pool_.give_back(std::move(scratch_));
  }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;
  Scratch& get() {
    if (scratch_ == nullptr) scratch_ = pool_.take();
    return *scratch_;
  }

 private:
  ScratchPool& pool_;
  std::unique_ptr<Scratch> scratch_;
};

Tokenizer::Tokenizer() : pool_(std::make_unique<ScratchPool>()) {}
Tokenizer::~Tokenizer() = default;

Result<std::unique_ptr<Tokenizer>> Tokenizer::from_json(std::string_view json) {
  QUIPU_TRY(const JsonDocument document, JsonDocument::parse(json));
  const JsonPart root(document.root(), "");
  if (!root.json().is_object()) {
    return Error{ErrorCode::kInvalidArgument, "tokenizer.json: must be a JSON object"};
  }
  QUIPU_TRY_OK(root.check_fields({"version", "truncation", "padding", "added_tokens", "normalizer",
                                  "pre_tokenizer", "post_processor", "decoder", "model"}));
  QUIPU_TRY_OK(check_version(root));
  auto parts = std::make_unique<Parts>();
  QUIPU_TRY(parts->truncation, Truncation::read(root));
  QUIPU_TRY(parts->normalizer, Normalizer::read(root));
  QUIPU_TRY(parts->pre_tokenizer, PreTokenizer::read(root));
  QUIPU_TRY(parts->model, TokenModel::read(root));
  QUIPU_TRY(parts->added, AddedTokens::read(root, *parts->model, parts->normalizer));
  QUIPU_TRY(parts->post_processor, PostProcessor::read(root));
  parts->make_edges();
  const WordPiece* word_piece = parts->model->as_word_piece();
  if (word_piece != nullptr && BertScanner::usable(*word_piece) && parts->normalizer.is_bert() &&
      parts->pre_tokenizer.is_bert() && parts->added.normalized.empty() &&
      parts->post_processor.trims().empty()) {
    parts->bert = std::make_unique<BertScanner>(parts->normalizer, *word_piece);
  }
  std::unique_ptr<Tokenizer> tokenizer(new Tokenizer());
  tokenizer->parts_ = std::move(parts);
  return tokenizer;
}

Status Tokenizer::encode(std::string_view text, const EncodeParams& params, Encoding& out) const {
  return encode_with(text, params, false, out);
}

Status Tokenizer::encode_by_parts(std::string_view text, const EncodeParams& params,
                                  Encoding& out) const {
  return encode_with(text, params, true, out);
}

Status Tokenizer::add_sequence(std::string_view text, bool by_parts, ScratchLease& lease,
                               TokenSink& sink) const {
  std::vector<AddedTokenFinder::Found> found;
  parts_->added.raw.find(text, found);
  const auto add_between = [&](std::size_t begin, std::size_t end) -> Status {
    if (begin >= end) return ok_status();
    const std::string_view stretch = text.substr(begin, end - begin);
    const auto base = static_cast<std::uint32_t>(begin);
    const BertScanner* const scanner = by_parts ? nullptr : parts_->bert.get();
    if (scanner != nullptr && scanner->scan(stretch, base, sink)) return ok_status();
    return parts_->add_text(stretch, base, by_parts, lease.get(), sink);
  };
  std::size_t cursor = 0;
  for (const AddedTokenFinder::Found& token : found) {
    QUIPU_TRY_OK(add_between(cursor, token.begin));
    sink.add(token.id, static_cast<std::uint32_t>(token.begin),
             static_cast<std::uint32_t>(token.end));
    if (sink.wants_edges()) {
      sink.note_edges(count_edges(text.substr(token.begin, token.end - token.begin)));
    }
    cursor = token.end;
  }
  return add_between(cursor, text.size());
}

Status Tokenizer::encode_with(std::string_view text, const EncodeParams& params, bool by_parts,
                              Encoding& out) const {
  clear_encoding(out);
  QUIPU_TRY_OK(check_text(text));
  const std::uint32_t around = params.template_tokens ? template_token_count() : 0;
  const std::uint32_t room = params.tokens_max > around ? params.tokens_max - around : 0;
  const bool left = params.side.value_or(parts_->truncation.side) == TruncationSide::kLeft;
  const bool trims = !parts_->post_processor.trims().empty();
  ScratchLease lease(*pool_);
  for (const PostProcessor::Piece& piece : parts_->post_processor.single()) {
    if (piece.text < 0) {
      if (params.template_tokens) {
        out.ids.insert(out.ids.end(), piece.ids.begin(), piece.ids.end());
      }
      close_piece(piece, out);
      continue;
    }
    const auto begin = static_cast<std::ptrdiff_t>(out.ids.size());
    TokenSink sink(out.ids, out.spans, left ? std::numeric_limits<std::size_t>::max() : room);
    std::vector<TokenEdges>* const edges = trims ? &lease.get().sides[0].edges : nullptr;
    if (trims) edges->clear();
    sink.want_edges(edges);
    const Status status = add_sequence(text, by_parts, lease, sink);
    if (!status.ok()) {
      clear_encoding(out);
      return status.error();
    }
    out.token_count = static_cast<std::uint32_t>(sink.count()) + around;
    const std::size_t excess = left && sink.count() > room ? sink.count() - room : 0;
    out.ids.erase(out.ids.begin() + begin,
                  out.ids.begin() + begin + static_cast<std::ptrdiff_t>(excess));
    out.spans.erase(out.spans.begin() + begin,
                    out.spans.begin() + begin + static_cast<std::ptrdiff_t>(excess));
    if (trims) {
      parts_->trim(text, std::span(*edges).subspan(excess),
                   std::span(out.spans).subspan(static_cast<std::size_t>(begin)));
    }
    close_piece(piece, out);
  }
  out.truncated = out.token_count > out.ids.size();
  return ok_status();
}

Status Tokenizer::encode_pair(std::string_view first, std::string_view second,
                              const EncodeParams& params, Encoding& out) const {
  clear_encoding(out);
  const PostProcessor& post = parts_->post_processor;
  if (post.pair().empty()) {
    return Error{ErrorCode::kUnimplemented,
                 "the tokenizer's template for pairs does not hold each text once",
                 "tokenizer_unsupported"};
  }
  ScratchLease lease(*pool_);
  const std::string_view texts[] = {first, second};
  const TruncationSide side = params.side.value_or(parts_->truncation.side);
  const bool trims = !post.trims().empty();
  for (std::size_t i = 0; i < 2; ++i) {
    QUIPU_TRY_OK(check_text(texts[i]));
    Scratch::Side& own = lease.get().sides[i];
    own = {};
    TokenSink sink(own.ids, own.spans, std::numeric_limits<std::size_t>::max());
    sink.want_edges(trims ? &own.edges : nullptr);
    QUIPU_TRY_OK(add_sequence(texts[i], false, lease, sink));
  }
  const std::uint32_t around = params.template_tokens ? pair_template_token_count() : 0;
  const std::size_t room = params.tokens_max > around ? params.tokens_max - around : 0;
  QUIPU_TRY(const PairSizes sizes,
            truncated_sizes({lease.get().sides[0].ids.size(), lease.get().sides[1].ids.size()},
                            room, params.strategy.value_or(parts_->truncation.strategy)));
  for (const PostProcessor::Piece& piece : post.pair()) {
    if (piece.text < 0) {
      if (params.template_tokens) {
        out.ids.insert(out.ids.end(), piece.ids.begin(), piece.ids.end());
      }
      close_piece(piece, out);
      continue;
    }
    Scratch::Side& own = lease.get().sides[piece.text];
    const std::size_t kept = piece.text == 0 ? sizes.first : sizes.second;
    const std::size_t from = side == TruncationSide::kLeft ? own.ids.size() - kept : 0;
    const std::span<TokenSpan> spans = std::span(own.spans).subspan(from, kept);
    if (trims) parts_->trim(texts[piece.text], std::span(own.edges).subspan(from, kept), spans);
    const auto begin = own.ids.begin() + static_cast<std::ptrdiff_t>(from);
    if (piece.text == 1) out.second_begin = static_cast<std::uint32_t>(out.ids.size());
    out.ids.insert(out.ids.end(), begin, begin + static_cast<std::ptrdiff_t>(kept));
    out.spans.insert(out.spans.end(), spans.begin(), spans.end());
    if (piece.text == 1) out.second_end = static_cast<std::uint32_t>(out.ids.size());
    close_piece(piece, out);
  }
  const Scratch& scratch = lease.get();
  out.token_count =
      static_cast<std::uint32_t>(scratch.sides[0].ids.size() + scratch.sides[1].ids.size()) +
      around;
  out.truncated = out.token_count > out.ids.size();
  return ok_status();
}

std::uint32_t Tokenizer::template_token_count() const noexcept {
  return PostProcessor::added(parts_->post_processor.single());
}

std::uint32_t Tokenizer::pair_template_token_count() const noexcept {
  return PostProcessor::added(parts_->post_processor.pair());
}

std::uint32_t Tokenizer::ids_end() const noexcept {
  return std::max({parts_->model->vocabulary().ids_end(), parts_->added.ids_end,
                   parts_->post_processor.ids_end()});
}

std::string Tokenizer::token(std::uint32_t id) const {
  std::string added = parts_->added.token(id);
  return added.empty() ? parts_->model->vocabulary().token(id) : added;
}

}  // namespace quipu::text
