// Goal: the longest key is found, whatever the keys. Method: random keys against a std::map.
#include "quipu/text/tokenizer/double_array.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "quipu/base/rng.h"

namespace quipu::text {
namespace {

std::string random_key(Rng& rng, std::size_t size_max, std::uint64_t letters) {
  std::string key(1 + rng.below(size_max), ' ');
  for (char& c : key) c = static_cast<char>(rng.below(letters) * 255 / (letters - 1));
  return key;
}

TEST(DoubleArray, FindsTheLongestKeyOfAnySet) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    const std::uint64_t letters = seed % 2 == 0 ? 3 : 256;
    std::map<std::string, std::uint32_t> model;
    for (std::size_t i = 0; i < 1 + seed * 40; ++i) {
      model.emplace(random_key(rng, 7, letters), static_cast<std::uint32_t>(i));
    }
    Result<DoubleArray> built =
        DoubleArray::build(std::vector<DoubleArray::Entry>(model.begin(), model.end()));
    ASSERT_TRUE(built.ok());
    const DoubleArray& array = built.value();
    for (const auto& [key, value] : model) ASSERT_EQ(array.find(key), value);
    for (int i = 0; i < 2000; ++i) {
      const std::string text = random_key(rng, 12, letters);
      DoubleArray::Match best;
      for (std::size_t size = 1; size <= text.size(); ++size) {
        if (const auto found = model.find(text.substr(0, size)); found != model.end()) {
          best = {size, found->second};
        }
      }
      const DoubleArray::Match match = array.longest_match(DoubleArray::root(), text);
      ASSERT_EQ(match.size, best.size) << seed;
      ASSERT_EQ(match.value, best.value);
      ASSERT_EQ(array.find(text) != DoubleArray::npos(), model.count(text) == 1);
    }
  }
}

TEST(DoubleArray, ContinuesFromAPrefix) {
  const Result<DoubleArray> array = DoubleArray::build({{"##ing", 1}, {"##in", 2}, {"in", 3}});
  ASSERT_TRUE(array.ok());
  const std::uint32_t node = array.value().find_node("##");
  ASSERT_NE(node, DoubleArray::npos());
  EXPECT_EQ(array.value().longest_match(node, "ings").value, 1U);
  EXPECT_EQ(array.value().longest_match(node, "inside").value, 2U);
  EXPECT_EQ(array.value().longest_match(node, "x").size, 0U);
  EXPECT_EQ(array.value().find_node("#x"), DoubleArray::npos());
}

TEST(DoubleArray, RefusesWhatIsNoSet) {
  EXPECT_FALSE(DoubleArray::build({{"a", 1}, {"a", 2}}).ok());
  EXPECT_FALSE(DoubleArray::build({{"", 1}}).ok());
  const Result<DoubleArray> empty = DoubleArray::build({});
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty.value().longest_match(DoubleArray::root(), "abc").size, 0U);
  EXPECT_EQ(empty.value().find("a"), DoubleArray::npos());
}

}  // namespace
}  // namespace quipu::text
