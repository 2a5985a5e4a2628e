#include "quipu/query/rank/mmr.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "quipu/base/test_support.h"

namespace quipu::query {
namespace {

using Order = std::vector<std::size_t>;
using Matrix = std::vector<std::vector<float>>;

Order choose(const std::vector<float>& query, const Matrix& matrix, const MmrChoice& choice,
             std::size_t* calls = nullptr) {
  const Result<Order> chosen = choose_by_mmr(
      query, choice,
      [&](std::size_t one, std::span<const std::size_t> others, std::span<float> row) -> Status {
        EXPECT_EQ(others.size(), row.size());
        for (std::size_t i = 0; i < others.size(); ++i) row[i] = matrix[others[i]][one];
        if (calls != nullptr) *calls += others.size();
        return ok_status();
      });
  EXPECT_EQ(why_not(chosen), "");
  return chosen.ok() ? chosen.value() : Order();
}

// Two like each other, one unlike both.
const Matrix kTwins = {{1, 0.99F, 0}, {0.99F, 1, 0}, {0, 0, 1}};

TEST(Mmr, BalancesLikenessToTheQueryAndToEachOther) {
  const std::vector<float> query = {0.9F, 0.89F, 0.3F};
  EXPECT_EQ(choose(query, kTwins, {.diversity = 0, .limit = 3}), (Order{0, 1, 2}));
  EXPECT_EQ(choose(query, kTwins, {.diversity = 0.5, .limit = 3}), (Order{0, 2, 1}));
  EXPECT_EQ(choose(query, kTwins, {.diversity = 0.5, .limit = 2}), (Order{0, 2}));
  // Only difference: the first is still the one most like the query.
  EXPECT_EQ(choose({0.3F, 0.9F, 0.4F}, kTwins, {.diversity = 1, .limit = 2}), (Order{1, 2}));
}

TEST(Mmr, ChoosesNoMoreThanThereAre) {
  EXPECT_EQ(choose({}, {}, {.limit = 5}), Order());
  EXPECT_EQ(choose({1}, {{1}}, {.limit = 5}), Order{0});
  EXPECT_EQ(choose({1, 2, 3}, kTwins, {.limit = 0}), Order());
}

TEST(Mmr, TakesTheLastOfEquals) {
  const Matrix none(4, std::vector<float>(4, 0));
  // 3 first; then 2, the last of {0, 1, 2}; and so on.
  EXPECT_EQ(choose({1, 1, 1, 1}, none, {.limit = 4}), (Order{3, 2, 1, 0}));
  // 0 first, whose place 3 takes: {3, 1, 2}.
  EXPECT_EQ(choose({2, 1, 1, 1}, none, {.limit = 4}), (Order{0, 2, 1, 3}));
}

TEST(Mmr, AsksForEachPairOnce) {
  std::size_t calls = 0;
  EXPECT_EQ(choose({0.9F, 0.89F, 0.3F}, kTwins, {.limit = 3}, &calls).size(), 3U);
  EXPECT_EQ(calls, 2U + 1U);
}

TEST(Mmr, EndsWithTheErrorOfASimilarity) {
  const std::vector<float> query = {1, 2};
  const Result<Order> chosen =
      choose_by_mmr(query, {.limit = 2},
                    [](std::size_t, std::span<const std::size_t>, std::span<float>) -> Status {
                      return Error{.code = ErrorCode::kDeadlineExceeded, .message = "late"};
                    });
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code, ErrorCode::kDeadlineExceeded);
}

// Goes over all candidates and all chosen ones in each step, with marks for what is chosen.
Order twin(const std::vector<float>& query, const Matrix& matrix, const MmrChoice& choice) {
  Order chosen;
  while (chosen.size() < std::min(choice.limit, query.size())) {
    double best = -std::numeric_limits<double>::infinity();
    std::size_t winner = query.size();
    for (std::size_t candidate = 0; candidate < query.size(); ++candidate) {
      if (std::find(chosen.begin(), chosen.end(), candidate) != chosen.end()) continue;
      double score = query[candidate];
      if (!chosen.empty()) {
        float closest = matrix[candidate][chosen.front()];
        for (const std::size_t other : chosen)
          closest = std::max(closest, matrix[candidate][other]);
        score = score * (1 - choice.diversity) - choice.diversity * static_cast<double>(closest);
      }
      if (score > best) {
        best = score;
        winner = candidate;
      }
    }
    chosen.push_back(winner);
  }
  return chosen;
}

TEST(MmrModel, EqualsThePlainSearch) {
  Rng rng(test_seed());
  for (int round = 0; round < 300; ++round) {
    const std::size_t count = rng.below(20);
    std::vector<float> query(count);
    Matrix matrix(count, std::vector<float>(count));
    for (std::size_t i = 0; i < count; ++i) {
      query[i] = static_cast<float>(rng.normal());
      for (std::size_t j = 0; j <= i; ++j) {
        matrix[i][j] = matrix[j][i] = static_cast<float>(rng.normal());
      }
    }
    const MmrChoice choice{.diversity = rng.uniform(), .limit = rng.below(22)};
    ASSERT_EQ(choose(query, matrix, choice), twin(query, matrix, choice));
  }
}

}  // namespace
}  // namespace quipu::query
