// Goal: whatever the text, every chunk fits, no character is cut, nothing but white space is left
// out, and cuts are where a reader would make them.
// Method: properties over random texts in many scripts, and a few texts with known cuts.
#include "quipu/text/chunk/chunker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/text/unicode/unicode_data.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const Tokenizer& tokenizer() {
  static const std::unique_ptr<Tokenizer>& made = *new std::unique_ptr<Tokenizer>([] {
    const Result<std::string> file = read_file(
        posix_file_system(), QUIPU_SOURCE_DIR "/tests/data/tokenizer_expectations.json", 4U << 20);
    const Result<JsonDocument> document = JsonDocument::parse(file.value());
    const JsonView root = document.value().root();
    std::string json;
    root.find("variants").value().for_each_element([&](JsonView variant) {
      json = std::string(variant.find("tokenizer").value().as_string().value());
      return false;
    });
    const std::string place = "\"@VOCABULARY@\"";
    json.replace(json.find(place), place.size(),
                 std::string(root.find("vocabulary").value().as_string().value()));
    return std::move(Tokenizer::from_json(json)).value();
  }());
  return *made;
}

std::vector<std::string> pieces(const std::string& text, const ChunkParams& params) {
  const Result<std::vector<Chunk>> chunks = chunk_text(tokenizer(), text, params);
  std::vector<std::string> out;
  if (!chunks.ok()) {
    ADD_FAILURE() << chunks.error().message;
    return out;
  }
  for (const Chunk& chunk : chunks.value()) out.push_back(text.substr(chunk.offset, chunk.size));
  return out;
}

bool is_space_at(const std::string& text, std::size_t at) {
  return UnicodeData::instance().has(decode_utf8(text.data() + at).value, kCharSpace);
}

void check(const std::string& text, const ChunkParams& params) {
  const Result<std::vector<Chunk>> chunks = chunk_text(tokenizer(), text, params);
  ASSERT_TRUE(chunks.ok()) << chunks.error().message;
  std::size_t covered = 0;
  std::size_t last_begin = 0;
  Encoding encoding;
  for (const Chunk& chunk : chunks.value()) {
    ASSERT_GT(chunk.size, 0U);
    ASSERT_LE(chunk.offset + chunk.size, text.size());
    const std::string piece = text.substr(chunk.offset, chunk.size);
    ASSERT_EQ(find_invalid_utf8(piece), std::string_view::npos) << "a character was cut";
    ASSERT_TRUE(tokenizer().encode(piece, {}, encoding).ok());
    ASSERT_EQ(encoding.token_count, chunk.token_count);
    ASSERT_LE(chunk.token_count, params.tokens_max);
    ASSERT_FALSE(is_space_at(text, chunk.offset));
    if (covered > 0) {
      ASSERT_GT(chunk.offset, last_begin) << "no progress";
    }
    for (std::size_t at = covered; at < chunk.offset;) {
      ASSERT_TRUE(is_space_at(text, at)) << "left out: byte " << at << " of " << text;
      at += decode_utf8(text.data() + at).size;
    }
    if (params.overlap_tokens == 0) {
      ASSERT_GE(chunk.offset, covered);
    }
    covered = std::max(covered, chunk.offset + chunk.size);
    last_begin = chunk.offset;
  }
  for (std::size_t at = covered; at < text.size();) {
    ASSERT_TRUE(is_space_at(text, at)) << "left out: byte " << at << " of " << text;
    at += decode_utf8(text.data() + at).size;
  }
}

std::string random_prose(Rng& rng) {
  static const std::vector<std::string> kPieces = {"memory",
                                                   "unaffable",
                                                   "internationalization",
                                                   "Straße",
                                                   "naïve",
                                                   "記憶是河。",
                                                   "한국어",
                                                   "हिन्दी",
                                                   "e\u0301\u0323",
                                                   "👩‍👩‍👧‍👦",
                                                   ".",
                                                   "! ",
                                                   "? ",
                                                   "\n",
                                                   "\n\n",
                                                   ", ",
                                                   " ",
                                                   "  ",
                                                   "\u3000",
                                                   "\u200b",
                                                   "\u0301",
                                                   "(x) ",
                                                   "\" ",
                                                   "a",
                                                   "[SEP]",
                                                   "3.14",
                                                   "x_y"};
  std::string text;
  for (std::uint64_t i = rng.below(200); i > 0; --i) {
    text += kPieces[rng.below(kPieces.size())];
    if (rng.below(3) != 0) text += ' ';
    if (rng.below(150) == 0) text.append(rng.below(400), 'y');
    if (rng.below(150) == 0) {
      for (std::uint64_t k = rng.below(200); k > 0; --k) text += "憶";
    }
  }
  return text;
}

TEST(Chunker, HoldsItsPropertiesOnRandomTexts) {
  const char* const set = std::getenv("QUIPU_TEST_SEED");
  const std::uint64_t seed = set == nullptr ? entropy() : std::strtoull(set, nullptr, 10);
  std::fprintf(stderr, "QUIPU_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Rng rng(seed);
  for (int i = 0; i < 1500; ++i) {
    const auto tokens_max = static_cast<std::uint32_t>(10 + rng.below(60));
    const auto overlap = static_cast<std::uint32_t>(rng.below((tokens_max - 2) / 2 + 1));
    const std::string text = random_prose(rng);
    ASSERT_NO_FATAL_FAILURE(
        check(text, {.tokens_max = tokens_max, .overlap_tokens = rng.below(2) == 0 ? 0 : overlap}))
        << text;
  }
}

// Single letters and full stops are one token each, whatever the vocabulary.
TEST(Chunker, PrefersParagraphsThenLinesThenSentences) {
  EXPECT_THAT(pieces("a a a a. a a a\na a a. a a\n\na a a.", {.tokens_max = 19}),
              ElementsAre("a a a a. a a a\na a a. a a", "a a a."));
  EXPECT_THAT(pieces("a a a a a. a\na a. a a a a a.", {.tokens_max = 14}),
              ElementsAre("a a a a a. a", "a a. a a a a a."));
  EXPECT_THAT(pieces("a a a a a. a a a a a. a a a a a.", {.tokens_max = 16}),
              ElementsAre("a a a a a. a a a a a.", "a a a a a."));
  EXPECT_THAT(pieces("a a a (a a.) a a a a a, a a a a a a", {.tokens_max = 14}),
              ElementsAre("a a a (a a.)", "a a a a a, a a a a a a"));
  EXPECT_THAT(pieces("記憶是河。時間是岸。記憶是河。", {.tokens_max = 13}),
              ElementsAre("記憶是河。時間是岸。", "記憶是河。"));
}

TEST(Chunker, OverlapsAtTheBeginningOfASentence) {
  EXPECT_THAT(
      pieces("a b c d. e f g h. i k l m. n o p q.", {.tokens_max = 14, .overlap_tokens = 6}),
      ElementsAre("a b c d. e f g h.", "e f g h. i k l m.", "i k l m. n o p q."));
  EXPECT_THAT(pieces("a b c d e f g h i k", {.tokens_max = 8, .overlap_tokens = 2}),
              ElementsAre("a b c d e f", "e f g h i k"));
}

TEST(Chunker, CutsAWordOnlyWhenItMust) {
  const std::string word = "internationalization";
  for (const std::string& part : pieces("a " + word + " a " + word + " a", {.tokens_max = 40})) {
    EXPECT_EQ(part.find(word) != std::string::npos || part.find("inter") == std::string::npos,
              true);
  }
  const std::vector<std::string> cut = pieces(std::string(90, 'z'), {.tokens_max = 12});
  EXPECT_GT(cut.size(), 1U);
}

TEST(Chunker, SmallTexts) {
  EXPECT_THAT(pieces("", {.tokens_max = 10}), ElementsAre());
  EXPECT_THAT(pieces(" \n\u3000 ", {.tokens_max = 10}), ElementsAre());
  EXPECT_THAT(pieces("  a \n", {.tokens_max = 10}), ElementsAre("a"));
  EXPECT_THAT(pieces("\x01\x02", {.tokens_max = 10}), ElementsAre("\x01\x02"));
}

TEST(Chunker, RefusesNumbersThatLeaveNoRoom) {
  const Result<std::vector<Chunk>> none = chunk_text(tokenizer(), "a", {.tokens_max = 2});
  ASSERT_FALSE(none.ok());
  EXPECT_THAT(none.error().message, HasSubstr("tokens_max is 2"));
  EXPECT_TRUE(chunk_text(tokenizer(), "a", {.tokens_max = 12, .overlap_tokens = 5}).ok());
  const Result<std::vector<Chunk>> much =
      chunk_text(tokenizer(), "a", {.tokens_max = 12, .overlap_tokens = 6});
  ASSERT_FALSE(much.ok());
  EXPECT_THAT(much.error().message, HasSubstr("the limit is 5"));
  EXPECT_FALSE(chunk_text(tokenizer(), "\xff", {.tokens_max = 12}).ok());
  // One character of three tokens, and room for two.
  const Result<std::vector<Chunk>> narrow = chunk_text(tokenizer(), "한", {.tokens_max = 3});
  ASSERT_FALSE(narrow.ok());
  EXPECT_THAT(narrow.error().message, HasSubstr("the character at byte 0"));
}

TEST(Chunker, LongTextsTakeTimeInProportion) {
  std::string text;
  while (text.size() < (1U << 20)) text += "a memory that is written down can be found again. ";
  const auto start = std::chrono::steady_clock::now();
  const Result<std::vector<Chunk>> chunks =
      chunk_text(tokenizer(), text, {.tokens_max = 200, .overlap_tokens = 20});
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(chunks.ok());
  EXPECT_GT(chunks.value().size(), 1000U);
  // Far above what it takes, far below what anything quadratic would.
  EXPECT_LT(spent.count(), 20.0);
  const std::string blob(1U << 20, 'z');
  EXPECT_TRUE(chunk_text(tokenizer(), blob, {.tokens_max = 200}).ok());
}

}  // namespace
}  // namespace quipu::text
