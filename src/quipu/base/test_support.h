// What the tests of every layer share; not for the product.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"

namespace quipu {

// $QUIPU_TEST_SEED, or a random one; printed either way, so that a failure can be had again.
inline std::uint64_t test_seed() {
  std::uint64_t seed = 0;
  const char* const given = std::getenv("QUIPU_TEST_SEED");
  const std::string_view text = given == nullptr ? "" : given;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (text.empty() || read.ec != std::errc()) seed = entropy();
  GTEST_LOG_(INFO) << "QUIPU_TEST_SEED=" << seed;
  return seed;
}

// A directory of its own, removed with all that is in it.
class TempDir {
 public:
  enum class Place : std::uint8_t {
    kDisk,    // below $TMPDIR or /tmp
    kMemory,  // where syncs cost nothing, if the system has such a place: for many small rounds
  };
  explicit TempDir(Place place = Place::kDisk) {
    const char* const given = std::getenv("TMPDIR");
    path_ = given == nullptr ? "/tmp" : given;
    if (place == Place::kMemory && ::access("/dev/shm", W_OK) == 0) path_ = "/dev/shm";
    path_ += "/quipu-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
  }
  ~TempDir() {
    const Status removed = remove_tree(posix_file_system(), path_);
    if (!removed.ok()) ADD_FAILURE() << removed.error().message;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

// "" when `result` holds a value, otherwise what went wrong: EXPECT_EQ(why_not(f()), "").
template <typename T>
std::string why_not(const Result<T>& result) {
  if (result.ok()) return "";
  return std::string(error_code_name(result.error().code)) + ": " + result.error().message;
}

}  // namespace quipu
