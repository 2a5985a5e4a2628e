// Goal: one term for all spellings of a word.
// Method: every code point against utf8proc, random strings against ICU, the fast way against the
// definition, folding twice against folding once; known words for what has no oracle.
#include "quipu/text/analysis/term_folder.h"

#include <gtest/gtest.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <utf8proc.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/test_support.h"
#include "quipu/text/analysis/lossy_utf8.h"
#include "quipu/text/analysis/tables.h"

namespace quipu::text::analysis {
namespace {

constexpr FoldOptions kPlain = {};
constexpr FoldOptions kCase = {.case_folding = true};
constexpr FoldOptions kAscii = {.ascii_folding = true};
constexpr FoldOptions kBoth = {.case_folding = true, .ascii_folding = true};
constexpr FoldOptions kTurkish = {.case_folding = true, .turkic = true};
constexpr FoldOptions kRomanian = {.case_folding = true, .romanian = true};
constexpr FoldOptions kAll[] = {kPlain, kCase, kAscii, kBoth, kTurkish, kRomanian};

std::string fold(std::string_view word, FoldOptions options) {
  char out[kTermBytesMax];
  const TermFolder::Folded folded = TermFolder(options).fold(word, out);
  EXPECT_TRUE(folded.complete);
  return {out, folded.size};
}
std::string by_definition(std::string_view word, FoldOptions options) {
  char out[kTermBytesMax];
  const TermFolder::Folded folded = TermFolder(options).fold_by_definition(word, out);
  EXPECT_TRUE(folded.complete);
  return {out, folded.size};
}

template <typename Visit>
void for_each_scalar(Visit visit) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string utf8;
    append_utf8(utf8, c);
    visit(c, utf8);
    if (::testing::Test::HasFailure()) return;
  }
}

// As folding leaves it: the same apostrophe everywhere.
std::string with_apostrophes(const std::string& word) {
  std::string out;
  for (std::size_t at = 0; at < word.size();) {
    const DecodedChar c = decode_utf8(word.data() + at);
    const bool apostrophe =
        c.value == 0x2018 || c.value == 0x2019 || c.value == 0x2BC || c.value == 0xFF07;
    append_utf8(out, apostrophe ? U'\'' : c.value);
    at += c.size;
  }
  return out;
}

TEST(TermFolder, FoldsEveryCharacterAsUtf8procDoes) {
  // Another version of Unicode would differ in new characters.
  ASSERT_EQ(std::string(utf8proc_unicode_version()), "15.0.0");
  for_each_scalar([](char32_t c, const std::string& utf8) {
    const bool ignorable = (char_kind(c).flags & kCharIgnorable) != 0;
    for (const bool folding : {false, true}) {
      utf8proc_uint8_t* mapped = nullptr;
      const int options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | (folding ? UTF8PROC_CASEFOLD : 0);
      const utf8proc_ssize_t size =
          utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(utf8.data()),
                       static_cast<utf8proc_ssize_t>(utf8.size()), &mapped,
                       static_cast<utf8proc_option_t>(options));
      ASSERT_GE(size, 0);
      std::string expected(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
      if (folding) expected = with_apostrophes(expected);
      std::free(mapped);  // tidy: utf8proc allocates with malloc and says so
      ASSERT_EQ(fold(utf8, folding ? kCase : kPlain), ignorable ? "" : expected)
          << "U+" << std::hex << static_cast<std::uint32_t>(c);
    }
  });
}

TEST(TermFolder, TheFastWayEqualsTheDefinitionForEveryCharacter) {
  for_each_scalar([](char32_t c, const std::string& utf8) {
    for (const FoldOptions& options : kAll) {
      const std::string once = fold(utf8, options);
      ASSERT_EQ(once, by_definition(utf8, options))
          << "U+" << std::hex << static_cast<std::uint32_t>(c);
      ASSERT_EQ(fold(once, options), once) << "U+" << std::hex << static_cast<std::uint32_t>(c);
    }
  });
}

// Letters, marks of all classes, Hangul parts, and what composes, decomposes or vanishes.
std::string random_marked_word(Rng& rng) {
  static const std::vector<char32_t> kPool = [] {
    std::vector<char32_t> pool;
    for (char32_t c = 0; c < 0x110000; ++c) {
      if (c >= 0xD800 && c <= 0xDFFF) continue;
      const CharKind& kind = char_kind(c);
      if ((kind.flags & kCharEntangled) != 0 || kind.combining_class != 0) pool.push_back(c);
    }
    return pool;
  }();
  static const std::u32string kCommon =
      U"aeioucsAEIOUCSİıßΑΣςαωὈЙйがカ한ㅎ가각Å1ﬁĳǅ\u00AD\u200D\u0301\u0323\u0345\u0307\u030C";
  std::string out;
  for (std::uint64_t count = 1 + rng.below(8); count > 0; --count) {
    append_utf8(out, rng.below(2) == 0 ? kCommon[rng.below(kCommon.size())]
                                       : kPool[rng.below(kPool.size())]);
  }
  return out;
}

std::u16string normalised(const UNormalizer2* form, const std::u16string& text) {
  UErrorCode status = U_ZERO_ERROR;
  std::u16string out(text.size() * 18 + 18, u'\0');
  const std::int32_t size =
      unorm2_normalize(form, text.data(), static_cast<std::int32_t>(text.size()), out.data(),
                       static_cast<std::int32_t>(out.size()), &status);
  EXPECT_TRUE(U_SUCCESS(status)) << u_errorName(status);
  out.resize(static_cast<std::size_t>(size));
  return out;
}

// Form C of the folding of form D, by ICU.
std::string by_icu(const std::string& word, bool folding) {
  UErrorCode status = U_ZERO_ERROR;
  std::u16string text(word.size(), u'\0');
  std::int32_t size = 0;
  u_strFromUTF8(text.data(), static_cast<std::int32_t>(text.size()), &size, word.data(),
                static_cast<std::int32_t>(word.size()), &status);
  text.resize(static_cast<std::size_t>(size));
  text = normalised(unorm2_getNFDInstance(&status), text);
  if (folding) {
    std::u16string folded(text.size() * 4 + 4, u'\0');
    size = u_strFoldCase(folded.data(), static_cast<std::int32_t>(folded.size()), text.data(),
                         static_cast<std::int32_t>(text.size()), U_FOLD_CASE_DEFAULT, &status);
    folded.resize(static_cast<std::size_t>(size));
    text = folded;
  }
  text = normalised(unorm2_getNFCInstance(&status), text);
  std::string out(text.size() * 3, '\0');
  u_strToUTF8(out.data(), static_cast<std::int32_t>(out.size()), &size, text.data(),
              static_cast<std::int32_t>(text.size()), &status);
  EXPECT_TRUE(U_SUCCESS(status)) << u_errorName(status);
  out.resize(static_cast<std::size_t>(size));
  return out;
}

std::string without_ignorables(const std::string& word) {
  std::string out;
  for (std::size_t at = 0; at < word.size();) {
    const DecodedChar c = decode_utf8(word.data() + at);
    if ((char_kind(c.value).flags & kCharIgnorable) == 0) append_utf8(out, c.value);
    at += c.size;
  }
  return out;
}

TEST(TermFolder, FoldsWordsAsIcuDoes) {
  Rng rng(test_seed());
  for (int round = 0; round < 50'000; ++round) {
    const std::string word = without_ignorables(random_marked_word(rng));
    ASSERT_EQ(fold(word, kPlain), by_icu(word, false)) << word;
    ASSERT_EQ(fold(word, kCase), with_apostrophes(by_icu(word, true))) << word;
  }
}

TEST(TermFolder, OrdersAnyNumberOfMarks) {
  Rng rng(test_seed());
  for (int round = 0; round < 300; ++round) {
    std::string word = "a";
    for (std::uint64_t count = rng.below(120); count > 0; --count) {
      append_utf8(word, static_cast<char32_t>(0x300 + rng.below(0x4F)));
      if (rng.below(40) == 0) word += "e";
    }
    word = without_ignorables(word);
    ASSERT_EQ(fold(word, kPlain), by_icu(word, false)) << word;
  }
}

TEST(TermFolder, EquivalentSpellingsGiveOneTerm) {
  Rng rng(test_seed());
  for (int round = 0; round < 20'000; ++round) {
    const std::string word = without_ignorables(random_marked_word(rng));
    const std::string composed = by_icu(word, false);
    for (const FoldOptions& options : {kPlain, kCase, kAscii, kBoth}) {
      const std::string term = fold(word, options);
      ASSERT_EQ(fold(composed, options), term) << word;
      ASSERT_EQ(by_definition(word, options), term) << word;
      ASSERT_EQ(fold(term, options), term) << word;
    }
  }
}

TEST(TermFolder, KnownWords) {
  EXPECT_EQ(fold("Straße", kCase), "strasse");
  EXPECT_EQ(fold("ΣΊΣΥΦΟΣ", kCase), "σίσυφοσ");
  EXPECT_EQ(fold("don’t", kCase), "don't");
  EXPECT_EQ(fold("don’t", kPlain), "don’t");
  EXPECT_EQ(fold("co\u00ADop\u200Berate", kPlain), "cooperate");
  EXPECT_EQ(fold("cafe\u0301", kPlain), "café");
  EXPECT_EQ(fold("❤\uFE0F", kCase), "❤");
  EXPECT_EQ(fold("\uFEFF\u200D", kCase), "");
  EXPECT_EQ(fold("İstanbul", kCase), "i\u0307stanbul");
}

TEST(TermFolder, AsciiFoldingKeepsWhatMakesAnotherWord) {
  EXPECT_EQ(fold("Ação", kAscii), "Acao");
  EXPECT_EQ(fold("Ação", kBoth), "acao");
  EXPECT_EQ(fold("Tiếng Việt", kBoth), "tieng viet");
  EXPECT_EQ(fold("Łódź", kBoth), "lodz");
  EXPECT_EQ(fold("Øre", kAscii), "Ore");
  EXPECT_EQ(fold("Æsir œuvre Þór ðe", kAscii), "AEsir oeuvre THor de");
  EXPECT_EQ(fold("weiß", kAscii), "weiss");
  EXPECT_EQ(fold("ﬁn Ⅷ x² ＡＢＣ", kBoth), "fin viii x2 abc");
  EXPECT_EQ(fold("𝔘𝔫𝔦𝔠𝔬𝔡𝔢", kBoth), "unicode");
  EXPECT_EQ(fold("Ёлка", kBoth), "елка");
  EXPECT_EQ(fold("שָׁלוֹם", kBoth), "שלום");
  EXPECT_EQ(fold("مُحَمَّد", kBoth), "محمد");
  // Not accents: other letters.
  EXPECT_EQ(fold("がぎ", kBoth), "がぎ");
  EXPECT_EQ(fold("ｶﾞ", kBoth), "ガ");
  EXPECT_EQ(fold("한국", kBoth), "한국");
  EXPECT_EQ(fold("ไม่", kBoth), "ไม่");
  EXPECT_EQ(fold("हिन्दी", kBoth), "हिन्दी");
}

TEST(TermFolder, LettersOfSomeLanguages) {
  EXPECT_EQ(fold("ISPARTA", kTurkish), "ısparta");
  EXPECT_EQ(fold("İSTANBUL", kTurkish), "istanbul");
  EXPECT_EQ(fold("I\u0307STANBUL", kTurkish), "istanbul");
  EXPECT_EQ(fold("ȘTIINȚĂ", kRomanian), "ştiinţă");
  EXPECT_EQ(fold("s\u0326tiint\u0326a\u0306", kRomanian), "ştiinţă");
}

TEST(TermFolder, BytesThatAreNotUtf8BecomeOneCharacter) {
  EXPECT_EQ(fold("a\xFF"
                 "b",
                 kCase),
            "a\uFFFDb");
  EXPECT_EQ(fold("a\xE2\x82", kPlain), "a\uFFFD");
  EXPECT_EQ(by_definition("a\xE2\x82", kPlain), "a\uFFFD");
}

TEST(TermFolder, SaysWhenAWordDoesNotFit) {
  char out[kTermBytesMax];
  for (const std::string& unit : {std::string("a"), std::string("é"), std::string("\u0301"),
                                  std::string("\u00AD"), std::string("\uFDFA")}) {
    for (const FoldOptions& options : kAll) {
      std::string word = "x";
      while (word.size() < 1'000'000) word += unit;
      const TermFolder folder(options);
      const TermFolder::Folded fast = folder.fold(word, out);
      EXPECT_FALSE(fast.complete);
      EXPECT_LE(fast.size, kTermBytesMax);
      EXPECT_EQ(out[0], 'x');
      EXPECT_FALSE(folder.fold_by_definition(word, out).complete);
      // The longest that any configuration keeps does fit.
      word.resize(1 + 1024 * unit.size());
      if (unit != "\uFDFA") {
        EXPECT_TRUE(folder.fold(word, out).complete) << unit;
      }
    }
  }
}

}  // namespace
}  // namespace quipu::text::analysis
