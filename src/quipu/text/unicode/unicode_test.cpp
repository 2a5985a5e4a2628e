// Goal: UTF-8 is checked as the standard has it, and the tables say what they were measured to say.
#include <gtest/gtest.h>

#include <string>

#include "quipu/text/unicode/aligned_text.h"
#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

std::string normal_form(const std::string& text, bool composed) {
  AlignedText chars;
  decode_aligned(text, 0, chars);
  normalise(chars, composed ? NormalForm::kNfc : NormalForm::kNfd);
  std::string out;
  for (const AlignedChar& c : chars) append_utf8(out, c.value);
  return out;
}

TEST(Utf8, EveryScalarValueRoundTrips) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    std::string bytes;
    append_utf8(bytes, c);
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(find_invalid_utf8(bytes) == std::string_view::npos, !surrogate);
    if (surrogate) continue;
    const DecodedChar decoded = decode_utf8(bytes.data());
    ASSERT_EQ(decoded.value, c);
    ASSERT_EQ(decoded.size, bytes.size());
    ASSERT_EQ(utf8_size(c), bytes.size());
    // Every cut is found, at its beginning.
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      ASSERT_EQ(find_invalid_utf8("12345678" + bytes.substr(0, size)), 8U);
    }
  }
}

TEST(Utf8, RefusesWhatIsNotWellFormed) {
  for (const std::string& bad :
       {std::string("\x80"), std::string("\xc1\xbf"), std::string("\xe0\x9f\xbf"),
        std::string("\xf0\x8f\xbf\xbf"), std::string("\xf4\x90\x80\x80"),
        std::string("\xf5\x80\x80\x80"), std::string("\xff")}) {
    EXPECT_EQ(find_invalid_utf8(bad), 0U);
    EXPECT_EQ(find_invalid_utf8("abcdefgh\xc3\xa9" + bad), 10U);
  }
}

TEST(UnicodeData, KnowsCharacters) {
  const UnicodeData& data = UnicodeData::instance();
  EXPECT_TRUE(data.has(' ', kCharSpace));
  EXPECT_TRUE(data.has(0x3000, kCharSpace));
  EXPECT_FALSE(data.has(0x200B, kCharSpace));
  EXPECT_TRUE(data.has(0x200B, kCharControl));
  EXPECT_FALSE(data.has('\n', kCharControl));
  EXPECT_TRUE(data.has('$', kCharPunctuation));
  EXPECT_FALSE(data.has(U'€', kCharPunctuation));
  EXPECT_TRUE(data.has(U'東', kCharIdeograph));
  EXPECT_FALSE(data.has(U'あ', kCharIdeograph));
  EXPECT_TRUE(data.has(U'_', kCharWord));
  EXPECT_TRUE(data.has(0x301, kCharNonspacing));
  EXPECT_EQ(data.combining_class(0x301), 230);
  EXPECT_EQ(data.combining_class(0x323), 220);
  EXPECT_EQ(data.combining_class('a'), 0);
  ASSERT_EQ(data.lowercase(U'Ä').size(), 1U);
  EXPECT_EQ(data.lowercase(U'Ä')[0], U'ä');
  EXPECT_EQ(data.lowercase(0x130).size(), 2U);
  EXPECT_TRUE(data.lowercase('a').empty());
  EXPECT_EQ(data.compatibility(U'½').size(), 3U);
  EXPECT_TRUE(data.canonical(U'½').empty());
}

TEST(AlignedText, NormalForms) {
  EXPECT_EQ(normal_form("é", false), "e\u0301");
  EXPECT_EQ(normal_form("e\u0301", true), "é");
  EXPECT_EQ(normal_form("e\u0301\u0323", false), "e\u0323\u0301");
  EXPECT_EQ(normal_form("e\u0302\u0323", true), "ệ");
  EXPECT_EQ(normal_form("한", false), "\u1112\u1161\u11ab");
  EXPECT_EQ(normal_form("\u1112\u1161\u11ab", true), "한");
  EXPECT_EQ(normal_form("\u0958", true), "\u0915\u093c");  // A composition exclusion.
  EXPECT_EQ(normal_form("", true), "");
}

TEST(AlignedText, KeepsTheBytesOfPlaces) {
  AlignedText chars;
  decode_aligned("aé한", 10, chars);
  ASSERT_EQ(chars.size(), 3U);
  normalise(chars, NormalForm::kNfd);
  ASSERT_EQ(chars.size(), 6U);
  EXPECT_EQ(chars[1].begin, 11U);
  EXPECT_EQ(chars[2].begin, 11U);
  EXPECT_EQ(chars[2].end, 13U);
  EXPECT_EQ(chars[5].begin, 13U);
  EXPECT_EQ(chars[5].end, 16U);
}

// U+0385 comes apart, its second part goes behind the lower marks and comes back: the characters
// between keep bytes of their own.
TEST(AlignedText, MarksThatCrossOthersKeepTheBytesOfPlaces) {
  AlignedText chars;
  decode_aligned("\u0385\u0340\u0321\u034D", 0, chars);
  normalise(chars, NormalForm::kNfc);
  ASSERT_EQ(chars.size(), 4U);
  const char32_t values[] = {0x385, 0x321, 0x34d, 0x300};
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(chars[i].value, values[i]);
    EXPECT_EQ(chars[i].begin, 2 * i);
    EXPECT_EQ(chars[i].end, 2 * i + 2);
  }
}

}  // namespace
}  // namespace quipu::text
