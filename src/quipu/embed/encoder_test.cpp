// Goal: every architecture that we build the graph of gives what transformers gives: alone, in a
// pack with others, as pairs, pooled in every way, and scored. Method: tiny models with random
// weights and their expected states, made by tools/make_encoder_expectations.py. Needs the runtime
// (`make setup`); QUIPU_TEST_WITHOUT_MODEL=1 skips.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/embed/model_registry.h"
#include "quipu/embed/runtime_loader.h"
#include "quipu/embed/testing/tiny_model.h"

namespace quipu::embed {
namespace {

using testing::HasSubstr;

const std::string kEncoders = QUIPU_SOURCE_DIR "/tests/data/encoders/";
constexpr std::size_t kEncoderWidth = 32;

struct ExpectedText {
  std::vector<std::uint32_t> ids;
  std::vector<std::uint8_t> types;
  std::vector<float> values;  // the last hidden states of all tokens, or the score
};

std::vector<ExpectedText> read_expected(const std::string& name) {
  const Result<std::string> text =
      read_file(posix_file_system(), kEncoders + name + "/expected.json", 4U << 20);
  QUIPU_ASSERT(text.ok());
  const Result<JsonDocument> document = JsonDocument::parse(text.value());
  QUIPU_ASSERT(document.ok());
  std::vector<ExpectedText> out;
  document.value().root().for_each_element([&](JsonView row) {
    ExpectedText one;
    row.find("ids").value().for_each_element([&](JsonView id) {
      one.ids.push_back(static_cast<std::uint32_t>(id.as_uint64().value()));
      return true;
    });
    const std::size_t second = row.find("second_from").value().as_uint64().value();
    for (std::size_t at = 0; at < one.ids.size(); ++at) {
      one.types.push_back(second != 0 && at >= second ? 1 : 0);
    }
    QUIPU_ASSERT(row.find("values").value().read_floats(one.values).ok());
    out.push_back(std::move(one));
    return true;
  });
  return out;
}

std::vector<float> pooled(const ExpectedText& text, Pooling pooling) {
  const std::size_t count = text.ids.size();
  const auto at = [&](std::size_t token, std::size_t i) {
    return text.values[token * kEncoderWidth + i];
  };
  std::vector<float> out(kEncoderWidth);
  for (std::size_t i = 0; i < kEncoderWidth; ++i) {
    double sum = 0;
    float largest = at(0, i);
    for (std::size_t token = 0; token < count; ++token) {
      sum += static_cast<double>(at(token, i));
      largest = std::max(largest, at(token, i));
    }
    out[i] = pooling == Pooling::kCls    ? at(0, i)
             : pooling == Pooling::kLast ? at(count - 1, i)
             : pooling == Pooling::kMax  ? largest
                                         : static_cast<float>(sum / static_cast<double>(count));
  }
  return out;
}

class EncoderTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* const skip = std::getenv("QUIPU_TEST_WITHOUT_MODEL");
    if (skip != nullptr && std::string(skip) == "1") {
      GTEST_SKIP() << "QUIPU_TEST_WITHOUT_MODEL=1: the runtime is not tested";
    }
    Result<std::unique_ptr<DescribedModel>> described =
        describe_model(posix_file_system(), GetParam(), kEncoders + GetParam());
    ASSERT_TRUE(described.ok()) << described.error().message;
    described_ = std::move(described).value();
  }
  void load(const std::string& precision = "f32") {
    RegistryOptions options;
    options.precision = precision;
    Result<std::unique_ptr<LoadedModel>> loaded =
        load_model(*described_, options, posix_file_system(), system_clock());
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    loaded_ = std::move(loaded).value();
  }
  std::vector<float> run(std::span<const ExpectedText> texts) {
    std::vector<ModelInput> inputs;
    for (const ExpectedText& text : texts) inputs.push_back({text.ids, text.types});
    std::vector<float> out(texts.size() * loaded_->runtime->info().dim);
    const Status status = loaded_->runtime->embed(inputs, out);
    EXPECT_TRUE(status.ok()) << status.error().message;
    return out;
  }
  [[nodiscard]] bool scores() const { return described_->folder.task == ModelTask::kScore; }

  std::unique_ptr<DescribedModel> described_;
  std::unique_ptr<LoadedModel> loaded_;
};

void expect_close(std::span<const float> got, const std::vector<float>& wanted, float tolerance) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], wanted[i], tolerance * std::max(1.0F, std::abs(wanted[i]))) << "at " << i;
  }
}

TEST_P(EncoderTest, GivesWhatTransformersGives) {
  const std::vector<ExpectedText> expected = read_expected(GetParam());
  ASSERT_EQ(expected.size(), 9U);
  const std::vector<Pooling> poolings =
      scores() ? std::vector<Pooling>{described_->folder.pooling}
               : std::vector<Pooling>{Pooling::kMean, Pooling::kCls, Pooling::kLast, Pooling::kMax};
  for (const Pooling pooling : poolings) {
    SCOPED_TRACE(pooling_name(pooling));
    described_->folder.pooling = pooling;
    ASSERT_NO_FATAL_FAILURE(load());
    const std::size_t dim = loaded_->runtime->info().dim;
    ASSERT_EQ(dim, scores() ? 1U : kEncoderWidth);
    const std::vector<float> together = run(expected);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      SCOPED_TRACE(expected[i].ids.size());
      const std::vector<float> wanted =
          scores() ? expected[i].values : pooled(expected[i], pooling);
      ASSERT_NO_FATAL_FAILURE(
          expect_close(std::span(together).subspan(i * dim, dim), wanted, 2e-4F));
      ASSERT_NO_FATAL_FAILURE(expect_close(run({&expected[i], 1}), wanted, 2e-4F));
    }
  }
}

TEST_P(EncoderTest, IsCloseInBf16) {
  if (!cpu_has_bf16()) GTEST_SKIP() << "this CPU has no bfloat16 instructions";
  const std::vector<ExpectedText> expected = read_expected(GetParam());
  ASSERT_NO_FATAL_FAILURE(load("bf16"));
  const std::vector<float> got = run(expected);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (scores()) {
      const float wanted = expected[i].values[0];
      EXPECT_NEAR(got[i], wanted, 0.1F * std::max(1.0F, std::abs(wanted)));
      continue;
    }
    const std::vector<float> wanted = pooled(expected[i], described_->folder.pooling);
    double dot = 0;
    double own = 0;
    double other = 0;
    for (std::size_t k = 0; k < kEncoderWidth; ++k) {
      const double a = static_cast<double>(got[i * kEncoderWidth + k]);
      const double b = static_cast<double>(wanted[k]);
      dot += a * b;
      own += a * a;
      other += b * b;
    }
    EXPECT_GE(dot / std::sqrt(own * other), 0.99) << expected[i].ids.size() << " tokens";
  }
}

INSTANTIATE_TEST_SUITE_P(All, EncoderTest,
                         testing::Values("bert", "bert-score", "distilbert", "distilbert-score",
                                         "roberta", "xlm-roberta-score", "mpnet", "mpnet-score",
                                         "nomic", "nomic-published", "modernbert",
                                         "modernbert-score", "qwen3"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// A folder of the data with one change in its config.json.
class EncoderConfigTest : public testing::Test {
 protected:
  Error refused(const std::string& name, const std::string& from, const std::string& to) {
    std::string config =
        read_file(posix_file_system(), kEncoders + name + "/config.json", 1U << 20).value();
    const std::size_t place = config.find(from);
    QUIPU_ASSERT(place != std::string::npos);
    config.replace(place, from.size(), to);
    const std::string folder = folder_.path() + "/model";
    for (const char* file : {"tokenizer.json", "model.safetensors"}) {
      testing_support::write_file(
          folder + "/" + file,
          read_file(posix_file_system(), kEncoders + name + "/" + file, 1U << 20).value());
    }
    testing_support::write_file(folder + "/config.json", config);
    const Result<ModelFolder> read = read_model_folder(posix_file_system(), folder);
    EXPECT_FALSE(read.ok()) << name << ": " << to;
    return read.ok() ? Error{} : read.error();
  }
  testing_support::TemporaryFolder folder_;
};

TEST_F(EncoderConfigTest, WhatWouldGiveOtherVectorsIsRefusedByName) {
  const struct {
    const char* model;
    const char* from;
    const char* to;
    const char* told;
  } cases[] = {
      {"nomic-published", "\"prenorm\": false", "\"prenorm\": true", "prenorm 'true'"},
      {"nomic-published", "\"rotary_emb_fraction\": 1.0", "\"rotary_emb_fraction\": 0.5",
       "rotary_emb_fraction '0.5'"},
      {"nomic-published", "\"activation_function\": \"swiglu\"",
       "\"activation_function\": \"geglu\"", "geglu"},
      {"modernbert", "\"mlp_bias\": false", "\"mlp_bias\": true", "mlp_bias 'true'"},
      {"qwen3", "\"attention_bias\": false", "\"attention_bias\": true", "attention_bias"},
      {"qwen3", "\"use_sliding_window\": false", "\"use_sliding_window\": true",
       "use_sliding_window"},
      {"qwen3", "\"rope_type\": \"default\"", "\"rope_type\": \"yarn\"", "rope_type 'yarn'"},
      {"bert", "\"hidden_act\": \"gelu\"", "\"hidden_act\": \"tanh\"", "hidden_act 'tanh'"},
      {"bert-score", "\"0\": \"LABEL_0\"", "\"0\": \"LABEL_0\", \"1\": \"LABEL_1\"", "2 labels"},
      {"mpnet", "\"relative_attention_num_buckets\": 32", "\"relative_attention_num_buckets\": 31",
       "'31'"},
  };
  for (const auto& each : cases) {
    const Error error = refused(each.model, each.from, each.to);
    EXPECT_EQ(error.reason, "model_unsupported") << each.to << ": " << error.message;
    EXPECT_THAT(error.message, HasSubstr(each.told));
  }
}

TEST_F(EncoderConfigTest, WhatCannotBeIsDamage) {
  const struct {
    const char* model;
    const char* from;
    const char* to;
    const char* told;
  } cases[] = {
      {"bert", "\"num_attention_heads\": 4", "\"num_attention_heads\": 5", "no multiple"},
      {"qwen3", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3", "no multiple"},
      {"qwen3", "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 0", "from 1 to 4"},
      {"qwen3", "\"head_dim\": 16", "\"head_dim\": 15", "cannot turn by pairs"},
      {"modernbert", "\"full_attention\",", "\"other\",", "layer_types"},
      {"roberta", "\"max_position_embeddings\": 48", "\"max_position_embeddings\": 2", "over 2"},
      {"bert", "\"layer_norm_eps\": 1e-12", "\"layer_norm_eps\": 0", "above 0"},
  };
  for (const auto& each : cases) {
    const Error error = refused(each.model, each.from, each.to);
    EXPECT_EQ(error.reason, "model_damaged") << each.to << ": " << error.message;
    EXPECT_THAT(error.message, HasSubstr(each.told));
  }
}

}  // namespace
}  // namespace quipu::embed
