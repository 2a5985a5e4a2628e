// Goal: words are cut as UAX #29 says, whatever the bytes.
// Method: Unicode's own test file; a twin that decides each boundary by the rules as they are
// written, over random strings of one character for each class.
#include "quipu/text/analysis/word_breaker.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/text/analysis/lossy_utf8.h"
#include "quipu/text/analysis/tables.h"

namespace quipu::text::analysis {
namespace {

using W = WordClass;

std::vector<std::size_t> boundaries(std::string_view text) {
  std::vector<std::size_t> out = {0};
  while (out.back() < text.size()) {
    const std::size_t end = word_end(text, out.back());
    if (end <= out.back() || end > text.size()) {
      ADD_FAILURE() << "from " << out.back() << " to " << end;
      break;
    }
    out.push_back(end);
  }
  return out;
}

// A line of WordBreakTest.txt: code points, with ÷ where there is a boundary and × where not.
void check_line(const std::string& line) {
  std::string text;
  std::vector<std::size_t> expected;
  for (std::size_t at = 0; at < line.size();) {
    const std::size_t end = std::min(line.find(' ', at), line.size());
    const std::string piece = line.substr(at, end - at);
    if (piece == "÷") {
      expected.push_back(text.size());
    } else if (piece != "×" && !piece.empty()) {
      append_utf8(text, static_cast<char32_t>(std::stoul(piece, nullptr, 16)));
    }
    at = end + 1;
  }
  EXPECT_EQ(boundaries(text), expected) << line;
}

TEST(WordBreaker, PassesUnicodesOwnTest) {
  std::ifstream file(QUIPU_UNICODE_DIR "/auxiliary/WordBreakTest.txt");
  std::string line;
  int count = 0;
  while (std::getline(file, line)) {
    line.resize(std::min(line.find('#'), line.size()));
    while (!line.empty() && (line.back() == '\t' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    check_line(line);
    ++count;
  }
  EXPECT_GE(count, 1800);
}

struct TwinChar {
  W word_class;
  bool pictographic;
};

// The rules, one after the other, on the characters before and after position `at`.
class Twin {
 public:
  explicit Twin(std::vector<TwinChar> text) : text_(std::move(text)) {}

  [[nodiscard]] bool boundary(std::size_t at) const {
    if (at == 0 || at == text_.size()) return true;  // WB1, 2
    const W before = text_[at - 1].word_class;
    const W after = text_[at].word_class;
    if (before == W::kCr && after == W::kLf) return false;                // WB3
    if (is_line_end(before) || is_line_end(after)) return true;           // WB3a, 3b
    if (before == W::kZwj && text_[at].pictographic) return false;        // WB3c
    if (before == W::kWSegSpace && after == W::kWSegSpace) return false;  // WB3d
    if (is_mark(after)) return false;                                     // WB4
    return boundary_without_marks(at);
  }

 private:
  static bool is_line_end(W w) { return w == W::kCr || w == W::kLf || w == W::kNewline; }
  static bool is_mark(W w) { return w == W::kExtend || w == W::kFormat || w == W::kZwj; }
  static bool is_letter(W w) { return w == W::kALetter || w == W::kHebrewLetter; }
  static bool is_mid_q(W w) { return w == W::kMidNumLet || w == W::kSingleQuote; }
  static bool is_mid_letter(W w) { return w == W::kMidLetter || is_mid_q(w); }
  static bool is_mid_num(W w) { return w == W::kMidNum || is_mid_q(w); }

  // The nth character that is no mark, leftwards from `at`, marks at the text's or a line's begin
  // counting as characters; kOther where there is none.
  [[nodiscard]] W left(std::size_t at, int n) const {
    for (std::size_t i = at; i-- > 0;) {
      const W w = text_[i].word_class;
      const bool attached = is_mark(w) && i > 0 && !is_line_end(text_[i - 1].word_class);
      if (attached) continue;
      if (n-- == 0) return is_mark(w) ? W::kOther : w;
    }
    return W::kOther;
  }
  [[nodiscard]] W right(std::size_t at, int n) const {
    for (std::size_t i = at; i < text_.size(); ++i) {
      if (is_mark(text_[i].word_class) && i > at) continue;
      if (n-- == 0) return text_[i].word_class;
    }
    return W::kOther;
  }
  [[nodiscard]] int flags_before(std::size_t at) const {
    int count = 0;
    while (left(at, count) == W::kRegionalIndicator) ++count;
    return count;
  }

  [[nodiscard]] bool boundary_without_marks(std::size_t at) const {
    const W a = left(at, 1), b = left(at, 0), c = right(at, 0), d = right(at, 1);
    if (is_letter(b) && is_letter(c)) return false;                      // WB5
    if (is_letter(b) && is_mid_letter(c) && is_letter(d)) return false;  // WB6
    if (is_letter(a) && is_mid_letter(b) && is_letter(c)) return false;  // WB7
    if (b == W::kHebrewLetter && c == W::kSingleQuote) return false;     // WB7a
    const bool quoted = c == W::kDoubleQuote && d == W::kHebrewLetter;
    if (b == W::kHebrewLetter && quoted) return false;  // WB7b
    const bool quoting = a == W::kHebrewLetter && b == W::kDoubleQuote;
    if (quoting && c == W::kHebrewLetter) return false;                       // WB7c
    if (b == W::kNumeric && c == W::kNumeric) return false;                   // WB8
    if (is_letter(b) && c == W::kNumeric) return false;                       // WB9
    if (b == W::kNumeric && is_letter(c)) return false;                       // WB10
    if (a == W::kNumeric && is_mid_num(b) && c == W::kNumeric) return false;  // WB11
    if (b == W::kNumeric && is_mid_num(c) && d == W::kNumeric) return false;  // WB12
    if (b == W::kKatakana && c == W::kKatakana) return false;                 // WB13
    const bool word = is_letter(b) || b == W::kNumeric || b == W::kKatakana;
    if ((word || b == W::kExtendNumLet) && c == W::kExtendNumLet) return false;  // WB13a
    const bool next = is_letter(c) || c == W::kNumeric || c == W::kKatakana;
    if (b == W::kExtendNumLet && next) return false;                            // WB13b
    if (c == W::kRegionalIndicator && flags_before(at) % 2 == 1) return false;  // WB15, 16
    return true;                                                                // WB999
  }

  std::vector<TwinChar> text_;
};

// One of each class, several of those that act on others, and bytes that are no character.
const std::vector<std::string>& samples() {
  static const std::vector<std::string> all = {
      "\r",     "\n",     "\u0085", "\u0308", "\u200D", "\u00AD",  "\U0001F1E6", "a",
      "\u05D0", "\u30AB", "1",      ":",      ",",      ".",       "_",          "'",
      "\"",     " ",      "!",      "\u4E00", "\u3042", "\u0E01",  "\U0001F600", "\u2139",
      "\u24C2", "é",      "\u200D", "\u0308", "\xFF",   "\xE2\x82"};
  return all;
}

TEST(WordBreaker, EqualsTheRulesAsTheyAreWritten) {
  Rng rng(test_seed());
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    std::vector<TwinChar> chars;
    std::vector<std::size_t> offsets = {0};
    for (std::uint64_t count = 1 + rng.below(12); count > 0; --count) {
      // A truncated sequence takes no byte of what follows: all of them begin a character.
      const std::string& sample = samples()[rng.below(samples().size())];
      const DecodedChar c = decode_lossy(sample.data(), sample.data() + sample.size());
      ASSERT_EQ(c.size, sample.size());
      const CharKind& kind = char_kind(c.value);
      chars.push_back({kind.word_class, (kind.flags & kCharPictographic) != 0});
      text += sample;
      offsets.push_back(text.size());
    }
    std::vector<std::size_t> expected;
    const Twin twin(chars);
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (twin.boundary(i)) expected.push_back(offsets[i]);
    }
    ASSERT_EQ(boundaries(text), expected) << ::testing::PrintToString(text);
  }
}

TEST(LossyUtf8, AgreesWithTheCheckAndTakesMaximalSubparts) {
  const auto sizes = [](std::string_view bytes) {
    std::vector<std::uint32_t> out;
    for (const char* p = bytes.data(); p < bytes.data() + bytes.size(); p += out.back()) {
      out.push_back(decode_lossy(p, bytes.data() + bytes.size()).size);
    }
    return out;
  };
  using Sizes = std::vector<std::uint32_t>;
  // Table 3-8 of the Unicode Standard, and the truncated ones of table 3-11.
  EXPECT_EQ(sizes("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), Sizes(9, 1));
  EXPECT_EQ(sizes("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), Sizes(9, 1));
  EXPECT_EQ(sizes("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), Sizes(9, 1));
  EXPECT_EQ(sizes("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), (Sizes{2, 1, 3, 2, 1}));
  Rng rng(test_seed());
  for (int round = 0; round < 100'000; ++round) {
    std::string bytes;
    for (std::uint64_t count = 1 + rng.below(6); count > 0; --count) {
      // Mostly bytes of longer sequences, at the edges of their ranges.
      constexpr unsigned char kEdges[] = {0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1,
                                          0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5};
      bytes += static_cast<char>(kEdges[rng.below(std::size(kEdges))]);
    }
    const char* const end = bytes.data() + bytes.size();
    const DecodedChar c = decode_lossy(bytes.data(), end);
    const std::string_view first = std::string_view(bytes).substr(0, c.size);
    const bool valid = find_invalid_utf8(first) == std::string_view::npos;
    ASSERT_EQ(valid, c.value != kReplacementChar || first == kReplacementUtf8);
    if (valid) {
      ASSERT_EQ(c.value, decode_utf8(bytes.data()).value);
    }
  }
}

}  // namespace
}  // namespace quipu::text::analysis
