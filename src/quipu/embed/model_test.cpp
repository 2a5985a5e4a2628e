// Goal: the default model gives the vectors of sentence-transformers, in every precision that this
// CPU has, alone and in company, through all of the embedder. Method: expectations stored by
// tools/make_embedding_expectations.py. Needs the default model and the runtime (`make setup`);
// QUIPU_TEST_WITHOUT_MODEL=1 skips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>

#include "quipu/base/json.h"
#include "quipu/embed/embedding_service.h"
#include "quipu/embed/model_check.h"
#include "quipu/embed/runtime_loader.h"

namespace quipu::embed {
namespace {

constexpr char kModel[] = "all-MiniLM-L6-v2";

struct Expectation {
  std::string text;
  std::vector<float> vector;
  std::uint32_t token_count = 0;
  bool truncated = false;
};

std::vector<Expectation> read_expectations() {
  std::vector<Expectation> out;
  const Result<std::string> text = read_file(
      posix_file_system(), QUIPU_SOURCE_DIR "/tests/data/embedding_expectations.json", 4U << 20);
  QUIPU_ASSERT(text.ok());
  const Result<JsonDocument> document = JsonDocument::parse(text.value());
  QUIPU_ASSERT(document.ok());
  document.value().root().find("texts").value().for_each_element([&](JsonView row) {
    Expectation one;
    one.text = std::string(row.find("text").value().as_string().value());
    QUIPU_ASSERT(row.find("vector").value().read_floats(one.vector).ok());
    one.token_count =
        static_cast<std::uint32_t>(row.find("token_count").value().as_uint64().value());
    one.truncated = row.find("truncated").value().as_bool().value();
    out.push_back(std::move(one));
    return true;
  });
  return out;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return dot / std::sqrt(aa * bb);
}

class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const skip = std::getenv("QUIPU_TEST_WITHOUT_MODEL");
    if (skip != nullptr && std::string(skip) == "1") {
      GTEST_SKIP() << "QUIPU_TEST_WITHOUT_MODEL=1: the default model is not tested";
    }
    ASSERT_TRUE(posix_file_system().is_directory(std::string(QUIPU_DEPS_DIR "/models/") + kModel))
        << "the default model is missing: run `make setup`";
  }
  static EmbedderOptions options(const std::string& precision) {
    return {.model_dirs = {QUIPU_DEPS_DIR "/models"}, .threads = 2, .precision = precision};
  }
  static std::unique_ptr<Embedder> make(const std::string& precision) {
    return std::move(make_embedder(options(precision), null_metrics(), system_clock())).value();
  }
  static void check_all(const std::string& precision, double cosine_min) {
    const auto embedder = make(precision);
    const std::vector<Expectation> expected = read_expectations();
    ASSERT_GE(expected.size(), 40U);
    std::vector<std::string_view> texts;
    for (const Expectation& one : expected) texts.push_back(one.text);
    const std::vector<Result<Embedding>> out = embedder->embed(texts, {.model = kModel});
    double worst = 1;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      ASSERT_TRUE(out[i].ok()) << out[i].error().message;
      const Embedding& got = out[i].value();
      ASSERT_EQ(got.values.size(), expected[i].vector.size());
      EXPECT_EQ(got.token_count, expected[i].token_count) << expected[i].text;
      EXPECT_EQ(got.truncated, expected[i].truncated) << expected[i].text;
      const double similarity = cosine(got.values, expected[i].vector);
      EXPECT_GE(similarity, cosine_min) << expected[i].text;
      EXPECT_NEAR(cosine(got.values, got.values), 1, 1e-6);
      worst = std::min(worst, similarity);
    }
    EXPECT_EQ(embedder->model(kModel).value().precision, precision);
    std::fprintf(stderr, "%s: worst cosine %.7f of %zu texts\n", precision.c_str(), worst,
                 expected.size());
  }
};

TEST_F(ModelTest, EqualsSentenceTransformersInF32) {
  ASSERT_NO_FATAL_FAILURE(check_all("f32", 0.9999));
}

TEST_F(ModelTest, EqualsSentenceTransformersInBf16) {
  if (!cpu_has_bf16()) GTEST_SKIP() << "this CPU has no bfloat16 instructions";
  ASSERT_NO_FATAL_FAILURE(check_all("bf16", 0.999));
}

TEST_F(ModelTest, AVectorDoesNotDependOnItsCompany) {
  const auto together = make("f32");
  const auto apart = make("f32");
  const std::vector<Expectation> expected = read_expectations();
  std::vector<std::string_view> texts;
  for (const Expectation& one : expected) texts.push_back(one.text);
  const std::vector<Result<Embedding>> all = together->embed(texts, {.model = kModel});
  for (std::size_t i = 0; i < texts.size(); i += 3) {
    const std::vector<Result<Embedding>> one = apart->embed({&texts[i], 1}, {.model = kModel});
    ASSERT_TRUE(one[0].ok());
    EXPECT_GE(cosine(one[0].value().values, all[i].value().values), 0.999999);
  }
}

TEST_F(ModelTest, TellsWhatItIs) {
  const auto embedder = make("");
  const Result<ModelInfo> info = embedder->model(kModel);
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(info.value().dim, 384U);
  EXPECT_EQ(info.value().tokens_max, 256U) << "not the 128 that tokenizer.json happens to say";
  EXPECT_EQ(info.value().pooling, "mean");
  EXPECT_TRUE(info.value().normalised);
  EXPECT_EQ(info.value().architecture, "bert");
  EXPECT_EQ(info.value().revision.size(), 16U);
  EXPECT_EQ(info.value().file_bytes, 90'868'376U);
}

TEST_F(ModelTest, CheckFindsItWell) {
  const Result<ModelCheck> check =
      check_model(options(""), kModel, posix_file_system(), system_clock());
  ASSERT_TRUE(check.ok()) << check.error().message;
  EXPECT_TRUE(check.value().good) << check.value().problem;
  EXPECT_GE(check.value().cosine_min, 0.999);
  EXPECT_GT(check.value().load_ms, 0);
  EXPECT_GT(check.value().tokens, 100U);
}

}  // namespace
}  // namespace quipu::embed
