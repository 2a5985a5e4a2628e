#include "quipu/base/ascii.h"

#include <gtest/gtest.h>

#include <string>

namespace quipu {
namespace {

TEST(Ascii, LowersItsLettersAlone) {
  for (int code = 0; code < 256; ++code) {
    const char c = static_cast<char>(code);
    const bool upper = code >= 'A' && code <= 'Z';
    EXPECT_EQ(ascii_lower(c), upper ? static_cast<char>(code + 32) : c) << code;
  }
}

TEST(Ascii, ComparesIgnoringCase) {
  EXPECT_TRUE(same_ignoring_case("", ""));
  EXPECT_TRUE(same_ignoring_case("Content-Type", "content-tYPE"));
  EXPECT_FALSE(same_ignoring_case("gzip", "gzi"));
  EXPECT_FALSE(same_ignoring_case("gzi", "gzip"));
  // 32 apart as letters are, and none.
  EXPECT_FALSE(same_ignoring_case("@[", "`{"));
  EXPECT_FALSE(same_ignoring_case("\xC4", "\xE4"));
}

}  // namespace
}  // namespace quipu
