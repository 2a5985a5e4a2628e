// Goal: each model cuts words as its definition says.
// Method: against twins that do it the slow, obvious way, on random vocabularies of few letters, so
// that everything overlaps; and the options' corners by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/text/tokenizer/token_model.h"
#include "quipu/text/tokenizer/word_cache.h"

namespace quipu::text {
namespace {

using ::testing::HasSubstr;
using Piece = TokenModel::Piece;

Result<std::unique_ptr<TokenModel>> read_model(const std::string& model) {
  Result<JsonDocument> document = JsonDocument::parse("{\"model\":" + model + "}");
  QUIPU_ASSERT(document.ok());
  return TokenModel::read(JsonPart(document.value().root(), ""));
}

std::unique_ptr<TokenModel> model_of(const std::string& json) {
  Result<std::unique_ptr<TokenModel>> model = read_model(json);
  if (!model.ok()) ADD_FAILURE() << model.error().message;
  return model.ok() ? std::move(model).value() : nullptr;
}

std::vector<Piece> pieces_of(const TokenModel& model, std::string_view word) {
  TokenModel::Scratch scratch;
  std::vector<Piece> out;
  EXPECT_TRUE(model.tokenize(word, scratch, out)) << word;
  return out;
}

std::vector<std::uint32_t> ids_of(const TokenModel& model, std::string_view word) {
  std::vector<std::uint32_t> ids;
  for (const Piece& piece : pieces_of(model, word)) ids.push_back(piece.id);
  return ids;
}

std::string json_string(const std::string& text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string random_word(Rng& rng, std::size_t size_max, std::uint64_t letters) {
  std::string word(1 + rng.below(size_max), 'a');
  for (char& c : word) c = static_cast<char>('a' + rng.below(letters));
  return word;
}

// A vocabulary of letters and of merges of what is there, and how the twin merges.
struct RandomBpe {
  std::vector<std::string> tokens;
  std::vector<std::pair<std::string, std::string>> merges;
  std::string json;

  RandomBpe(Rng& rng, std::uint64_t letters, std::size_t merge_count) {
    for (std::uint64_t i = 0; i < letters; ++i) tokens.emplace_back(1, static_cast<char>('a' + i));
    while (merges.size() < merge_count) {
      const std::pair<std::string, std::string> merge(tokens[rng.below(tokens.size())],
                                                      tokens[rng.below(tokens.size())]);
      if (std::find(merges.begin(), merges.end(), merge) != merges.end()) continue;
      const std::string joined = merge.first + merge.second;
      merges.push_back(merge);
      if (std::find(tokens.begin(), tokens.end(), joined) == tokens.end()) tokens.push_back(joined);
    }
    json = "{\"type\":\"BPE\",\"vocab\":{";
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      json += (i == 0 ? "" : ",") + json_string(tokens[i]) + ":" + std::to_string(i);
    }
    json += "},\"merges\":[";
    for (std::size_t i = 0; i < merges.size(); ++i) {
      json += (i == 0 ? "" : ",") + json_string(merges[i].first + " " + merges[i].second);
    }
    json += "]}";
  }

  // All occurrences are looked at for the merge that was learnt first, again and again.
  [[nodiscard]] std::vector<std::uint32_t> split(const std::string& word) const {
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    while (true) {
      std::optional<std::size_t> best_rank;
      std::size_t best_at = 0;
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const auto found =
            std::find(merges.begin(), merges.end(), std::pair(parts[i], parts[i + 1]));
        const auto rank = static_cast<std::size_t>(found - merges.begin());
        if (found == merges.end() || (best_rank.has_value() && rank >= *best_rank)) continue;
        best_rank = rank;
        best_at = i;
      }
      if (!best_rank.has_value()) break;
      parts[best_at] += parts[best_at + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best_at) + 1);
    }
    std::vector<std::uint32_t> ids;
    for (const std::string& part : parts) {
      ids.push_back(static_cast<std::uint32_t>(std::find(tokens.begin(), tokens.end(), part) -
                                               tokens.begin()));
    }
    return ids;
  }
};

TEST(Bpe, MergesAsTheTwinDoes) {
  Rng rng(test_seed());
  for (int round = 0; round < 40; ++round) {
    const RandomBpe twin(rng, 2 + rng.below(3), 8 + rng.below(30));
    const std::unique_ptr<TokenModel> model = model_of(twin.json);
    ASSERT_NE(model, nullptr);
    for (int i = 0; i < 60; ++i) {
      // Short ones are merged by looking at all pairs, long ones by a heap.
      const std::string word = random_word(rng, i % 3 == 0 ? 150 : 40, 2);
      ASSERT_EQ(ids_of(*model, word), twin.split(word)) << word << "\n" << twin.json;
    }
  }
}

TEST(Bpe, AMegabyteWithoutSpacesIsNotQuadratic) {
  const std::unique_ptr<TokenModel> model =
      model_of(R"({"type":"BPE","vocab":{"a":0,"b":1,"aa":2,"aaaa":3,"ab":4},)"
               R"("merges":[["a","a"],["aa","aa"],["a","b"]]})");
  ASSERT_NE(model, nullptr);
  const std::string word(1U << 20, 'a');
  // A quadratic way takes minutes: the test's own time limit would end it.
  const std::vector<std::uint32_t> ids = ids_of(*model, word);
  EXPECT_EQ(ids, std::vector<std::uint32_t>((1U << 20) / 4, 3));
}

TEST(Bpe, UnknownsBytesAndAffixes) {
  const std::string rest = R"("vocab":{"<unk>":0,"a":1,"b":2,"ab":3,"##b":4,"a</w>":5,)"
                           R"("<0xC3>":6,"<0xA9>":7},"merges":[["a","b"]])";
  const auto with = [&](const std::string& options) {
    return model_of("{\"type\":\"BPE\"," + options + (options.empty() ? "" : ",") + rest + "}");
  };
  using Ids = std::vector<std::uint32_t>;
  EXPECT_EQ(ids_of(*with(R"("unk_token":"<unk>")"), "xxab"), (Ids{0, 0, 3}));
  EXPECT_EQ(ids_of(*with(R"("unk_token":"<unk>","fuse_unk":true)"), "xxab"), (Ids{0, 3}));
  EXPECT_EQ(ids_of(*with(R"("unk_token":null)"), "xab"), (Ids{3}));  // Dropped.
  EXPECT_EQ(ids_of(*with(R"("byte_fallback":true,"unk_token":"<unk>")"), "a\xC3\xA9"),
            (Ids{1, 6, 7}));
  EXPECT_EQ(pieces_of(*with(R"("byte_fallback":true)"),
                      "\xC3\xA9"
                      "a"),
            (std::vector<Piece>{{6, 1}, {7, 2}, {1, 3}}));
  EXPECT_EQ(ids_of(*with(R"("end_of_word_suffix":"</w>")"), "ba"), (Ids{2, 5}));
  EXPECT_EQ(ids_of(*with(R"("ignore_merges":true)"), "<unk>"), (Ids{0}));
  // Nothing for the character, and nothing for unknowns though they were to have a token.
  TokenModel::Scratch scratch;
  std::vector<Piece> out;
  EXPECT_FALSE(with(R"("unk_token":"[none]")")->tokenize("x", scratch, out));
}

TEST(Bpe, RefusesByName) {
  const struct {
    const char* json;
    const char* named;
  } cases[] = {
      {R"({"type":"BPE","vocab":{"a":0},"merges":[],"dropout":0.1})", "model.dropout"},
      {R"({"type":"BPE","vocab":{"a":0},"merges":["a"]})", "model.merges[0]"},
      {R"({"type":"BPE","vocab":{"a":0},"merges":["a b c"]})", "model.merges[0]"},
      {R"({"type":"BPE","vocab":{"a":0},"merges":[["a","a"]]})", "lacks 'aa'"},
      {R"({"type":"BPE","vocab":{"a":0},"merges":[["a","z"]]})", "lacks 'z'"},
      {R"({"type":"BPE","vocab":{"a":0},"merges":[["a","a","a"]]})", "model.merges[0]"},
      {R"({"type":"BPE","vocab":{"a":-1},"merges":[]})", "model.vocab['a']"},
      {R"({"type":"BPE","vocab":[],"merges":[]})", "model.vocab"},
      {R"({"type":"BPE","vocab":{"a":0}})", "model.merges"},
      {R"({"type":"BPE","vocab":{"a":0},"merges":[],"speed":1})", "speed"},
      {R"({"type":"Unigram","vocab":[["a",0,1]]})", "model.vocab[0]"},
      {R"({"type":"Unigram","vocab":[["a",0]],"unk_id":7})", "model.unk_id"},
      {R"({"type":"WordLevel","vocab":{}})", "model.unk_token"},
      {R"({"type":"Trigrams"})", "model.type: 'Trigrams'"},
      {R"([])", "model"},
  };
  for (const auto& one : cases) {
    const Result<std::unique_ptr<TokenModel>> model = read_model(one.json);
    ASSERT_FALSE(model.ok()) << one.json;
    EXPECT_THAT(model.error().message, HasSubstr(one.named));
  }
}

// Every way to cut the word, the best sum first.
double best_sum(const std::map<std::string, double>& scores, const std::string& word,
                double unknown, std::vector<std::string>& parts) {
  if (word.empty()) return 0;
  double best = -1e300;
  for (std::size_t size = 1; size <= word.size(); ++size) {
    const auto found = scores.find(word.substr(0, size));
    if (found == scores.end() && size > 1) continue;
    std::vector<std::string> rest;
    const double sum = (found == scores.end() ? unknown : found->second) +
                       best_sum(scores, word.substr(size), unknown, rest);
    if (sum <= best) continue;
    best = sum;
    rest.insert(rest.begin(), word.substr(0, size));
    parts = std::move(rest);
  }
  return best;
}

TEST(Unigram, FindsTheBestWayOfAll) {
  Rng rng(test_seed());
  for (int round = 0; round < 60; ++round) {
    std::map<std::string, double> scores;
    for (std::uint64_t i = 3 + rng.below(12); i > 0; --i) {
      const double score = -static_cast<double>(1 + rng.below(1U << 20)) / 65536.0;
      scores.emplace(random_word(rng, 4, 3), score);
    }
    double min_score = -1.0;
    std::string json = R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",-1.0])";
    for (const auto& [token, score] : scores) {
      json += ",[" + json_string(token) + "," + std::to_string(score) + "]";
      min_score = std::min(min_score, score);
    }
    json += "]}";
    const std::unique_ptr<TokenModel> model = model_of(json);
    ASSERT_NE(model, nullptr);
    for (int i = 0; i < 20; ++i) {
      const std::string word = random_word(rng, 10, 3);
      std::vector<std::string> parts;
      best_sum(scores, word, min_score - 10.0, parts);
      double wanted = 0;
      for (const std::string& part : parts) {
        const auto found = scores.find(part);
        wanted += found == scores.end() ? min_score - 10.0 : found->second;
      }
      double got = 0;
      std::size_t begin = 0;
      for (const Piece& piece : pieces_of(*model, word)) {
        const std::string part = word.substr(begin, piece.end - begin);
        const auto found = scores.find(part);
        // Unknown characters side by side are one token, but count one by one.
        got += piece.id == 0 ? (min_score - 10.0) * static_cast<double>(part.size())
                             : (found == scores.end() ? -1e300 : found->second);
        begin = piece.end;
      }
      EXPECT_EQ(begin, word.size());
      ASSERT_NEAR(got, wanted, 1e-4) << word << " " << json;
    }
  }
}

TEST(Unigram, UnknownsAndBytes) {
  using Ids = std::vector<std::uint32_t>;
  const std::unique_ptr<TokenModel> plain =
      model_of(R"({"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1],["ab",-1.5]]})");
  EXPECT_EQ(ids_of(*plain, "xyaabz"), (Ids{0, 1, 2, 0}));
  const std::unique_ptr<TokenModel> bytes =
      model_of(R"({"type":"Unigram","unk_id":0,"byte_fallback":true,)"
               R"("vocab":[["<unk>",0],["a",-1],["<0xC3>",-9],["<0xA9>",-9]]})");
  EXPECT_EQ(pieces_of(*bytes, "a\xC3\xA9"), (std::vector<Piece>{{1, 1}, {2, 3}, {3, 3}}));
  EXPECT_EQ(ids_of(*bytes, "ax"), (Ids{1, 0}));
  // Without a token for unknowns the word is refused.
  const std::unique_ptr<TokenModel> none =
      model_of(R"({"type":"Unigram","unk_id":null,"vocab":[["a",-1]]})");
  TokenModel::Scratch scratch;
  std::vector<Piece> out;
  EXPECT_TRUE(none->tokenize("aa", scratch, out));
  EXPECT_FALSE(none->tokenize("ax", scratch, out));
}

TEST(WordLevel, KnowsWordsAsAWhole) {
  using Ids = std::vector<std::uint32_t>;
  const std::unique_ptr<TokenModel> model =
      model_of(R"({"type":"WordLevel","unk_token":"?","vocab":{"?":5,"cat":9}})");
  EXPECT_EQ(ids_of(*model, "cat"), (Ids{9}));
  EXPECT_EQ(ids_of(*model, "cats"), (Ids{5}));
  EXPECT_EQ(model->vocabulary().ids_end(), 10U);
  EXPECT_EQ(model->vocabulary().size(), 2U);
  EXPECT_EQ(model->vocabulary().token(9), "cat");
  EXPECT_EQ(model->vocabulary().token(8), "");
}

TEST(WordCache, GivesBackWhatWasPutInOrNothing) {
  Rng rng(test_seed());
  WordCache cache;
  const auto tokens_of = [](const std::string& word) {
    std::vector<Piece> pieces;
    for (std::uint32_t end = 3; end < word.size() + 3; end += 3) {
      const auto cut = std::min<std::uint32_t>(end, static_cast<std::uint32_t>(word.size()));
      pieces.push_back({static_cast<std::uint32_t>(word[cut - 1]) * 1000 + cut, cut});
    }
    return pieces;
  };
  std::size_t hits = 0;
  for (int i = 0; i < 100'000; ++i) {
    const std::string word = random_word(rng, i % 2 == 0 ? 3 : WordCache::kWordBytesMax, 3);
    const std::vector<Piece> wanted = tokens_of(word);
    std::vector<Piece> got;
    const auto offset = static_cast<std::uint32_t>(rng.below(9));
    if (cache.find(word, offset, got)) {
      ++hits;
      ASSERT_EQ(got.size(), wanted.size());
      for (std::size_t k = 0; k < got.size(); ++k) {
        ASSERT_EQ(got[k].id, wanted[k].id);
        ASSERT_EQ(got[k].end, wanted[k].end + offset);
      }
    } else {
      cache.insert(word, 0, wanted);
    }
  }
  EXPECT_GT(hits, 10'000U);
}

}  // namespace
}  // namespace quipu::text
