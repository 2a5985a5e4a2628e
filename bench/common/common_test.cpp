// The tools of the benchmarks: figures are only as good as they are.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/npy.h"

namespace quipu::bench {
namespace {

class Npy : public testing::Test {
 protected:
  ~Npy() override { ::unlink(path_.c_str()); }

  // Changes the file's text where it first has `from`; same length.
  void change(const std::string& from, const std::string& to) {
    std::ifstream in(path_, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    bytes.replace(bytes.find(from), from.size(), to);
    std::ofstream(path_, std::ios::binary) << bytes;
  }

  std::string path_ = testing::TempDir() + "quipu_npy_" + std::to_string(::getpid()) + ".npy";
};

TEST_F(Npy, ReadsWhatItWrote) {
  std::vector<float> values(7 * 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) / 8;
  ASSERT_TRUE(write_npy(path_, values, 3).ok());
  const Result<NpyMatrix> matrix = NpyMatrix::map(path_);
  ASSERT_TRUE(matrix.ok()) << matrix.error().message;
  EXPECT_EQ(matrix.value().rows(), 7U);
  EXPECT_EQ(matrix.value().dim(), 3U);
  EXPECT_EQ(matrix.value().row(6)[2], 20.0F / 8);
  std::ifstream in(path_, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  EXPECT_EQ((bytes.size() - values.size() * sizeof(float)) % 64, 0U);
}

TEST_F(Npy, RefusesWhatItCannotRead) {
  const std::vector<float> values(6);
  const std::array<std::array<const char*, 2>, 5> damages = {{{"NUMPY", "NUMPX"},
                                                              {"'<f4'", "'<f8'"},
                                                              {"False", "True "},
                                                              {"(2, 3)", "(9, 3)"},
                                                              {"(2, 3)", "(2, 0)"}}};
  for (const auto& [from, to] : damages) {
    ASSERT_TRUE(write_npy(path_, values, 3).ok());
    change(from, to);
    const Result<NpyMatrix> matrix = NpyMatrix::map(path_);
    ASSERT_FALSE(matrix.ok()) << to;
    EXPECT_EQ(matrix.error().code, ErrorCode::kCorruption) << to;
  }
  EXPECT_EQ(NpyMatrix::map(path_ + ".absent").error().code, ErrorCode::kNotFound);
}

TEST(Measure, QuantileIsTheNearestRank) {
  std::vector<double> values(100);
  for (std::size_t i = 0; i < 100; ++i) values[i] = static_cast<double>(100 - i);
  EXPECT_EQ(quantile(values, 0.50), 50);
  EXPECT_EQ(quantile(values, 0.99), 99);
  EXPECT_EQ(quantile(values, 1.00), 100);
  EXPECT_EQ(quantile(values, 0.00), 1);
}

TEST(Measure, FlagsAreWholePairsAndNumbers) {
  const std::array arguments = {"--k", "10", "--dir", "/tmp", "--bad", "12x"};
  const Result<Flags> flags = Flags::parse(arguments);
  ASSERT_TRUE(flags.ok());
  EXPECT_EQ(flags.value().number("k").value(), 10U);
  EXPECT_EQ(flags.value().text("dir").value(), "/tmp");
  EXPECT_FALSE(flags.value().number("bad").ok());
  EXPECT_FALSE(flags.value().number("absent").ok());
  EXPECT_FALSE(Flags::parse(std::span(arguments).first(3)).ok());
}

TEST(Measure, SeesWhetherAnotherThreadIsBusy) {
  EXPECT_FALSE(other_threads_busy());
  std::atomic<bool> stop{false};
  std::thread other([&stop] {
    while (!stop.load()) {
    }
  });
  EXPECT_TRUE(other_threads_busy());
  stop.store(true);
  other.join();
  EXPECT_FALSE(other_threads_busy());
}

TEST(Measure, ReadsItsOwnProcess) {
  const std::int64_t cpu = thread_cpu_ns();
  while (thread_cpu_ns() == cpu) {
  }
  EXPECT_GT(resident_memory().anonymous_bytes, 4096U);
  EXPECT_EQ(proc_number("/proc/self/status", "NoSuchField:"), 0U);
}

}  // namespace
}  // namespace quipu::bench
