// Goal: chunks cover the text, hold their limits, say truly where they stand, and keep their ids.
#include "quipu/cli/ingest/chunks.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/text/documents/utf8.h"
#include "tests/support/fake_embedder.h"

namespace quipu::cli {
namespace {

text::Document markdown(std::string content) {
  return text::read_markdown(std::move(content), "a.md").value();
}

CutText words(testing_support::FakeEmbedder& embedder) {
  return [&](std::string_view text, std::uint32_t tokens_max, std::uint32_t overlap) {
    return embedder.chunk(testing_support::FakeEmbedder::kDefaultModel, text, tokens_max, overlap);
  };
}

TEST(CutByEstimate, CoversAnyTextWithinItsLimit) {
  Rng rng(test_seed());
  const std::vector<std::string> pieces = {
      "word ", "longerword ", ". ", "\n", "\u00e9\u00e9", "!", "0123456789abcdef", "  ", "\u6f22"};
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::uint64_t i = rng.below(400); i > 0; --i) text += pieces[rng.below(pieces.size())];
    const auto tokens_max = static_cast<std::uint32_t>(16 + rng.below(50));
    const auto overlap = static_cast<std::uint32_t>(rng.below(tokens_max / 2));
    std::vector<bool> covered(text.size(), false);
    std::size_t last_end = 0;
    for (const embed::TextChunk& chunk : cut_by_estimate(text, tokens_max, overlap)) {
      ASSERT_LE(chunk.offset + chunk.size, text.size());
      ASSERT_GT(chunk.offset + chunk.size, last_end) << "no progress";
      last_end = chunk.offset + chunk.size;
      ASSERT_LE(chunk.token_count, tokens_max);
      ASSERT_FALSE(text::first_invalid_utf8(text.substr(chunk.offset, chunk.size)));
      std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(chunk.offset), chunk.size, true);
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
      ASSERT_TRUE(covered[i] || text[i] == ' ' || text[i] == '\n') << i << " of " << text;
    }
  }
}

TEST(CutByEstimate, PrefersTheEndOfALine) {
  const std::string text = "aaaa aaaa aaaa aaaa\nbbbb bbbb bbbb bbbb";
  const auto chunks = cut_by_estimate(text, 5, 0);
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(text.substr(chunks[0].offset, chunks[0].size), "aaaa aaaa aaaa aaaa");
  EXPECT_EQ(text.substr(chunks[1].offset, chunks[1].size), "bbbb bbbb bbbb bbbb");
  EXPECT_TRUE(cut_by_estimate(" \n ", 5, 0).empty());
}

TEST(MakeChunks, SayWhereTheyStand) {
  testing_support::FakeEmbedder embedder;
  const text::Document document = markdown("# Roof\nintro\n\n## Tiles\n  Red ones.\n  Or grey.\n");
  const auto chunks = make_chunks(document, {}, words(embedder));
  ASSERT_TRUE(chunks.ok());
  ASSERT_EQ(chunks.value().size(), 2U);
  const Chunk& first = chunks.value()[0];
  EXPECT_EQ(first.text, "Roof\nintro");
  EXPECT_EQ(first.line, 2U);
  const Chunk& tiles = chunks.value()[1];
  EXPECT_EQ(tiles.text, "Roof: Tiles\nRed ones.\nOr grey.");
  EXPECT_EQ(tiles.section, "Roof > Tiles");
  EXPECT_EQ(tiles.line, 5U);
  EXPECT_EQ(document.text.substr(tiles.offset, tiles.bytes), "Red ones.\n  Or grey.");
}

TEST(MakeChunks, HoldTheLimitWithTheirContext) {
  testing_support::FakeEmbedder embedder;
  std::string content = "# A title of some words\n";
  for (int i = 0; i < 500; ++i) content += "word" + std::to_string(i) + (i % 9 == 0 ? "\n" : " ");
  for (const bool context : {true, false}) {
    const auto chunks =
        make_chunks(markdown(content), {.tokens_max = 50, .overlap_tokens = 5, .context = context},
                    words(embedder));
    ASSERT_TRUE(chunks.ok());
    EXPECT_GT(chunks.value().size(), 10U);
    std::set<std::string> seen;
    for (const Chunk& chunk : chunks.value()) {
      const auto embedded = embedder.embed(std::vector<std::string_view>{chunk.text},
                                           {.model = testing_support::FakeEmbedder::kDefaultModel});
      EXPECT_LE(embedded[0].value().token_count, 50U);
      EXPECT_EQ(chunk.text.starts_with("A title of some words\n"), context);
      std::istringstream split(chunk.text);
      for (std::string word; split >> word;) seen.insert(word);
    }
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(seen.contains("word" + std::to_string(i))) << i;
  }
}

TEST(MakeChunks, LeaveSectionsOut) {
  testing_support::FakeEmbedder embedder;
  const text::Document document =
      markdown("# Name\nx\n# Use\ny\n## Name\nz\n# Author\nw\n## Of what\nv\n# Authors\nu\n");
  const auto chunks = make_chunks(
      document, {.context = false, .sections_left_out = {"NAME", "author"}}, words(embedder));
  std::string kept;
  for (const Chunk& chunk : chunks.value()) kept += chunk.text;
  EXPECT_EQ(kept, "yu");
}

TEST(ChunkPointId, IsStableAndDistinct) {
  EXPECT_EQ(chunk_point_id("a", 1), chunk_point_id("a", 1));
  std::set<PointId> ids;
  for (const char* source : {"a", "b", "a\x01", ""}) {
    for (std::size_t index = 0; index < 100; ++index) ids.insert(chunk_point_id(source, index));
  }
  EXPECT_EQ(ids.size(), 400U);
  // Stored collections depend on it: it may never change.
  EXPECT_EQ(chunk_point_id("man1/ls.1.gz", 0).to_string(), "0feeff1f-3740-8595-8f6f-b69e4b248dda");
}

TEST(WithoutIndent, TakesWhatIsShared) {
  EXPECT_EQ(without_indent("       a\n         b\n\n       c"), "a\n  b\n\nc");
  EXPECT_EQ(without_indent("\n\n  a  \n"), "a");
  EXPECT_EQ(without_indent("a\n       b\n       c"), "a\nb\nc");
  EXPECT_EQ(without_indent("   \n  "), "");
}

}  // namespace
}  // namespace quipu::cli
