// Runs a fuzz target without a fuzzer: over every file of a folder, and over mutations of them.
//
//   json_fuzz fuzz/corpus/json_fuzz [mutations of each file]
//
// The mutations come from $QUIPU_TEST_SEED, or a random seed, which is printed. The target aborts
// the process when its property does not hold; the input is then in the file that the last line
// names.
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::uint64_t kInputBytesMax = 1U << 20;
constexpr std::uint64_t kMutationsDefault = 300;

std::uint64_t number_or(const char* text, std::uint64_t otherwise) {
  if (text == nullptr) return otherwise;
  const std::string_view view = text;
  std::uint64_t number = 0;
  const auto read = std::from_chars(view.data(), view.data() + view.size(), number);
  return read.ec == std::errc() && !view.empty() ? number : otherwise;
}

void run(std::string_view input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutated(std::string input, const std::string& other, quipu::Rng& rng) {
  for (std::uint64_t edits = 1 + rng.below(4); edits > 0; --edits) {
    const std::size_t at = input.empty() ? 0 : rng.below(input.size());
    switch (rng.below(6)) {
      case 0: input.insert(at, 1, static_cast<char>(rng.below(256))); break;
      case 1: input.erase(at, 1 + rng.below(8)); break;
      case 2: input.resize(rng.below(input.size() + 1)); break;
      case 3:
        if (!other.empty()) {
          const std::size_t from = rng.below(other.size());
          input.replace(at, rng.below(64), other, from, rng.below(64));
        }
        break;
      default:
        if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1U << rng.below(8)));
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: " << argv[0] << " folder [mutations of each file]\n";
    return 2;
  }
  quipu::FileSystem& fs = quipu::posix_file_system();
  const std::string folder = argv[1];
  const auto names = fs.list(folder);
  if (!names.ok()) {
    std::cerr << names.error().message << "\n";
    return 1;
  }
  const std::uint64_t seed = number_or(std::getenv("QUIPU_TEST_SEED"), quipu::entropy());
  const std::uint64_t mutations = number_or(argc > 2 ? argv[2] : nullptr, kMutationsDefault);
  std::cout << "QUIPU_TEST_SEED=" << seed << "\n";
  quipu::Rng rng(seed);
  std::vector<std::string> inputs;
  for (const std::string& name : names.value()) {
    auto input = quipu::read_file(fs, folder + "/" + name, kInputBytesMax);
    if (!input.ok()) {
      std::cerr << input.error().message << "\n";
      return 1;
    }
    std::cout << name << std::endl;  // before it runs: the last line names a culprit
    run(input.value());
    inputs.push_back(std::move(input).value());
  }
  if (inputs.empty()) {
    std::cerr << folder << " has no inputs\n";
    return 1;
  }
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    std::cout << names.value()[index] << ", mutated" << std::endl;
    for (std::uint64_t round = 0; round < mutations; ++round) {
      run(mutated(inputs[index], inputs[rng.below(inputs.size())], rng));
    }
  }
  return 0;
}
