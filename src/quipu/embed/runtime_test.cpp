// Goal: OpenVINO runs our graphs as the plainest loops would, for every pooling and weight type,
// and a text's vector does not depend on its company. Needs the module libquipu_openvino.so, but no
// downloaded model. QUIPU_TEST_WITHOUT_MODEL=1 skips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"
#include "quipu/embed/model_folder.h"
#include "quipu/embed/model_registry.h"
#include "quipu/embed/runtime_loader.h"
#include "quipu/embed/testing/tiny_model.h"

namespace quipu::embed {
namespace {

using testing::HasSubstr;
using Ids = std::vector<std::uint32_t>;

class RuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* const skip = std::getenv("QUIPU_TEST_WITHOUT_MODEL");
    if (skip != nullptr && std::string(skip) == "1") {
      GTEST_SKIP() << "QUIPU_TEST_WITHOUT_MODEL=1: the runtime is not tested";
    }
    const Result<Runtime*> runtime = open_runtime("");
    ASSERT_TRUE(runtime.ok()) << runtime.error().message;
  }

  struct Opened {
    std::unique_ptr<DescribedModel> described;
    std::unique_ptr<LoadedModel> loaded;
  };
  Result<Opened> open(const std::string& precision = "f32", std::size_t threads = 1) {
    Opened out;
    QUIPU_TRY(out.described, describe_model(posix_file_system(), "model", path_));
    QUIPU_TRY(out.loaded, load_model(*out.described, {.threads = threads, .precision = precision},
                                     posix_file_system(), system_clock()));
    return out;
  }
  static std::vector<std::vector<float>> run(Opened& model, const std::vector<Ids>& texts) {
    RuntimeModel& runtime = *model.loaded->runtime;
    std::vector<ModelInput> spans;
    for (const Ids& text : texts) spans.push_back({text});
    const std::size_t dim = runtime.info().dim;
    std::vector<float> flat(texts.size() * dim);
    const Status status = runtime.embed(spans, flat);
    EXPECT_TRUE(status.ok()) << (status.ok() ? "" : status.error().message);
    std::vector<std::vector<float>> out;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      out.emplace_back(flat.begin() + static_cast<std::ptrdiff_t>(i * dim),
                       flat.begin() + static_cast<std::ptrdiff_t>((i + 1) * dim));
    }
    return out;
  }
  static void expect_near(const std::vector<float>& got, const std::vector<float>& want,
                          double tolerance) {
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << i;
  }
  static std::vector<Ids> random_texts(Rng& rng, std::size_t count, std::uint32_t tokens_max) {
    std::vector<Ids> out(count);
    for (Ids& ids : out) {
      ids.resize(1 + rng.below(tokens_max));
      for (std::uint32_t& id : ids) id = static_cast<std::uint32_t>(rng.below(1000));
    }
    return out;
  }

  testing_support::TemporaryFolder folder_;
  std::string path_ = folder_.path() + "/model";
};

TEST_F(RuntimeTest, EqualsTheNaiveTwinForEveryPooling) {
  Rng rng(5);
  for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kMax, Pooling::kLast}) {
    for (const bool normalise : {true, false}) {
      SCOPED_TRACE(std::string(pooling_name(pooling)) + (normalise ? ", normalised" : ""));
      const testing_support::TinyModelOptions options{.seed = rng.next(),
                                                      .pooling = std::string(pooling_name(pooling)),
                                                      .normalise = normalise};
      testing_support::write_tiny_model(path_, options);
      Result<Opened> model = open();
      ASSERT_TRUE(model.ok()) << model.error().message;
      const std::vector<Ids> texts = random_texts(rng, 40, 24);
      const std::vector<std::vector<float>> vectors = run(model.value(), texts);
      const testing_support::Tensors weights = testing_support::tiny_weights(options);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        ASSERT_NO_FATAL_FAILURE(
            expect_near(vectors[i],
                        testing_support::naive_bert(testing_support::tiny_shape(options), weights,
                                                    texts[i], pooling, normalise),
                        2e-4));
      }
    }
  }
}

TEST_F(RuntimeTest, ReadsHalfPrecisionWeights) {
  Rng rng(6);
  for (const char* type : {"F16", "BF16"}) {
    SCOPED_TRACE(type);
    const testing_support::TinyModelOptions options{.seed = 3, .weight_type = type};
    testing_support::write_tiny_model(path_, options);
    Result<Opened> model = open();
    ASSERT_TRUE(model.ok()) << model.error().message;
    const std::vector<Ids> texts = random_texts(rng, 5, 20);
    const std::vector<std::vector<float>> vectors = run(model.value(), texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      // The weights themselves were rounded: near, not equal.
      ASSERT_NO_FATAL_FAILURE(
          expect_near(vectors[i],
                      testing_support::naive_bert(testing_support::tiny_shape(options),
                                                  testing_support::tiny_weights(options), texts[i],
                                                  Pooling::kMean, true),
                      0.05));
    }
  }
}

TEST_F(RuntimeTest, AVectorDoesNotDependOnItsCompany) {
  testing_support::write_tiny_model(path_, {});
  Result<Opened> model = open();
  ASSERT_TRUE(model.ok()) << model.error().message;
  Rng rng(7);
  const std::vector<Ids> texts = random_texts(rng, 60, 24);
  const std::vector<std::vector<float>> together = run(model.value(), texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<std::vector<float>> alone = run(model.value(), {texts[i]});
    ASSERT_NO_FATAL_FAILURE(expect_near(alone[0], together[i], 1e-5));
  }
}

TEST_F(RuntimeTest, ManyCallersAtOnce) {
  testing_support::write_tiny_model(path_, {});
  Result<Opened> model = open("f32", 2);
  ASSERT_TRUE(model.ok()) << model.error().message;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 5; ++t) {
    threads.emplace_back([&, t] {
      Rng rng(t);
      for (int round = 0; round < 10; ++round) {
        const std::vector<Ids> texts = random_texts(rng, 4, 24);
        const std::vector<std::vector<float>> vectors = run(model.value(), texts);
        const Ids& last = texts.back();
        const std::vector<float> want = testing_support::naive_bert(
            testing_support::tiny_shape({}), testing_support::tiny_weights({}), last,
            Pooling::kMean, true);
        ASSERT_NO_FATAL_FAILURE(expect_near(vectors.back(), want, 2e-4));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(RuntimeTest, DamagedWeightsAreNamed) {
  const testing_support::TinyModelOptions options{};
  for (const char* name :
       {"embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.bias"}) {
    for (const bool missing : {true, false}) {
      testing_support::write_tiny_model(path_, options);
      testing_support::Tensors weights = testing_support::tiny_weights(options);
      if (missing) {
        weights.erase(name);
      } else {
        weights.at(name) = {{2, 2}, {1, 2, 3, 4}};
      }
      testing_support::write_file(path_ + "/model.safetensors",
                                  testing_support::make_safetensors(weights, "F32"));
      const Result<Opened> model = open();
      ASSERT_FALSE(model.ok());
      EXPECT_EQ(model.error().reason, "model_damaged");
      EXPECT_THAT(model.error().message, HasSubstr(name));
    }
  }
}

class OnnxTest : public RuntimeTest {
 protected:
  void SetUp() override {
    RuntimeTest::SetUp();
    if (IsSkipped()) return;
    testing_support::write_tiny_model(path_, {});
    ASSERT_TRUE(posix_file_system().remove_file(path_ + "/model.safetensors").ok());
    ASSERT_TRUE(posix_file_system().remove_file(path_ + "/config.json").ok());
  }
  void take(const char* name) {
    const Result<std::string> file =
        read_file(posix_file_system(),
                  std::string(QUIPU_SOURCE_DIR "/tests/data/tiny_onnx/") + name, 1U << 20);
    ASSERT_TRUE(file.ok());
    testing_support::write_file(path_ + "/onnx/model.onnx", file.value());
  }
  // As tools/make_tiny_onnx.py describes the model.
  static std::vector<float> expected(const Ids& ids, Pooling pooling) {
    const auto cell = [](std::uint32_t id, std::uint32_t column) {
      return static_cast<float>((id * 31 + column * 17) % 97) / 48.5F - 1;
    };
    std::vector<float> out;
    for (std::uint32_t column = 0; column < 4; ++column) {
      float mean = 0;
      float most = -1e30F;
      for (const std::uint32_t id : ids) {
        mean += cell(id, column) / static_cast<float>(ids.size());
        most = std::max(most, cell(id, column));
      }
      const float chosen = pooling == Pooling::kMean  ? mean
                           : pooling == Pooling::kMax ? most
                           : pooling == Pooling::kCls ? cell(ids.front(), column)
                                                      : cell(ids.back(), column);
      out.push_back(chosen + mean / 2);
    }
    return out;
  }
};

TEST_F(OnnxTest, PoolsAndPadsForEveryPooling) {
  take("plain.onnx");
  Rng rng(8);
  for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kMax, Pooling::kLast}) {
    SCOPED_TRACE(pooling_name(pooling));
    testing_support::write_file(
        path_ + "/quipu.json",
        "{\"normalise\": false, \"pooling\": \"" + std::string(pooling_name(pooling)) + "\"}");
    Result<Opened> model = open();
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_EQ(model.value().loaded->runtime->info().dim, 4U);
    const std::vector<Ids> texts = random_texts(rng, 50, 24);
    const std::vector<std::vector<float>> vectors = run(model.value(), texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ASSERT_NO_FATAL_FAILURE(expect_near(vectors[i], expected(texts[i], pooling), 1e-4));
    }
  }
}

TEST_F(OnnxTest, QuantizedActivationsNeverMeetOthers) {
  take("quantized.onnx");
  const Result<ModelFolder> folder = read_model_folder(posix_file_system(), path_);
  ASSERT_TRUE(folder.ok());
  EXPECT_TRUE(folder.value().one_by_one);
  Result<Opened> model = open();
  ASSERT_TRUE(model.ok()) << model.error().message;
  Rng rng(9);
  const std::vector<Ids> texts = random_texts(rng, 20, 24);
  const std::vector<std::vector<float>> together = run(model.value(), texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(run(model.value(), {texts[i]})[0], together[i]);
  }
}

TEST_F(OnnxTest, DamagedFilesAreNamed) {
  testing_support::write_file(path_ + "/model.onnx", "this is no model");
  const Result<Opened> model = open();
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().reason, "model_damaged");
  EXPECT_THAT(model.error().message, HasSubstr("model.onnx"));
}

}  // namespace
}  // namespace quipu::embed
