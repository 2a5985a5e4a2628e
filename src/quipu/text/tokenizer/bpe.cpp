#include "quipu/text/tokenizer/bpe.h"

#include <algorithm>
#include <bit>

#include "quipu/text/tokenizer/byte_tokens.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

constexpr std::size_t kMergesMax = 4'000'000;
// Up to so many tokens all pairs are looked at for each merge, which a heap is slower than.
constexpr std::size_t kFewSymbols = 48;
constexpr std::uint32_t kNoSymbol = 0xFFFFFFFF;
constexpr std::string_view kWordMark = "\xE2\x96\x81";  // U+2581

char32_t last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && is_utf8_continuation(text[at])) --at;
  return decode_utf8(text.data() + at).value;
}

}  // namespace

void MergeTable::reserve(std::size_t count) {
  const std::size_t slots = std::bit_ceil(std::max<std::size_t>(count, 1) * 2);
  slots_.assign(slots, Slot{});
  shift_ = 64 - std::countr_zero(slots);
}

void MergeTable::insert(std::uint32_t first, std::uint32_t second, Merge merge) {
  const std::uint64_t key = (static_cast<std::uint64_t>(first) << 32) | second;
  std::size_t at = place_of(key);
  while (slots_[at].key != kFree && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, merge};
}

Status Bpe::read_options(const JsonPart& part) {
  QUIPU_TRY_OK(part.check_fields({"type", "dropout", "unk_token", "continuing_subword_prefix",
                                  "end_of_word_suffix", "fuse_unk", "byte_fallback",
                                  "ignore_merges", "vocab", "merges"}));
  if (const std::optional<JsonPart> dropout = part.find("dropout")) {
    if (dropout->json().as_double() != 0.0) {
      return part.unsupported("a dropout, which makes tokens random,", "dropout");
    }
  }
  has_unknown_ = part.find("unk_token").has_value();
  QUIPU_TRY(const std::string_view unknown, part.read_string("unk_token", ""));
  QUIPU_TRY(const std::string_view prefix, part.read_string("continuing_subword_prefix", ""));
  QUIPU_TRY(const std::string_view suffix, part.read_string("end_of_word_suffix", ""));
  prefix_ = prefix;
  suffix_ = suffix;
  QUIPU_TRY(fuse_unknown_, part.read_bool("fuse_unk", false));
  QUIPU_TRY(byte_fallback_, part.read_bool("byte_fallback", false));
  QUIPU_TRY(ignore_merges_, part.read_bool("ignore_merges", false));
  if (byte_fallback_ && !(prefix_.empty() && suffix_.empty())) {
    return part.unsupported("with a prefix or a suffix of words it", "byte_fallback");
  }
  QUIPU_TRY(vocabulary_, Vocabulary::read(part));
  if (has_unknown_) unknown_id_ = vocabulary_.find(unknown);
  if (byte_fallback_) byte_ids_ = find_byte_tokens(vocabulary_);
  for (char32_t c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    ascii_ids_[c] = vocabulary_.find({&byte, 1}).value_or(DoubleArray::npos());
  }
  return ok_status();
}

Status Bpe::add_merge(const JsonPart& entry, std::string_view first, std::string_view second,
                      std::uint32_t rank) {
  const auto known = [&](std::string_view token) -> Result<std::uint32_t> {
    if (const std::optional<std::uint32_t> id = vocabulary_.find(token)) return *id;
    return entry.invalid("",
                         "of tokens of the vocabulary, which lacks '" + std::string(token) + "'");
  };
  QUIPU_TRY(const std::uint32_t first_id, known(first));
  QUIPU_TRY(const std::uint32_t second_id, known(second));
  if (second.size() < prefix_.size()) {
    return entry.invalid("", "of a second token that has the continuing_subword_prefix");
  }
  QUIPU_TRY(const std::uint32_t merged,
            known(std::string(first) + std::string(second.substr(prefix_.size()))));
  merges_.insert(first_id, second_id, {rank, merged});
  if (second.starts_with(kWordMark)) no_cut_behind_.insert(last_character(first));
  return ok_status();
}

// Both spellings: ["a b", ...] and [["a", "b"], ...].
Status Bpe::read_merges(const JsonPart& part) {
  const std::optional<JsonPart> list = part.find("merges");
  if (list.has_value()) merges_.reserve(std::min(list->json().size(), kMergesMax));
  std::uint32_t rank = 0;
  return part.for_each("merges", kMergesMax, [&](const JsonPart& entry) -> Status {
    if (const std::optional<std::string_view> text = entry.json().as_string()) {
      if (text->starts_with("#version")) return ok_status();
      const std::size_t space = text->find(' ');
      if (space == text->npos || text->find(' ', space + 1) != text->npos) {
        return entry.invalid("", "two tokens and a space between them");
      }
      return add_merge(entry, text->substr(0, space), text->substr(space + 1), rank++);
    }
    std::vector<std::string_view> pair;
    if (entry.json().size() == 2) {
      entry.json().for_each_element([&](JsonView token) {
        if (const std::optional<std::string_view> text = token.as_string()) pair.push_back(*text);
        return true;
      });
    }
    if (pair.size() != 2) return entry.invalid("", "two tokens");
    return add_merge(entry, pair[0], pair[1], rank++);
  });
}

Result<std::unique_ptr<Bpe>> Bpe::read(const JsonPart& part) {
  std::unique_ptr<Bpe> model(new Bpe());
  QUIPU_TRY_OK(model->read_options(part));
  QUIPU_TRY_OK(model->read_merges(part));
  // Unknown characters may be fused into one token across a cut where the mark itself is unknown;
  // a whole word that is a token is not what its parts give where merges are ignored.
  model->cuts_ = model->prefix_.empty() && model->suffix_.empty() && !model->ignore_merges_ &&
                 model->vocabulary_.find(kWordMark).has_value();
  return model;
}

std::optional<std::uint32_t> Bpe::character_id(std::string_view character, bool is_first,
                                               bool is_last, std::string& bytes) const {
  const bool prefixed = !is_first && !prefix_.empty();
  const bool suffixed = is_last && !suffix_.empty();
  if (!prefixed && !suffixed) {
    if (character.size() > 1) return vocabulary_.find(character);
    const std::uint32_t id = ascii_ids_[static_cast<unsigned char>(character[0])];
    return id == DoubleArray::npos() ? std::nullopt : std::optional(id);
  }
  bytes.clear();
  if (prefixed) bytes += prefix_;
  bytes += character;
  if (suffixed) bytes += suffix_;
  return vocabulary_.find(bytes);
}

bool Bpe::split_characters(std::string_view word, Scratch& scratch) const {
  std::vector<Scratch::Symbol>& symbols = scratch.symbols;
  symbols.clear();
  const auto add = [&](std::uint32_t id, std::size_t size) {
    symbols.push_back({id, static_cast<std::uint32_t>(size), 0, 0});
  };
  std::size_t unknown_size = 0;  // of an unknown token that is not added yet
  const auto add_unknown = [&] {
    if (unknown_size != 0) add(*unknown_id_, unknown_size);
    unknown_size = 0;
  };
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t size = decode_utf8(word.data() + at).size;
    const std::string_view character = word.substr(at, size);
    const bool is_first = at == 0;
    at += size;
    const std::optional<std::uint32_t> id =
        character_id(character, is_first, at == word.size(), scratch.bytes);
    if (id.has_value()) {
      add_unknown();
      add(*id, size);
      continue;
    }
    const bool all_bytes =
        byte_fallback_ && std::all_of(character.begin(), character.end(), [&](char byte) {
          return byte_ids_[static_cast<unsigned char>(byte)].has_value();
        });
    if (all_bytes) {  // An unknown token that waits goes on waiting, as in the reference.
      for (const char byte : character) add(*byte_ids_[static_cast<unsigned char>(byte)], 1);
      continue;
    }
    if (!has_unknown_) continue;  // The character is dropped.
    if (!unknown_id_.has_value()) return false;
    if (!fuse_unknown_) add_unknown();
    unknown_size += size;
  }
  add_unknown();
  return true;
}

void Bpe::merge_few(std::vector<Scratch::Symbol>& symbols) const {
  std::array<MergeTable::Merge, kFewSymbols> merges;  // of a symbol with the one behind it
  std::size_t count = symbols.size();
  for (std::size_t i = 0; i + 1 < count; ++i) {
    merges[i] = merges_.find(symbols[i].id, symbols[i + 1].id);
  }
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == MergeTable::kNone) break;
    symbols[best].id = merges[best].id;
    symbols[best].size += symbols[best + 1].size;
    --count;
    for (std::size_t i = best + 1; i < count; ++i) {
      symbols[i] = symbols[i + 1];
      merges[i - 1] = merges[i];
    }
    if (best + 1 < count) {
      merges[best] = merges_.find(symbols[best].id, symbols[best + 1].id);
    }
    if (best > 0) merges[best - 1] = merges_.find(symbols[best - 1].id, symbols[best].id);
  }
  symbols.resize(count);
}

// A heap of the merges that are possible, those of low rank and then those further left first.
void Bpe::merge_many(Scratch& scratch) const {
  std::vector<Scratch::Symbol>& symbols = scratch.symbols;
  std::vector<Scratch::Merge>& heap = scratch.merges;
  const auto later = [](const Scratch::Merge& a, const Scratch::Merge& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.at > b.at;
  };
  heap.clear();
  const auto count = static_cast<std::uint32_t>(symbols.size());
  const auto offer = [&](std::uint32_t at, std::uint32_t next) {
    const MergeTable::Merge merge = merges_.find(symbols[at].id, symbols[next].id);
    if (merge.rank == MergeTable::kNone) return false;
    heap.push_back({merge.rank, at, merge.id});
    return true;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    symbols[i].previous = i == 0 ? kNoSymbol : i - 1;
    symbols[i].next = i + 1 == count ? kNoSymbol : i + 1;
    if (i + 1 < count) offer(i, i + 1);
  }
  std::make_heap(heap.begin(), heap.end(), later);
  const auto push = [&](std::uint32_t at, std::uint32_t next) {
    if (offer(at, next)) std::push_heap(heap.begin(), heap.end(), later);
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), later);
    const Scratch::Merge top = heap.back();
    heap.pop_back();
    Scratch::Symbol& symbol = symbols[top.at];
    if (symbol.size == 0 || symbol.next == kNoSymbol) continue;
    Scratch::Symbol& right = symbols[symbol.next];
    const MergeTable::Merge now = merges_.find(symbol.id, right.id);
    if (now.rank == MergeTable::kNone || now.id != top.id) continue;  // of what was there before
    symbol.id = top.id;
    symbol.size += right.size;
    symbol.next = right.next;
    right.size = 0;
    if (symbol.next != kNoSymbol) symbols[symbol.next].previous = top.at;
    if (symbol.previous != kNoSymbol) push(symbol.previous, top.at);
    if (symbol.next != kNoSymbol) push(top.at, symbol.next);
  }
  std::erase_if(symbols, [](const Scratch::Symbol& symbol) { return symbol.size == 0; });
}

bool Bpe::tokenize(std::string_view word, Scratch& scratch, std::vector<Piece>& out) const {
  if (ignore_merges_) {
    if (const std::optional<std::uint32_t> id = vocabulary_.find(word)) {
      out.push_back({*id, static_cast<std::uint32_t>(word.size())});
      return true;
    }
  }
  if (!split_characters(word, scratch)) return false;
  if (scratch.symbols.size() <= kFewSymbols) {
    merge_few(scratch.symbols);
  } else {
    merge_many(scratch);
  }
  std::uint32_t end = 0;
  for (const Scratch::Symbol& symbol : scratch.symbols) {
    end += symbol.size;
    out.push_back({symbol.id, end});
  }
  return true;
}

std::size_t Bpe::next_cut(std::string_view word, std::size_t from) const noexcept {
  if (!cuts_) return word.size();
  for (std::size_t at = word.find(kWordMark, from + 1); at != word.npos;
       at = word.find(kWordMark, at + 1)) {
    if (no_cut_behind_.count(last_character(word.substr(0, at))) == 0) return at;
  }
  return word.size();
}

}  // namespace quipu::text
