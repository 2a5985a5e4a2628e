// Goal: every instruction set gives what the definition gives, for any length and alignment.
// Method: each supported set on each dim from 0 to 130 at odd offsets, against sums in double; the
// allowed error is relative to the sum of the terms' sizes, which is what float addition promises.
#include "quipu/simd/distance_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "quipu/base/rng.h"

namespace quipu::simd {
namespace {

constexpr std::size_t kDimMax = 130;
constexpr double kTolerance = 1e-5;

struct Expected {
  double value = 0;
  double size = 0;  // the sum of the terms' absolute values
};

Expected dot_of(const float* a, const float* b, std::size_t dim) {
  Expected sum;
  for (std::size_t i = 0; i < dim; ++i) {
    const double term = static_cast<double>(a[i]) * b[i];
    sum.value += term;
    sum.size += std::fabs(term);
  }
  return sum;
}

Expected l2_of(const float* a, const float* b, std::size_t dim) {
  Expected sum;
  for (std::size_t i = 0; i < dim; ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum.value += difference * difference;
  }
  sum.size = sum.value;
  return sum;
}

Expected l1_of(const float* a, const float* b, std::size_t dim) {
  Expected sum;
  for (std::size_t i = 0; i < dim; ++i) sum.value += std::fabs(static_cast<double>(a[i]) - b[i]);
  sum.size = sum.value;
  return sum;
}

double cosine_of(const float* a, const float* b, std::size_t dim) {
  const double lengths = std::sqrt(dot_of(a, a, dim).value) * std::sqrt(dot_of(b, b, dim).value);
  return lengths == 0 ? 0 : dot_of(a, b, dim).value / lengths;
}

void check(double got, const Expected& want, const std::string& what) {
  // A denormal result may lose its last unit whatever the order of the sum.
  const double allowed = want.size * kTolerance + 130 * std::numeric_limits<float>::denorm_min();
  ASSERT_NEAR(got, want.value, allowed) << what;
}

void check_set(const DistanceKernels& set, const std::vector<float>& a, const std::vector<float>& b,
               const std::string& kind) {
  for (std::size_t dim = 0; dim <= kDimMax; ++dim) {
    for (std::size_t offset = 0; offset < 4; ++offset) {
      const float* x = a.data() + offset;
      const float* y = b.data() + 2 * offset + 1;
      const std::string what = std::string(set.name) + " " + kind + " dim " + std::to_string(dim);
      ASSERT_NO_FATAL_FAILURE(check(set.dot(x, y, dim), dot_of(x, y, dim), what + " dot"));
      ASSERT_NO_FATAL_FAILURE(check(set.l2_squared(x, y, dim), l2_of(x, y, dim), what + " l2"));
      ASSERT_NO_FATAL_FAILURE(check(set.l1(x, y, dim), l1_of(x, y, dim), what + " l1"));
      ASSERT_NEAR(set.cosine(x, y, dim), cosine_of(x, y, dim), 2e-5) << what << " cosine";
    }
  }
}

std::vector<float> random_floats(Rng& rng, double scale) {
  std::vector<float> values(kDimMax + 16);
  for (float& value : values) value = static_cast<float>(rng.normal() * scale);
  return values;
}

TEST(DistanceKernels, AllSetsGiveTheDefinition) {
  Rng rng(17);
  // From denormal to where squares of 130 terms still fit a float.
  for (const double scale : {1e-42, 1e-20, 1.0, 1e4, 1e17}) {
    const std::vector<float> a = random_floats(rng, scale);
    const std::vector<float> b = random_floats(rng, scale);
    for (const DistanceKernels* set : supported_kernels()) {
      ASSERT_NO_FATAL_FAILURE(check_set(*set, a, b, "scale " + std::to_string(scale)));
    }
  }
}

TEST(DistanceKernels, ReadNothingPastTheEnd) {
  for (const DistanceKernels* set : supported_kernels()) {
    for (std::size_t dim = 0; dim <= kDimMax; ++dim) {
      std::vector<float> a(dim + 1, 1.0F);
      std::vector<float> b(dim + 1, 3.0F);
      a[dim] = std::numeric_limits<float>::quiet_NaN();
      b[dim] = std::numeric_limits<float>::infinity();
      const auto n = static_cast<float>(dim);
      EXPECT_EQ(set->dot(a.data(), b.data(), dim), 3 * n) << set->name << dim;
      EXPECT_EQ(set->l2_squared(a.data(), b.data(), dim), 4 * n) << set->name << dim;
      EXPECT_EQ(set->l1(a.data(), b.data(), dim), 2 * n) << set->name << dim;
    }
  }
}

TEST(DistanceKernels, RowsEqualSinglesToTheBit) {
  Rng rng(23);
  const std::vector<float> query = random_floats(rng, 1);
  std::vector<std::vector<float>> vectors;
  std::vector<const float*> rows;
  for (int i = 0; i < 9; ++i) vectors.push_back(random_floats(rng, 1));
  for (std::size_t i = 0; i < vectors.size(); ++i) rows.push_back(vectors[i].data() + i);
  for (const DistanceKernels* set : supported_kernels()) {
    for (std::size_t dim = 0; dim <= kDimMax; ++dim) {
      for (std::size_t count = 0; count <= rows.size(); ++count) {
        std::vector<float> dots(rows.size(), -1);
        std::vector<float> l2s(rows.size(), -1);
        std::vector<float> l1s(rows.size(), -1);
        set->dot_rows(query.data(), rows.data(), count, dim, dots.data());
        set->l2_squared_rows(query.data(), rows.data(), count, dim, l2s.data());
        set->l1_rows(query.data(), rows.data(), count, dim, l1s.data());
        for (std::size_t i = 0; i < rows.size(); ++i) {
          const bool inside = i < count;
          ASSERT_EQ(dots[i], inside ? set->dot(query.data(), rows[i], dim) : -1) << set->name;
          ASSERT_EQ(l2s[i], inside ? set->l2_squared(query.data(), rows[i], dim) : -1);
          ASSERT_EQ(l1s[i], inside ? set->l1(query.data(), rows[i], dim) : -1) << set->name;
        }
      }
    }
  }
}

TEST(DistanceKernels, CosineOfHugeTinyAndZeroVectors) {
  const std::vector<float> huge = {3e38F, 3e38F, 0};
  const std::vector<float> tiny = {1e-44F, 1e-44F, 0};
  const std::vector<float> zero = {0, 0, 0};
  for (const DistanceKernels* set : supported_kernels()) {
    EXPECT_NEAR(set->cosine(huge.data(), huge.data(), 3), 1, 1e-6) << set->name;
    EXPECT_NEAR(set->cosine(tiny.data(), huge.data(), 3), 1, 1e-6) << set->name;
    EXPECT_EQ(set->cosine(zero.data(), huge.data(), 3), 0) << set->name;
    EXPECT_EQ(set->cosine(huge.data(), zero.data(), 3), 0) << set->name;
  }
}

TEST(DistanceKernels, BestFirstScalarLastAndTheChosenIsOneOfThem) {
  const auto supported = supported_kernels();
  ASSERT_FALSE(supported.empty());
  EXPECT_STREQ(supported.back()->name, "scalar");
  const char* wanted = std::getenv("QUIPU_SIMD");
  if (wanted == nullptr || *wanted == '\0') {
    EXPECT_EQ(&kernels(), supported.front());
  }
  bool found = false;
  for (const DistanceKernels* set : supported) found = found || set == &kernels();
  EXPECT_TRUE(found);
}

// The choice is fixed on first call, so each case is asked of a process of its own.
TEST(DistanceKernelsDeathTest, TheEnvironmentChooses) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto exits_when_chosen = [](const char* wanted, const char* expected) {
    ASSERT_EQ(setenv("QUIPU_SIMD", wanted, 1), 0);
    std::exit(std::string(kernels().name) == expected ? 0 : 1);
  };
  for (const DistanceKernels* set : supported_kernels()) {
    EXPECT_EXIT(exits_when_chosen(set->name, set->name), testing::ExitedWithCode(0), "");
  }
  EXPECT_EXIT(exits_when_chosen("mmx", "scalar"), testing::ExitedWithCode(0), "");
}

TEST(Normalise, ScalesToUnitLengthOrRefuses) {
  std::vector<float> plain = {3, 4};
  EXPECT_TRUE(normalise(plain));
  EXPECT_FLOAT_EQ(plain[0], 0.6F);
  EXPECT_FLOAT_EQ(plain[1], 0.8F);
  std::vector<float> huge = {3e38F, 3e38F};
  EXPECT_TRUE(normalise(huge));
  EXPECT_NEAR(huge[0], std::sqrt(0.5), 1e-6);
  std::vector<float> tiny = {1e-45F, 0};
  EXPECT_TRUE(normalise(tiny));
  EXPECT_FLOAT_EQ(tiny[0], 1.0F);
  std::vector<float> zero = {0, 0};
  EXPECT_FALSE(normalise(zero));
  EXPECT_EQ(zero, (std::vector<float>{0, 0}));
  std::vector<float> infinite = {1, std::numeric_limits<float>::infinity()};
  EXPECT_FALSE(normalise(infinite));
  EXPECT_EQ(infinite[0], 1.0F);
  EXPECT_FALSE(normalise({}));
}

TEST(AllFinite, FindsAnyBadValueAnywhere) {
  for (std::size_t dim = 0; dim <= 70; ++dim) {
    std::vector<float> vector(dim, std::numeric_limits<float>::max());
    EXPECT_TRUE(all_finite(vector));
    for (std::size_t i = 0; i < dim; ++i) {
      for (const float bad :
           {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
            std::numeric_limits<float>::quiet_NaN()}) {
        std::vector<float> spoiled = vector;
        spoiled[i] = bad;
        EXPECT_FALSE(all_finite(spoiled)) << dim << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace quipu::simd
