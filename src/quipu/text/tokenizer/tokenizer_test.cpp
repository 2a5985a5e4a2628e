// Goal: the tokens, and the bytes they stand for, of the Python package `tokenizers`.
// Method: expectations stored by tools/make_tokenizer_expectations.py for every supported part; the
// fused pass against the parts one after the other on random strings; refusals by name.
#include "quipu/text/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/text/tokenizer/normalizer.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

using ::testing::HasSubstr;

const JsonDocument& expectations() {
  static const JsonDocument& document = *new JsonDocument([] {
    Result<std::string> text = read_file(
        posix_file_system(), QUIPU_SOURCE_DIR "/tests/data/tokenizer_expectations.json", 4U << 20);
    QUIPU_ASSERT(text.ok());
    Result<JsonDocument> parsed = JsonDocument::parse(text.value());
    QUIPU_ASSERT(parsed.ok());
    return std::move(parsed).value();
  }());
  return document;
}

std::string string_at(JsonView json, std::string_view field) {
  return std::string(json.find(field).value().as_string().value());
}

std::vector<std::uint32_t> numbers_at(JsonView json, std::string_view field) {
  std::vector<std::uint32_t> out;
  json.find(field).value().for_each_element([&](JsonView value) {
    out.push_back(static_cast<std::uint32_t>(value.as_uint64().value()));
    return true;
  });
  return out;
}

std::string tokenizer_json(JsonView variant) {
  std::string json = string_at(variant, "tokenizer");
  const std::string place = "\"@VOCABULARY@\"";
  return json.replace(json.find(place), place.size(),
                      string_at(expectations().root(), "vocabulary"));
}

std::string original_json() {
  std::string json;
  expectations().root().find("variants").value().for_each_element([&](JsonView variant) {
    json = tokenizer_json(variant);
    return false;
  });
  return json;
}

std::unique_ptr<Tokenizer> load(const std::string& json) {
  Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::from_json(json);
  if (!tokenizer.ok()) ADD_FAILURE() << tokenizer.error().message;
  return tokenizer.ok() ? std::move(tokenizer).value() : nullptr;
}

std::vector<std::uint32_t> flat(const std::vector<TokenSpan>& spans) {
  std::vector<std::uint32_t> out;
  for (const TokenSpan& span : spans) {
    out.push_back(span.begin);
    out.push_back(span.end);
  }
  return out;
}

void check_case(const Tokenizer& tokenizer, JsonView one) {
  const std::string text = string_at(one, "text");
  for (const bool fused : {true, false}) {
    Encoding encoding;
    const Status status = fused ? tokenizer.encode(text, {}, encoding)
                                : tokenizer.encode_by_parts(text, {}, encoding);
    ASSERT_TRUE(status.ok()) << text;
    ASSERT_EQ(encoding.ids, numbers_at(one, "ids")) << (fused ? "fused: " : "by parts: ") << text;
    if (one.find("spans").has_value()) {
      ASSERT_EQ(flat(encoding.spans), numbers_at(one, "spans")) << text;
    }
    ASSERT_EQ(encoding.token_count, encoding.ids.size());
    ASSERT_FALSE(encoding.truncated);
  }
}

TEST(Tokenizer, GivesTheTokensOfThePythonPackage) {
  std::size_t cases = 0;
  expectations().root().find("variants").value().for_each_element([&](JsonView variant) {
    SCOPED_TRACE(string_at(variant, "name"));
    const std::unique_ptr<Tokenizer> tokenizer = load(tokenizer_json(variant));
    if (tokenizer == nullptr) return true;
    variant.find("cases").value().for_each_element([&](JsonView one) {
      check_case(*tokenizer, one);
      ++cases;
      return true;
    });
    return true;
  });
  EXPECT_GE(cases, 600U);
}

std::string random_token_text(Rng& rng) {
  static const std::vector<std::string> kWords = {
      "the",    "Memory", "[SEP]",  "[MASK]",      "naïve",
      "Straße", "記憶",   "한국어", "e\u0301",     "½",
      " ",      "\n",     "\t",     "x,y",         "...",
      "ভাষা",   "\u200b", "\ufffd", "👩‍👧", std::string(130, 'q')};
  std::string text;
  for (std::uint64_t i = rng.below(12); i > 0; --i) {
    if (rng.below(3) == 0) {
      char32_t c = static_cast<char32_t>(rng.below(rng.below(2) == 0 ? 0x3000 : 0x110000));
      if (c >= 0xD800 && c <= 0xDFFF) c = 0x0301;
      append_utf8(text, c);
    } else {
      text += kWords[rng.below(kWords.size())];
    }
    if (rng.below(2) == 0) text += ' ';
  }
  return text;
}

TEST(Tokenizer, FusedPassEqualsTheParts) {
  const std::unique_ptr<Tokenizer> tokenizer = load(original_json());
  ASSERT_NE(tokenizer, nullptr);
  Rng rng(test_seed());
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = random_token_text(rng);
    Encoding fused;
    Encoding parts;
    ASSERT_TRUE(tokenizer->encode(text, {}, fused).ok());
    ASSERT_TRUE(tokenizer->encode_by_parts(text, {}, parts).ok());
    ASSERT_EQ(fused.ids, parts.ids) << text;
    ASSERT_EQ(fused.spans, parts.spans) << text;
    std::uint32_t end = 0;
    for (std::size_t k = 1; k + 1 < fused.spans.size(); ++k) {
      ASSERT_LE(fused.spans[k].begin, fused.spans[k].end);
      ASSERT_GE(fused.spans[k].end, end) << text;
      ASSERT_LE(fused.spans[k].end, text.size());
      end = fused.spans[k].end;
    }
  }
}

TEST(Tokenizer, TruncationKeepsTheTemplateAndCountsEverything) {
  const std::unique_ptr<Tokenizer> tokenizer = load(original_json());
  ASSERT_NE(tokenizer, nullptr);
  const std::string text = "a memory that is written down, 記憶 [MASK] today";
  Encoding whole;
  ASSERT_TRUE(tokenizer->encode(text, {}, whole).ok());
  EXPECT_EQ(tokenizer->template_token_count(), 2U);
  for (std::uint32_t max = 2; max <= whole.ids.size() + 1; ++max) {
    Encoding cut;
    ASSERT_TRUE(tokenizer->encode(text, {.tokens_max = max}, cut).ok());
    std::vector<std::uint32_t> expected = whole.ids;
    if (max < whole.ids.size()) {
      expected.resize(max - 1);
      expected.push_back(whole.ids.back());
    }
    EXPECT_EQ(cut.ids, expected) << max;
    EXPECT_EQ(cut.spans.size(), cut.ids.size());
    EXPECT_EQ(cut.token_count, whole.token_count);
    EXPECT_EQ(cut.truncated, max < whole.ids.size());
  }
  Encoding bare;
  ASSERT_TRUE(tokenizer->encode(text, {.template_tokens = false}, bare).ok());
  EXPECT_EQ(bare.ids, std::vector<std::uint32_t>(whole.ids.begin() + 1, whole.ids.end() - 1));
}

TEST(Tokenizer, RefusesBytesThatAreNoUtf8) {
  const std::unique_ptr<Tokenizer> tokenizer = load(original_json());
  ASSERT_NE(tokenizer, nullptr);
  Encoding encoding;
  for (const std::string& bad :
       {std::string("ab\xff"), std::string("\xc0\x80"), std::string("\xed\xa0\x80"),
        std::string("\xf4\x90\x80\x80"), std::string("\xe2\x82"), std::string("12345678\x80")}) {
    const Status status = tokenizer->encode(bad, {}, encoding);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(status.error().reason, "invalid_utf8");
    EXPECT_TRUE(encoding.ids.empty());
  }
  EXPECT_TRUE(tokenizer->encode(std::string("a\0b", 3), {}, encoding).ok());
}

struct Refusal {
  const char* from;
  const char* to;
  const char* named;
};

TEST(Tokenizer, RefusesByNameWhatItDoesNotImplement) {
  const std::string json = original_json();
  const Refusal refusals[] = {
      {"\"type\": \"BertNormalizer\"", "\"type\": \"Trigrams\"", "normalizer.type: 'Trigrams'"},
      {"\"clean_text\": true", "\"clean_text\": true, \"surprise\": 1",
       "normalizer: option 'surprise'"},
      {"\"lowercase\": true", "\"lowercase\": 3", "normalizer.lowercase"},
      {"{\"type\": \"BertPreTokenizer\"}",
       "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Whitespace\"}, {\"type\": "
       "\"T\"}]}",
       "pre_tokenizer.pretokenizers[1].type: 'T'"},
      {"{\"type\": \"BertPreTokenizer\"}",
       "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"(a)\\\\1\"}, \"behavior\": \"Isolated\"}",
       "pre_tokenizer.pattern.Regex"},
      {"\"type\": \"WordPiece\"", "\"type\": \"Trigrams\"", "model.type: 'Trigrams'"},
      {"\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 0",
       "model.max_input_chars_per_word"},
      {"\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[NONE]\"", "[NONE]"},
      {"\"type\": \"TemplateProcessing\"", "\"type\": \"Trigrams\"", "post_processor.type"},
      {"\"type_id\": 0", "\"type_id\": 999", "type_id"},
      {"\"lstrip\": false", "\"sidewise\": false", "added_tokens[0]: option 'sidewise'"},
      {"\"truncation\": null",
       "\"truncation\": {\"direction\": \"Up\", \"max_length\": 1, \"strategy\": \"OnlyFirst\"}",
       "truncation.direction: 'Up'"},
      {"\"padding\": null", "\"padding\": null, \"spelling\": 1", "spelling"},
      {"\"version\": \"1.0\"", "\"version\": \"2.0\"", "version: '2.0'"},
      {"\"content\": \"[MASK]\"", "\"content\": \"[MISC]\"", "[MISC]"},
  };
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.to);
    std::string changed = json;
    const std::size_t at = changed.find(refusal.from);
    ASSERT_NE(at, std::string::npos);
    changed.replace(at, std::string(refusal.from).size(), refusal.to);
    const Result<std::unique_ptr<Tokenizer>> tokenizer = Tokenizer::from_json(changed);
    ASSERT_FALSE(tokenizer.ok());
    EXPECT_THAT(tokenizer.error().message, HasSubstr(refusal.named));
    EXPECT_TRUE(tokenizer.error().code == ErrorCode::kUnimplemented ||
                tokenizer.error().code == ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(Tokenizer::from_json("[1, 2").ok());
  EXPECT_FALSE(Tokenizer::from_json("[]").ok());
  EXPECT_FALSE(Tokenizer::from_json("{}").ok());
}

// Words of one letter, so that ids and places can be told by looking: a is 1, b is 2, ...
std::string letters_json(const std::string& parts) {
  std::string vocabulary = "{\"?\":0";
  for (char c = 'a'; c <= 'z'; ++c) {
    vocabulary += std::string(",\"") + c + "\":" + std::to_string(c - 'a' + 1);
  }
  return "{\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":" + vocabulary +
         "}},\"pre_tokenizer\":{\"type\":\"Whitespace\"}" + parts + "}";
}

using TestIds = std::vector<std::uint32_t>;
using TestBytes = std::vector<std::uint8_t>;

TEST(Tokenizer, PairsCarryTypesMasksAndTheirOwnPlaces) {
  const std::unique_ptr<Tokenizer> tokenizer = load(
      letters_json(R"(,"post_processor":{"type":"BertProcessing","sep":["z",26],"cls":["y",25]})"));
  ASSERT_NE(tokenizer, nullptr);
  Encoding pair;
  ASSERT_TRUE(tokenizer->encode_pair("a b", "c d e", {}, pair).ok());
  EXPECT_EQ(pair.ids, (TestIds{25, 1, 2, 26, 3, 4, 5, 26}));
  EXPECT_EQ(pair.type_ids, (TestBytes{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(pair.template_mask, (TestBytes{1, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(flat(pair.spans), (TestIds{0, 0, 0, 1, 2, 3, 0, 0, 0, 1, 2, 3, 4, 5, 0, 0}));
  EXPECT_EQ(pair.second_begin, 4U);
  EXPECT_EQ(pair.second_end, 7U);
  EXPECT_EQ(pair.token_count, 8U);
  EXPECT_FALSE(pair.truncated);
  EXPECT_EQ(tokenizer->pair_template_token_count(), 3U);
  ASSERT_TRUE(tokenizer->encode_pair("a b", "c d e", {.template_tokens = false}, pair).ok());
  EXPECT_EQ(pair.ids, (TestIds{1, 2, 3, 4, 5}));
  EXPECT_EQ(pair.type_ids, (TestBytes{0, 0, 1, 1, 1}));
  EXPECT_FALSE(tokenizer->encode_pair("a", "\xff", {}, pair).ok());
}

TEST(Tokenizer, TruncationOfPairsAndSides) {
  const std::unique_ptr<Tokenizer> tokenizer = load(letters_json(
      R"(,"truncation":{"direction":"Left","max_length":3,"strategy":"OnlySecond","stride":1})"));
  ASSERT_NE(tokenizer, nullptr);
  Encoding out;
  const auto pair = [&](const EncodeParams& params) {
    const Status status = tokenizer->encode_pair("a b c", "d e f g h", params, out);
    return status.ok() ? out.ids : TestIds{99};
  };
  const auto right = TruncationSide::kRight;
  const auto longest = TruncationStrategy::kLongestFirst;
  const auto first = TruncationStrategy::kOnlyFirst;
  EXPECT_EQ(pair({}), (TestIds{1, 2, 3, 4, 5, 6, 7, 8}));  // The file's length does not count.
  EXPECT_EQ(pair({.tokens_max = 5}), (TestIds{1, 2, 3, 7, 8}));
  EXPECT_TRUE(out.truncated);
  EXPECT_EQ(out.token_count, 8U);
  EXPECT_EQ(pair({.tokens_max = 3}), (TestIds{99}));  // The second would lose all.
  EXPECT_EQ(pair({.tokens_max = 6, .side = right, .strategy = longest}),
            (TestIds{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(pair({.tokens_max = 5, .side = right, .strategy = longest}), (TestIds{1, 2, 4, 5, 6}));
  EXPECT_EQ(pair({.tokens_max = 6, .side = right, .strategy = first}), (TestIds{1, 4, 5, 6, 7, 8}));
  EXPECT_EQ(pair({.tokens_max = 0, .strategy = longest}), TestIds{});
  ASSERT_TRUE(tokenizer->encode("a b c", {.tokens_max = 2}, out).ok());
  EXPECT_EQ(out.ids, (TestIds{2, 3}));
  ASSERT_TRUE(tokenizer->encode("a b c", {.tokens_max = 2, .side = right}, out).ok());
  EXPECT_EQ(out.ids, (TestIds{1, 2}));
  EXPECT_EQ(out.token_count, 3U);
}

TEST(Tokenizer, TemplatesThatLackATextAreRefusedWhenUsed) {
  const std::unique_ptr<Tokenizer> tokenizer =
      load(letters_json(R"(,"post_processor":{"type":"TemplateProcessing","special_tokens":{},)"
                        R"("single":[{"Sequence":{"id":"A","type_id":0}}],)"
                        R"("pair":[{"Sequence":{"id":"A","type_id":0}}]})"));
  ASSERT_NE(tokenizer, nullptr);
  Encoding out;
  EXPECT_TRUE(tokenizer->encode("a", {}, out).ok());
  const Status status = tokenizer->encode_pair("a", "b", {}, out);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnimplemented);
}

TEST(Tokenizer, TellsTheTokenOfAnId) {
  const std::unique_ptr<Tokenizer> tokenizer =
      load(letters_json(R"(,"added_tokens":[{"id":27,"content":"<x>","special":true}])"));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->token(3), "c");
  EXPECT_EQ(tokenizer->token(27), "<x>");
  EXPECT_EQ(tokenizer->token(28), "");
  EXPECT_EQ(tokenizer->ids_end(), 28U);
}

// A byte-level tokenizer with everything that scratch memory is for.
std::string byte_level_json() {
  std::string vocabulary;
  std::uint32_t id = 0;
  for (int byte = 0; byte < 256; ++byte) {
    std::string token;
    append_utf8(token, byte_level_char(static_cast<unsigned char>(byte)));
    if (!vocabulary.empty()) vocabulary += ',';
    append_json_string(vocabulary, token);
    vocabulary += ':' + std::to_string(id++);
  }
  return "{\"model\":{\"type\":\"BPE\",\"vocab\":{" + vocabulary +
         ",\"th\":256,\"the\":257,\"\u0120the\":258},\"merges\":[[\"t\",\"h\"],[\"th\",\"e\"],"
         "[\"\u0120\",\"the\"]]},\"normalizer\":{\"type\":\"NFC\"},"
         "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},"
         "\"post_processor\":{\"type\":\"ByteLevel\",\"trim_offsets\":true}}";
}

TEST(Tokenizer, ByteLevelTrimsSpacesOffPlaces) {
  const std::unique_ptr<Tokenizer> tokenizer = load(byte_level_json());
  ASSERT_NE(tokenizer, nullptr);
  Encoding out;
  ASSERT_TRUE(tokenizer->encode("the the", {}, out).ok());
  EXPECT_EQ(out.ids, (TestIds{257, 258}));
  EXPECT_EQ(flat(out.spans), (TestIds{0, 3, 4, 7}));
  // Both bytes of a character stand for all of it.
  ASSERT_TRUE(tokenizer->encode("\u00E9", {}, out).ok());
  EXPECT_EQ(flat(out.spans), (TestIds{0, 2, 0, 2}));
}

TEST(Tokenizer, ManyThreadsGetWhatOneGets) {
  const std::unique_ptr<Tokenizer> tokenizer = load(byte_level_json());
  ASSERT_NE(tokenizer, nullptr);
  const std::uint64_t seed = test_seed();
  Rng rng(seed);
  std::vector<std::string> texts;
  std::vector<Encoding> wanted(300);
  for (Encoding& encoding : wanted) {
    texts.push_back("the " + random_token_text(rng));
    ASSERT_TRUE(tokenizer->encode_by_parts(texts.back(), {}, encoding).ok());
  }
  std::atomic<int> different = 0;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 24; ++t) {  // More than there are slots for scratch memory.
    threads.emplace_back([&, t] {
      Rng own(seed + t);
      Encoding got;
      for (int i = 0; i < 400; ++i) {
        const std::size_t at = own.below(texts.size());
        const bool ok = tokenizer->encode(texts[at], {}, got).ok();
        if (!ok || got.ids != wanted[at].ids || got.spans != wanted[at].spans) ++different;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(different, 0);
}

TEST(Tokenizer, TextThatAPatternMakesTooLongIsRefused) {
  std::string steps;
  for (int i = 0; i < 8; ++i) {
    steps += std::string(i == 0 ? "" : ",") +
             R"({"type":"Replace","pattern":{"String":"a"},"content":")" + std::string(500, 'a') +
             "\"}";
  }
  const std::unique_ptr<Tokenizer> tokenizer =
      load(letters_json(",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[" + steps + "]}"));
  ASSERT_NE(tokenizer, nullptr);
  Encoding out;
  const Status status = tokenizer->encode("aaaa", {}, out);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().reason, "text_too_large");
  EXPECT_TRUE(out.ids.empty());
}

}  // namespace
}  // namespace quipu::text
