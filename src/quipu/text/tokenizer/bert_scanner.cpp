#include "quipu/text/tokenizer/bert_scanner.h"

#include <algorithm>

#include "quipu/assert.h"
#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {

// The normalized bytes of one word, and where each came from. While every byte stands at its
// original distance from the word's start, which is usual, no places are kept.
class BertScanner::Word {
 public:
  // Past word_chars_max() only the extent goes on: the word will be unknown as a whole. One more
  // character of at most four bytes fits beyond kWordCharsMax.
  static constexpr std::size_t kBytesMax = (kWordCharsMax + 4) * 4;

  explicit Word(std::size_t chars_max) : chars_max_(chars_max) {}

  [[nodiscard]] bool empty() const noexcept { return chars_ == 0; }
  [[nodiscard]] bool too_long() const noexcept { return chars_ > chars_max_; }
  [[nodiscard]] std::string_view bytes() const noexcept { return {bytes_, size_}; }
  [[nodiscard]] std::uint32_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::uint32_t end() const noexcept { return end_; }
  // Where the character that begins at, or the one that ends before, this byte of bytes() came
  // from.
  [[nodiscard]] std::uint32_t begin_of(std::size_t at) const noexcept {
    return in_place_ ? begin_ + static_cast<std::uint32_t>(at) : begins_[at];
  }
  [[nodiscard]] std::uint32_t end_of(std::size_t at) const noexcept {
    return in_place_ ? begin_ + static_cast<std::uint32_t>(at) : ends_[at - 1];
  }
  void clear() noexcept {
    size_ = 0;
    chars_ = 0;
    in_place_ = true;
  }

  // A run of ASCII word characters, each becoming one byte of `plain`. Returns how many there were.
  std::size_t add_plain(const char* from, const char* to, std::uint32_t at,
                        const std::array<unsigned char, 256>& plain) {
    if (empty()) begin_ = at;
    if (in_place_ && at != begin_ + size_) leave_place();
    const std::size_t room = too_long() ? 0 : chars_max_ + 1 - chars_;
    const char* p = from;
    std::size_t size = size_;
    for (const char* stop = from + std::min<std::size_t>(room, static_cast<std::size_t>(to - from));
         p != stop; ++p) {
      const unsigned char c = plain[static_cast<unsigned char>(*p)];
      if (c == 0) break;
      bytes_[size++] = static_cast<char>(c);
    }
    const std::size_t kept = size - size_;
    if (!in_place_) {
      for (std::size_t i = 0; i < kept; ++i) {
        begins_[size_ + i] = at + static_cast<std::uint32_t>(i);
        ends_[size_ + i] = begins_[size_ + i] + 1;
      }
    }
    size_ = size;
    while (p != to && plain[static_cast<unsigned char>(*p)] != 0) ++p;
    const auto count = static_cast<std::size_t>(p - from);
    chars_ += count;
    end_ = at + static_cast<std::uint32_t>(count);
    return count;
  }

  void add(char32_t c, std::uint32_t begin, std::uint32_t end) {
    if (empty()) begin_ = begin;
    end_ = end;
    ++chars_;
    if (too_long()) return;
    if (in_place_ && (begin != begin_ + size_ || end - begin != utf8_size(c))) leave_place();
    const std::size_t count = write_utf8(bytes_ + size_, c);
    if (!in_place_) {
      std::fill_n(begins_ + size_, count, begin);
      std::fill_n(ends_ + size_, count, end);
    }
    size_ += count;
  }

 private:
  void leave_place() {
    // Only the first byte of a character is asked for its beginning, only the last for its end.
    for (std::size_t i = 0; i < size_; ++i) {
      begins_[i] = begin_ + static_cast<std::uint32_t>(i);
      ends_[i] = begins_[i] + 1;
    }
    in_place_ = false;
  }

  std::size_t chars_max_;
  std::size_t size_ = 0;
  std::size_t chars_ = 0;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  bool in_place_ = true;
  char bytes_[kBytesMax];
  std::uint32_t begins_[kBytesMax];
  std::uint32_t ends_[kBytesMax];
};

BertScanner::BertScanner(const Normalizer& normalizer, const WordPiece& model)
    : normalizer_(normalizer),
      model_(model),
      entries_(std::make_unique<std::atomic<Entry>[]>(kEntries)) {
  const std::vector<NormalizerStep>& steps = normalizer_.steps();
  reorders_ = std::any_of(steps.begin(), steps.end(), [](const NormalizerStep& step) {
    return step.kind == NormalizerKind::kNfd;
  });
  for (char32_t c = 0; c < 128; ++c) {
    const Entry entry = look_up(c);
    const char32_t becomes = entry & 0xFFFFFF;
    // A byte that becomes U+0000 would read as none; it takes the slower way.
    if (static_cast<Kind>(entry >> 24) == Kind::kKeep && becomes < 128) {
      plain_[c] = static_cast<unsigned char>(becomes);
    }
  }
}

BertScanner::Entry BertScanner::look_up(char32_t c) const {
  if (c >= kEntries) return measure(c);
  // Relaxed, pairing with the store below: every thread would store the same number, and it
  // publishes nothing else.
  const Entry known = entries_[c].load(std::memory_order_relaxed);
  if (known != 0) return known;
  const Entry entry = measure(c);
  entries_[c].store(entry, std::memory_order_relaxed);
  return entry;
}

BertScanner::Entry BertScanner::measure(char32_t c) const {
  const UnicodeData& data = UnicodeData::instance();
  AlignedText parts{{c, 0, 1}};
  NormalizerScratch scratch;
  // BERT's steps neither match patterns nor make text long.
  QUIPU_ASSERT(normalizer_.normalize(0, scratch, parts).ok());
  const auto is_space = [&](const AlignedChar& part) { return data.has(part.value, kCharSpace); };
  const auto entry = [](Kind kind, char32_t becomes) {
    return (static_cast<Entry>(kind) << 24) | becomes;
  };
  const bool apart = parts.size() == 3 && is_space(parts.front()) && is_space(parts.back());
  if (apart) parts = {parts[1]};
  if (parts.empty()) return entry(Kind::kDrop, 0);
  for (const AlignedChar& part : parts) {
    if (reorders_ && data.combining_class(part.value) != 0) return entry(Kind::kReorder, 0);
  }
  if (parts.size() == 1) {
    const char32_t only = parts[0].value;
    if (is_space(parts[0])) return entry(Kind::kSpace, 0);
    if (apart || data.has(only, kCharPunctuation)) return entry(Kind::kAlone, only);
    return entry(Kind::kKeep, only);
  }
  const bool joined = std::none_of(parts.begin(), parts.end(), [&](const AlignedChar& part) {
    return is_space(part) || data.has(part.value, kCharPunctuation);
  });
  // What has gaps inside is left to the parts, as if it had to be put in order.
  return entry(joined ? Kind::kParts : Kind::kReorder, c);
}

void BertScanner::finish(Word& word, TokenSink& sink) const {
  if (word.empty()) return;
  const std::size_t before = sink.count();
  const auto add = [&](std::uint32_t id, std::size_t begin, std::size_t end) {
    sink.add(id, word.begin_of(begin), word.end_of(end));
  };
  if (word.too_long() || !model_.split(word.bytes(), add)) {
    sink.roll_back(before);
    sink.add(model_.unknown_id(), word.begin(), word.end());
  }
  word.clear();
}

bool BertScanner::scan(std::string_view text, std::uint32_t base, TokenSink& sink) const {
  const std::size_t before = sink.count();
  Word word(model_.word_chars_max());
  AlignedText parts;
  NormalizerScratch scratch;
  const char* const start = text.data();
  const char* const end = start + text.size();
  for (const char* p = start; p != end;) {
    const auto at = base + static_cast<std::uint32_t>(p - start);
    if (plain_[static_cast<unsigned char>(*p)] != 0) {
      p += word.add_plain(p, end, at, plain_);
      continue;
    }
    const DecodedChar c = decode_utf8(p);
    p += c.size;
    if (is_hangul_syllable(c.value) && reorders_) {
      const HangulJamo jamo = decompose_hangul(c.value);
      for (std::size_t i = 0; i < jamo.count; ++i) word.add(jamo.jamo[i], at, at + c.size);
      continue;
    }
    const Entry entry = look_up(c.value);
    switch (static_cast<Kind>(entry >> 24)) {
      case Kind::kKeep: word.add(entry & 0xFFFFFF, at, at + c.size); break;
      case Kind::kParts:
        parts.assign(1, {c.value, at, at + c.size});
        QUIPU_ASSERT(normalizer_.normalize(at, scratch, parts).ok());
        for (const AlignedChar& part : parts) word.add(part.value, part.begin, part.end);
        break;
      case Kind::kAlone:
        finish(word, sink);
        word.add(entry & 0xFFFFFF, at, at + c.size);
        finish(word, sink);
        break;
      case Kind::kSpace: finish(word, sink); break;
      case Kind::kDrop: break;
      case Kind::kUnknown:
      case Kind::kReorder: sink.roll_back(before); return false;
    }
  }
  finish(word, sink);
  return true;
}

}  // namespace quipu::text
