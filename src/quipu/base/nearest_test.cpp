#include "quipu/base/nearest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "quipu/base/rng.h"

namespace quipu {
namespace {

// The textbook recursion, as the stupid twin.
std::size_t slow_distance(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.size() + b.size();
  std::size_t best = std::min(slow_distance(a.substr(1), b), slow_distance(a, b.substr(1))) + 1;
  best = std::min(best, slow_distance(a.substr(1), b.substr(1)) + (a[0] == b[0] ? 0 : 1));
  if (a.size() > 1 && b.size() > 1 && a[0] == b[1] && a[1] == b[0]) {
    best = std::min(best, slow_distance(a.substr(2), b.substr(2)) + 1);
  }
  return best;
}

TEST(EditDistance, EqualsTheRecursion) {
  Rng rng(3);
  for (int round = 0; round < 300; ++round) {
    std::string a;
    std::string b;
    for (std::uint64_t i = rng.below(6); i > 0; --i) a += static_cast<char>('a' + rng.below(3));
    for (std::uint64_t i = rng.below(6); i > 0; --i) b += static_cast<char>('a' + rng.below(3));
    EXPECT_EQ(edit_distance(a, b), slow_distance(a, b)) << a << " " << b;
  }
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string_view> known = {"vector", "vectors", "text", "k"};
  EXPECT_EQ(nearest("vektor", known), "vector");
  EXPECT_EQ(nearest("txet", known), "text");
  EXPECT_EQ(nearest("completely", known), "");
  EXPECT_EQ(nearest("x", known), "");
}

TEST(Nearest, IsASentenceOrNothing) {
  const std::vector<std::string_view> known = {"range", "match"};
  EXPECT_EQ(did_you_mean("rnge", known), "; did you mean \"range\"?");
  EXPECT_EQ(did_you_mean("geo_radius", known), "");
}

}  // namespace
}  // namespace quipu
