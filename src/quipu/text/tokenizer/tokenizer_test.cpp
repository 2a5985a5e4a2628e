// Goal: the tokens, and the bytes they stand for, of the Python package `tokenizers`.
// Method: expectations stored by tools/make_tokenizer_expectations.py for every supported part; the
// fused pass against the parts one after the other on random strings; refusals by name.
#include "quipu/text/tokenizer/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/text/unicode/utf8.h"

namespace quipu::text {
namespace {

using ::testing::HasSubstr;

std::uint64_t test_seed() {
  const char* const set = std::getenv("QUIPU_TEST_SEED");
  const std::uint64_t seed = set == nullptr ? entropy() : std::strtoull(set, nullptr, 10);
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  std::fprintf(stderr, "QUIPU_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

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

std::string random_text(Rng& rng) {
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
    const std::string text = random_text(rng);
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
      {"\"type\": \"BertNormalizer\"", "\"type\": \"Replace\"", "Replace"},
      {"\"clean_text\": true", "\"clean_text\": true, \"surprise\": 1", "surprise"},
      {"\"lowercase\": true", "\"lowercase\": 3", "lowercase"},
      {"\"type\": \"BertPreTokenizer\"", "\"type\": \"ByteLevel\"", "ByteLevel"},
      {"\"type\": \"WordPiece\"", "\"type\": \"Unigram\"", "Unigram"},
      {"\"max_input_chars_per_word\": 100", "\"max_input_chars_per_word\": 0",
       "max_input_chars_per_word"},
      {"\"unk_token\": \"[UNK]\"", "\"unk_token\": \"[NONE]\"", "[NONE]"},
      {"\"type\": \"TemplateProcessing\"", "\"type\": \"RobertaProcessing\"", "RobertaProcessing"},
      {"\"type_id\": 0", "\"type_id\": 1", "type_id"},
      {"\"lstrip\": false", "\"sidewise\": false", "sidewise"},
      {"\"truncation\": null",
       "\"truncation\": {\"direction\": \"Left\", \"max_length\": 1, \"strategy\": \"\"}", "Left"},
      {"\"padding\": null", "\"padding\": null, \"spelling\": 1", "spelling"},
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

}  // namespace
}  // namespace quipu::text
