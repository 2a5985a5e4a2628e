// Goal: a good file reads back, and no file whatever makes the parser look outside of it.
#include "quipu/embed/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "quipu/base/bytes.h"
#include "quipu/base/rng.h"
#include "quipu/embed/testing/tiny_model.h"

namespace quipu::embed {
namespace {

using testing::HasSubstr;

Result<std::vector<WeightView>> parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file.data(), file.size())));
}

std::string file_of(const std::string& header, const std::string& data) {
  std::string out;
  ByteWriter(out).u64(header.size());
  return out + header + data;
}

TEST(Safetensors, ReadsWhatWasWritten) {
  const testing_support::Tensors tensors{{"a", {{2, 3}, {1, 2, 3, 4, 5, 6}}}, {"b", {{1}, {-7}}}};
  const std::string file = testing_support::make_safetensors(tensors, "F32");
  const Result<std::vector<WeightView>> views = parse(file);
  ASSERT_TRUE(views.ok()) << views.error().message;
  ASSERT_EQ(views.value().size(), 2U);
  for (const WeightView& view : views.value()) {
    const testing_support::Tensor& tensor = tensors.at(view.name);
    EXPECT_EQ(view.type, ElementType::kF32);
    EXPECT_EQ(view.shape, tensor.shape);
    ASSERT_EQ(view.bytes.size(), tensor.values.size() * 4);
    EXPECT_EQ(std::memcmp(view.bytes.data(), tensor.values.data(), view.bytes.size()), 0);
  }
}

TEST(Safetensors, RefusesWhatDoesNotFit) {
  const struct {
    std::string header;
    const char* named;
  } kBad[] = {
      {"[]", "object"},
      {"{", "JSON"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 9]}})", "not within"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 0]}})", "not within"},
      {R"({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}})", "shape"},
      {R"({"a": {"dtype": "F99", "shape": [2], "data_offsets": [0, 8]}})", "F99"},
      {R"({"a": {"shape": [2], "data_offsets": [0, 8]}})", "dtype"},
      {R"({"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}})", "shape"},
      {R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}})", "data_offsets"},
      {R"({"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}})",
       "shape"},
      {R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
           "b": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]}})",
       "over each other"},
  };
  for (const auto& bad : kBad) {
    const Result<std::vector<WeightView>> views = parse(file_of(bad.header, "12345678"));
    ASSERT_FALSE(views.ok()) << bad.header;
    EXPECT_EQ(views.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(views.error().message, HasSubstr(bad.named));
  }
  EXPECT_FALSE(parse("").ok());
  EXPECT_FALSE(parse("1234567").ok());
  EXPECT_FALSE(parse(std::string(8, '\xff')).ok());
}

TEST(Safetensors, SurvivesEveryCutAndAnyByte) {
  const std::string file =
      testing_support::make_safetensors({{"a", {{2, 2}, {1, 2, 3, 4}}}}, "F32");
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(parse(file.substr(0, size)).ok()) << size;
  }
  Rng rng(7);
  for (int i = 0; i < 5000; ++i) {
    std::string changed = file;
    changed[rng.below(changed.size())] = static_cast<char>(rng.below(256));
    const Result<std::vector<WeightView>> views = parse(changed);
    if (!views.ok()) continue;
    for (const WeightView& view : views.value()) {
      const auto* begin = reinterpret_cast<const char*>(view.bytes.data());
      ASSERT_GE(begin, changed.data());
      ASSERT_LE(begin + view.bytes.size(), changed.data() + changed.size());
    }
  }
}

}  // namespace
}  // namespace quipu::embed
