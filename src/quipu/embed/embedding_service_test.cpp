// Goal: what callers of Embedder are promised, without a real runtime: models found, refused and
// described; texts cached, counted, truncated, prompted; one bad text fails alone.
#include "quipu/embed/embedding_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "quipu/base/rng.h"
#include "quipu/embed/model_folder.h"
#include "quipu/embed/testing/tiny_model.h"

namespace quipu::embed {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class EmbeddingServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    testing_support::write_tiny_model(folder_.path() + "/tiny", {.query_prefix = "a: "});
    testing_support::write_tiny_model(folder_.path() + "/other", {.seed = 2, .pooling = "cls"});
    testing_support::write_tiny_model(folder_.path() + "/scorer", {.seed = 3, .scores = true});
  }
  std::unique_ptr<Embedder> make(EmbedderOptions options = {}) {
    options.model_dirs = {folder_.path() + "/absent", folder_.path()};
    options.runtime = &runtime_;
    options.threads = 2;
    Result<std::unique_ptr<Embedder>> made =
        make_embedder(std::move(options), null_metrics(), system_clock());
    EXPECT_TRUE(made.ok());
    return std::move(made).value();
  }
  static Result<Embedding> one(Embedder& embedder, std::string_view text, EmbedParams params = {}) {
    if (params.model.empty()) params.model = "tiny";
    std::vector<Result<Embedding>> out = embedder.embed({&text, 1}, params);
    EXPECT_THAT(out, SizeIs(1));
    return std::move(out[0]);
  }

  testing_support::TemporaryFolder folder_;
  testing_support::FakeRuntime runtime_;
};

TEST_F(EmbeddingServiceTest, DescribesModels) {
  const auto embedder = make();
  const std::vector<ModelInfo> models = embedder->models();
  ASSERT_THAT(models, SizeIs(3));
  EXPECT_EQ(models[0].name, "other");
  EXPECT_EQ(models[0].revision, "") << "listing must not read the weights";
  EXPECT_EQ(runtime_.loads, 0);
  const Result<ModelInfo> info = embedder->model("tiny");
  ASSERT_TRUE(info.ok()) << info.error().message;
  EXPECT_EQ(info.value().dim, testing_support::kTinyHidden);
  EXPECT_EQ(info.value().tokens_max, 24U);
  EXPECT_EQ(info.value().pooling, "mean");
  EXPECT_EQ(info.value().architecture, "bert");
  EXPECT_EQ(info.value().format, "safetensors");
  EXPECT_TRUE(info.value().normalised);
  EXPECT_EQ(info.value().query_prefix, "a: ");
  EXPECT_THAT(info.value().revision, SizeIs(16));
  EXPECT_FALSE(info.value().loaded);
  EXPECT_EQ(runtime_.loads, 0) << "describing must not load";
  EXPECT_NE(embedder->model("other").value().revision, info.value().revision);
  ASSERT_TRUE(one(*embedder, "a").ok());
  EXPECT_TRUE(embedder->model("tiny").value().loaded);
  EXPECT_EQ(embedder->models()[2].revision, info.value().revision);
}

TEST_F(EmbeddingServiceTest, PairsAreScoredByModelsThatScore) {
  const auto embedder = make();
  EXPECT_EQ(embedder->model("scorer").value().task, "score");
  EXPECT_EQ(embedder->model("scorer").value().dim, 1U);
  EXPECT_EQ(embedder->model("tiny").value().task, "embed");
  const std::vector<std::string_view> texts = {"a b", "b a", "", "a b"};
  const auto scores = embedder->score("a", texts, {.model = "scorer"});
  ASSERT_THAT(scores, SizeIs(4));
  for (const auto& score : scores) ASSERT_TRUE(score.ok()) << score.error().message;
  EXPECT_EQ(scores[0].value().logit, scores[3].value().logit);
  EXPECT_NE(scores[0].value().logit, scores[1].value().logit);
  EXPECT_EQ(scores[0].value().token_count, 3U);
  EXPECT_EQ(scores[2].value().token_count, 1U) << "an empty text is none the less a text";
  EXPECT_EQ(runtime_.texts, 3) << "equal pairs are computed once";
  EXPECT_EQ(embedder->score("a", texts, {.model = "scorer"})[1].value().logit,
            scores[1].value().logit);
  EXPECT_EQ(runtime_.texts, 3) << "from the cache";
  // Query and text are not one string: ("a", "b a") is not ("a b", "a").
  const std::vector<std::string_view> other = {"a"};
  EXPECT_NE(embedder->score("a b", other, {.model = "scorer"})[0].value().logit,
            scores[1].value().logit);
}

TEST_F(EmbeddingServiceTest, ALongPairIsCutAndSaysSo) {
  const auto embedder = make();
  std::string longer;
  for (int i = 0; i < 40; ++i) longer += "a ";
  const std::string_view text = longer;
  const auto scores = embedder->score("b", {&text, 1}, {.model = "scorer"});
  ASSERT_TRUE(scores[0].ok()) << scores[0].error().message;
  EXPECT_TRUE(scores[0].value().truncated);
  EXPECT_EQ(scores[0].value().token_count, 41U);
}

TEST_F(EmbeddingServiceTest, AModelDoesNotDoWhatItIsNotFor) {
  const auto embedder = make();
  const Result<Embedding> vector = one(*embedder, "a", {.model = "scorer"});
  ASSERT_FALSE(vector.ok());
  EXPECT_EQ(vector.error().reason, "wrong_task");
  EXPECT_THAT(vector.error().message, HasSubstr("'scorer' scores pairs"));
  const std::vector<std::string_view> texts = {"b"};
  const auto score = embedder->score("a", texts, {.model = "tiny"});
  ASSERT_FALSE(score[0].ok());
  EXPECT_EQ(score[0].error().reason, "wrong_task");
  EXPECT_EQ(embedder->score("a", texts, {.model = "absent"})[0].error().reason, "model_not_found");
}

TEST_F(EmbeddingServiceTest, AnUnknownModelIsAnErrorThatListsTheKnown) {
  const auto embedder = make();
  for (const char* name : {"absent-model", "", "../tiny", "tiny/", ".", "a b"}) {
    const Result<ModelInfo> info = embedder->model(name);
    ASSERT_FALSE(info.ok()) << name;
    EXPECT_EQ(info.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(info.error().reason, "model_not_found");
    EXPECT_THAT(info.error().message, HasSubstr("other, scorer, tiny"));
  }
  const Result<Embedding> embedded = one(*embedder, "a", {.model = "absent-model"});
  ASSERT_FALSE(embedded.ok());
  EXPECT_EQ(embedded.error().reason, "model_not_found");
  EXPECT_FALSE(embedder->chunk("absent-model", "a", 0, 0).ok());
}

TEST_F(EmbeddingServiceTest, DamageNamesTheFile) {
  const std::string model = folder_.path() + "/tiny";
  const struct {
    const char* file;
    const char* content;
  } kDamages[] = {
      {"model.safetensors", "short"},
      {"tokenizer.json", "{\"model\": {}}"},
      {"tokenizer.json", "not json"},
      {"config.json", "{\"model_type\": \"bert\", \"hidden_size\": -4}"},
      {"config.json", "{"},
      {"modules.json", "{}"},
      {"1_Pooling/config.json", "3 4"},
      {"sentence_bert_config.json", "{\"max_seq_length\": \"many\"}"},
      {"sentence_bert_config.json", "{\"max_seq_length\": 33}"},
      {"sentence_bert_config.json", "{\"max_seq_length\": 2}"},
  };
  for (const auto& damage : kDamages) {
    SCOPED_TRACE(std::string(damage.file) + ": " + damage.content);
    testing_support::write_tiny_model(model, {});
    testing_support::write_file(model + "/" + damage.file, damage.content);
    const auto embedder = make();
    const Result<Embedding> embedded = one(*embedder, "a");
    ASSERT_FALSE(embedded.ok());
    EXPECT_EQ(embedded.error().code, ErrorCode::kCorruption);
    EXPECT_EQ(embedded.error().reason, "model_damaged");
    // A template that fills the whole length is laid to the tokenizer, whose it is.
    if (std::string(damage.content).find(": 2}") == std::string::npos) {
      EXPECT_THAT(embedded.error().message, HasSubstr(damage.file));
    }
    EXPECT_TRUE(one(*embedder, "a", {.model = "other"}).ok()) << "the other is not touched";
  }
  for (const char* file : {"model.safetensors", "tokenizer.json", "1_Pooling/config.json"}) {
    SCOPED_TRACE(file);
    testing_support::write_tiny_model(model, {});
    ASSERT_TRUE(posix_file_system().remove_file(model + "/" + file).ok());
    const Result<Embedding> embedded = one(*make(), "a");
    ASSERT_FALSE(embedded.ok());
    EXPECT_THAT(embedded.error().message, HasSubstr(file));
  }
}

TEST_F(EmbeddingServiceTest, UnsupportedKindsAreRefusedByName) {
  const std::string model = folder_.path() + "/tiny";
  const struct {
    const char* file;
    const char* content;
    const char* named;
  } kKinds[] = {
      {"config.json", "{\"model_type\": \"bloom\"}", "bloom"},
      {"modules.json", "[{\"path\": \"2_Dense\", \"type\": \"x.Dense\"}]", "Dense"},
      {"1_Pooling/config.json", "{\"pooling_mode_weightedmean_tokens\": true}", "weightedmean"},
      {"1_Pooling/config.json", "{}", "0 pooling modes"},
      {"sentence_bert_config.json", "{\"do_lower_case\": true}", "do_lower_case"},
  };
  for (const auto& kind : kKinds) {
    testing_support::write_tiny_model(model, {});
    testing_support::write_file(model + "/" + kind.file, kind.content);
    const Result<Embedding> embedded = one(*make(), "a");
    ASSERT_FALSE(embedded.ok()) << kind.named;
    EXPECT_EQ(embedded.error().code, ErrorCode::kUnimplemented);
    EXPECT_THAT(embedded.error().message, HasSubstr(kind.named));
    EXPECT_THAT(embedded.error().message, HasSubstr(kind.file));
  }
}

TEST_F(EmbeddingServiceTest, RevisionFollowsEveryFileThatCounts) {
  const std::string model = folder_.path() + "/tiny";
  const auto revision = [&](bool recompute) {
    const Result<ModelFolder> folder = read_model_folder(posix_file_system(), model);
    return model_revision(posix_file_system(), folder.value(), recompute).value();
  };
  const std::string before = revision(false);
  EXPECT_EQ(revision(false), before);
  EXPECT_EQ(revision(true), before);
  testing_support::write_file(model + "/sentence_bert_config.json", "{\"max_seq_length\": 20}");
  const std::string shorter = revision(false);
  EXPECT_NE(shorter, before);
  testing_support::write_file(
      model + "/model.safetensors",
      testing_support::make_safetensors(testing_support::tiny_weights({.seed = 9}), "F32"));
  EXPECT_NE(revision(false), shorter) << "the kept digest was of the file before";
  EXPECT_EQ(revision(false), revision(true));
}

TEST_F(EmbeddingServiceTest, CachesByAllThatAVectorDependsOn) {
  const auto embedder = make();
  const Result<Embedding> first = one(*embedder, "memory");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(runtime_.texts, 1);
  const Result<Embedding> again = one(*embedder, "memory");
  EXPECT_EQ(again.value().values, first.value().values);
  EXPECT_EQ(runtime_.texts, 1);
  const Result<Embedding> query = one(*embedder, "memory", {.kind = TextKind::kQuery});
  EXPECT_EQ(runtime_.texts, 2) << "a query has another prefix";
  EXPECT_GT(query.value().token_count, first.value().token_count);
  EXPECT_NE(query.value().values, first.value().values);
  ASSERT_TRUE(one(*embedder, "memory", {.model = "other"}).ok());
  EXPECT_EQ(runtime_.texts, 3);
  EXPECT_GT(embedder->shrink_cache(0), 0U);
  ASSERT_TRUE(one(*embedder, "memory").ok());
  EXPECT_EQ(runtime_.texts, 4);
}

TEST_F(EmbeddingServiceTest, CountsAndTruncatesAndRefusesOnRequest) {
  const auto embedder = make();
  std::string text = "a";
  for (int i = 1; i < 22; ++i) text += " a";
  const Result<Embedding> whole = one(*embedder, text);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole.value().token_count, 24U);
  EXPECT_FALSE(whole.value().truncated);
  const Result<Embedding> cut = one(*embedder, text + " a a");
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(cut.value().token_count, 26U);
  EXPECT_TRUE(cut.value().truncated);
  EXPECT_EQ(cut.value().values, whole.value().values) << "the first tokens are the same";
  for (int round = 0; round < 2; ++round) {  // Once from the cache, once tokenized.
    const Result<Embedding> refused = one(*embedder, text + " a a", {.refuse_long = true});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason, "text_too_long");
    EXPECT_THAT(refused.error().message, HasSubstr("26"));
    EXPECT_THAT(refused.error().message, HasSubstr("24"));
    static_cast<void>(embedder->shrink_cache(0));
  }
}

TEST_F(EmbeddingServiceTest, ABadTextFailsAlone) {
  const auto embedder = make();
  const std::string large((1U << 20) + 1, 'x');
  const std::vector<std::string_view> texts = {"one", "\xff\xfe", "two", large, "", "one"};
  const std::vector<Result<Embedding>> out = embedder->embed(texts, {.model = "tiny"});
  ASSERT_THAT(out, SizeIs(6));
  EXPECT_TRUE(out[0].ok());
  ASSERT_FALSE(out[1].ok());
  EXPECT_EQ(out[1].error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(out[1].error().reason, "invalid_utf8");
  EXPECT_TRUE(out[2].ok());
  ASSERT_FALSE(out[3].ok());
  EXPECT_EQ(out[3].error().reason, "text_too_large");
  ASSERT_TRUE(out[4].ok()) << "an empty text has the template's tokens";
  EXPECT_EQ(out[4].value().token_count, 2U);
  EXPECT_EQ(out[5].value().values, out[0].value().values);
  EXPECT_TRUE(embedder->embed({}, {.model = "tiny"}).empty());
}

TEST_F(EmbeddingServiceTest, KeepsOrderUnderConcurrentLoad) {
  const auto embedder = make({.cache_bytes = 1U << 20});
  const auto lone = make({.cache_bytes = 0});
  std::vector<std::string> words;
  std::vector<std::vector<float>> expected;
  for (int i = 0; i < 120; ++i) {
    words.push_back("memory " + std::to_string(i));
    expected.push_back(one(*lone, words.back()).value().values);
  }
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int round = 0; round < 20; ++round) {
        std::vector<std::size_t> chosen;
        std::vector<std::string_view> texts;
        for (int i = 0; i < 16; ++i) {
          chosen.push_back(rng.below(words.size()));
          texts.push_back(words[chosen.back()]);
        }
        const std::vector<Result<Embedding>> out =
            embedder->embed(texts, {.model = "tiny", .interactive = t % 2 == 0});
        for (std::size_t i = 0; i < chosen.size(); ++i) {
          ASSERT_TRUE(out[i].ok());
          ASSERT_EQ(out[i].value().values, expected[chosen[i]]);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(runtime_.loads, 2) << "once for each embedder";
}

TEST_F(EmbeddingServiceTest, ChunksToTheModel) {
  const auto embedder = make();
  std::string text;
  for (int i = 0; i < 60; ++i) text += "a memory. ";
  const Result<std::vector<TextChunk>> chunks = embedder->chunk("tiny", text, 0, 4);
  ASSERT_TRUE(chunks.ok()) << chunks.error().message;
  EXPECT_GT(chunks.value().size(), 2U);
  for (const TextChunk& chunk : chunks.value()) {
    const Result<Embedding> embedded = one(
        *embedder, std::string_view(text).substr(chunk.offset, chunk.size), {.refuse_long = true});
    ASSERT_TRUE(embedded.ok());
    EXPECT_EQ(embedded.value().token_count, chunk.token_count);
  }
  const Result<std::vector<TextChunk>> wide = embedder->chunk("tiny", text, 25, 0);
  ASSERT_FALSE(wide.ok());
  EXPECT_THAT(wide.error().message, HasSubstr("24"));
}

TEST_F(EmbeddingServiceTest, APassedDeadlineIsAnError) {
  const auto embedder = make();
  const Result<Embedding> late =
      one(*embedder, "late", {.deadline = std::chrono::steady_clock::time_point()});
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, ErrorCode::kDeadlineExceeded);
}

TEST_F(EmbeddingServiceTest, SettingsAreChecked) {
  const Result<std::unique_ptr<Embedder>> wrong =
      make_embedder({.precision = "f8"}, null_metrics(), system_clock());
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().message, HasSubstr("'f8'"));
  EmbedderOptions nowhere{.model_dirs = {folder_.path()}, .runtime_dir = folder_.path()};
  const auto embedder =
      std::move(make_embedder(std::move(nowhere), null_metrics(), system_clock())).value();
  const Result<Embedding> missing = one(*embedder, "a");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(missing.error().reason, "embedding_runtime_missing");
  EXPECT_THAT(missing.error().message, HasSubstr(folder_.path()));
}

}  // namespace
}  // namespace quipu::embed
