// What the tests of this layer share.
#pragma once

#include <gtest/gtest.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"

namespace quipu::storage {

// $QUIPU_TEST_SEED, or a random one; printed either way, so that a failure can be run again.
inline std::uint64_t test_seed() {
  std::uint64_t seed = entropy();
  if (const char* text = std::getenv("QUIPU_TEST_SEED"); text != nullptr) {
    const std::string_view given(text);
    std::from_chars(given.data(), given.data() + given.size(), seed);
  }
  std::cout << "QUIPU_TEST_SEED=" << seed << '\n';  // tidy: tests print their seed
  ::testing::Test::RecordProperty("seed", std::to_string(seed));
  return seed;
}

// Rounds of a randomised test: more of them with QUIPU_TEST_LONG set.
inline int test_rounds(int rounds) {
  constexpr int kLongFactor = 10;
  return std::getenv("QUIPU_TEST_LONG") == nullptr ? rounds : rounds * kLongFactor;
}

// A folder of its own for one test, removed with all that is in it.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quipu-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;  // What cannot be removed is the system's to clean up.
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

template <typename T>
::testing::AssertionResult succeeded(const Result<T>& result) {
  if (result.ok()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << error_code_name(result.error().code) << " (" << result.error().stable_reason()
         << "): " << result.error().message;
}

#define ASSERT_OK(expr) ASSERT_TRUE(::quipu::storage::succeeded(expr))
#define EXPECT_OK(expr) EXPECT_TRUE(::quipu::storage::succeeded(expr))

inline std::string random_bytes(Rng& rng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(rng.below(256));
  return bytes;
}

}  // namespace quipu::storage
