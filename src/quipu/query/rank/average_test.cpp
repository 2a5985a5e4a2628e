#include "quipu/query/rank/average.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

using testing::HasSubstr;
using VectorValues = std::vector<VectorValue>;
using Dense = std::vector<float>;

VectorValue average(const VectorValues& positive, const VectorValues& negative) {
  const Result<VectorValue> result = recommended_average(positive, negative);
  EXPECT_EQ(why_not(result), "");
  return result.ok() ? result.value() : VectorValue();
}

TEST(RecommendedAverage, GoesFromTheNegativesThroughThePositives) {
  const VectorValues positive = {Dense{1, 2}, Dense{3, 6}};
  EXPECT_EQ(average(positive, {}), VectorValue(Dense{2, 4}));
  EXPECT_EQ(average(positive, {Dense{1, 1}}), VectorValue(Dense{3, 7}));
  EXPECT_EQ(average(positive, {Dense{1, 1}, Dense{3, -1}}), VectorValue(Dense{2, 8}));
}

TEST(RecommendedAverage, TakesMissingWeightsForZero) {
  const SparseValues a{.indices = {1, 5}, .values = {2, 4}};
  const SparseValues b{.indices = {5, 7}, .values = {2, 6}};
  const SparseValues c{.indices = {0, 5}, .values = {1, 6}};
  EXPECT_EQ(average({a, b}, {}),
            VectorValue(SparseValues{.indices = {1, 5, 7}, .values = {1, 3, 3}}));
  EXPECT_EQ(average({a, b}, {c}),
            VectorValue(SparseValues{.indices = {0, 1, 5, 7}, .values = {-1, 2, 0, 6}}));
  EXPECT_EQ(average({SparseValues{}}, {}), VectorValue(SparseValues{}));
}

TEST(RecommendedAverage, PutsRowsTogether) {
  const MultiValues a{.rows = 2, .values = {1, 2, 3, 4}};
  const MultiValues b{.rows = 1, .values = {5, 6}};
  EXPECT_EQ(average({a, b}, {b}),
            VectorValue(MultiValues{.rows = 4, .values = {1, 2, 3, 4, 5, 6, -5, -6}}));
}

TEST(RecommendedAverage, RefusesWhatHasNoAverage) {
  const auto message = [](const VectorValues& positive, const VectorValues& negative) {
    const Result<VectorValue> result = recommended_average(positive, negative);
    EXPECT_FALSE(result.ok());
    return result.ok() ? "" : result.error().message;
  };
  EXPECT_THAT(message({}, {Dense{1}}), HasSubstr("at least one positive"));
  EXPECT_THAT(message({Dense{1, 2}, Dense{1}}, {}),
              HasSubstr("positive example 1 has 1 dimensions, but the first positive one has 2"));
  EXPECT_THAT(message({Dense{1}}, {SparseValues{}}),
              HasSubstr("negative example 0 is a sparse vector, but the first positive one is a "
                        "dense vector"));
  EXPECT_THAT(message({MultiValues{.rows = 1, .values = {1, 2}}},
                      {MultiValues{.rows = 2, .values = {1, 2}}}),
              HasSubstr("negative example 0 has 1 dimensions"));
}

TEST(RecommendedAverageModel, EqualsTheFormula) {
  Rng rng(test_seed());
  for (int round = 0; round < 200; ++round) {
    const std::size_t dim = 1 + rng.below(5);
    VectorValues positive(1 + rng.below(4));
    VectorValues negative(rng.below(4));
    Dense liked(dim, 0);
    Dense disliked(dim, 0);
    const auto fill = [&](VectorValues& values, Dense& mean) {
      for (VectorValue& value : values) {
        Dense drawn;
        for (float& sum : mean) {
          drawn.push_back(static_cast<float>(rng.normal()));
          sum += drawn.back() / static_cast<float>(values.size());
        }
        value = drawn;
      }
    };
    fill(positive, liked);
    fill(negative, disliked);
    const auto got = std::get<Dense>(average(positive, negative));
    for (std::size_t i = 0; i < dim; ++i) {
      const float wanted = negative.empty() ? liked[i] : liked[i] + liked[i] - disliked[i];
      ASSERT_NEAR(got[i], wanted, 1e-5);
    }
  }
}

}  // namespace
}  // namespace quipu::query
