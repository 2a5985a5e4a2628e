#include "quipu/embed/safetensors.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/json.h"

namespace quipu::embed {
namespace {

constexpr std::size_t kDimensionsMax = 8;

Error corrupt(std::string what) { return Error{ErrorCode::kCorruption, std::move(what)}; }

struct TypeInfo {
  std::string_view name;
  ElementType type;
  std::uint64_t bytes;
};
constexpr TypeInfo kTypes[] = {
    {"F32", ElementType::kF32, 4},       {"F16", ElementType::kF16, 2},
    {"BF16", ElementType::kBf16, 2},     {"F64", ElementType::kOther, 8},
    {"I64", ElementType::kOther, 8},     {"U64", ElementType::kOther, 8},
    {"I32", ElementType::kOther, 4},     {"U32", ElementType::kOther, 4},
    {"I16", ElementType::kOther, 2},     {"U16", ElementType::kOther, 2},
    {"I8", ElementType::kOther, 1},      {"U8", ElementType::kOther, 1},
    {"BOOL", ElementType::kOther, 1},    {"F8_E5M2", ElementType::kOther, 1},
    {"F8_E4M3", ElementType::kOther, 1},
};

// The bytes of a tensor, or nothing when they are more than `bytes_max`.
std::optional<std::uint64_t> size_of(std::uint64_t element_bytes,
                                     const std::vector<std::uint64_t>& shape,
                                     std::uint64_t bytes_max) {
  if (std::find(shape.begin(), shape.end(), 0U) != shape.end()) return 0;
  std::uint64_t bytes = element_bytes;
  for (const std::uint64_t dimension : shape) {
    if (dimension > bytes_max / bytes) return std::nullopt;
    bytes *= dimension;
  }
  return bytes;
}

std::optional<std::vector<std::uint64_t>> read_numbers(JsonView json, std::string_view field,
                                                       std::size_t count_max) {
  const std::optional<JsonView> found = json.find(field);
  if (!found.has_value() || !found->is_array() || found->size() > count_max) return std::nullopt;
  std::vector<std::uint64_t> numbers;
  found->for_each_element([&](JsonView element) {
    if (const std::optional<std::uint64_t> number = element.as_uint64()) {
      numbers.push_back(*number);
    }
    return true;
  });
  if (numbers.size() != found->size()) return std::nullopt;
  return numbers;
}

Result<WeightView> read_tensor(std::string_view name, JsonView json,
                               std::span<const std::byte> data) {
  const std::string quoted = "tensor '" + std::string(name) + "': ";
  const std::optional<JsonView> type_json = json.find("dtype");
  const std::optional<std::string_view> type_name =
      type_json.has_value() ? type_json->as_string() : std::nullopt;
  if (!type_name.has_value()) return corrupt(quoted + "'dtype' must be a string");
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](const TypeInfo& info) { return info.name == *type_name; });
  if (type == std::end(kTypes)) {
    return corrupt(quoted + "unknown dtype '" + std::string(*type_name) + "'");
  }
  const auto shape = read_numbers(json, "shape", kDimensionsMax);
  const auto offsets = read_numbers(json, "data_offsets", 2);
  if (!shape.has_value()) return corrupt(quoted + "'shape' must be up to 8 whole numbers");
  if (!offsets.has_value() || offsets->size() != 2) {
    return corrupt(quoted + "'data_offsets' must be two whole numbers");
  }
  const std::uint64_t begin = (*offsets)[0];
  const std::uint64_t end = (*offsets)[1];
  if (begin > end || end > data.size()) {
    return corrupt(quoted + "its bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                   " are not within the file's " + std::to_string(data.size()));
  }
  const std::optional<std::uint64_t> size = size_of(type->bytes, *shape, data.size());
  if (size != end - begin) {
    return corrupt(quoted + "has " + std::to_string(end - begin) +
                   " bytes, which is not what its shape and dtype need");
  }
  return WeightView{std::string(name), type->type, *shape, data.subspan(begin, end - begin)};
}

Status check_apart(const std::vector<WeightView>& tensors) {
  std::vector<const WeightView*> sorted;
  for (const WeightView& tensor : tensors) {
    if (!tensor.bytes.empty()) sorted.push_back(&tensor);
  }
  std::sort(sorted.begin(), sorted.end(), [](const WeightView* a, const WeightView* b) {
    return a->bytes.data() < b->bytes.data();
  });
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i - 1]->bytes.data() + sorted[i - 1]->bytes.size() > sorted[i]->bytes.data()) {
      return corrupt("tensors '" + sorted[i - 1]->name + "' and '" + sorted[i]->name +
                     "' lie over each other");
    }
  }
  return ok_status();
}

}  // namespace

Result<std::vector<WeightView>> parse_safetensors(std::span<const std::byte> file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  ByteReader reader(text);
  const std::uint64_t header_size = reader.u64();
  if (!reader.ok() || header_size > reader.left() || header_size > kSafetensorsHeaderBytesMax) {
    return corrupt("the header's size does not fit the file's " + std::to_string(file.size()) +
                   " bytes");
  }
  const auto parsed = JsonDocument::parse(reader.bytes(header_size));
  if (!parsed.ok()) return corrupt("the header is not JSON: " + parsed.error().message);
  const JsonView root = parsed.value().root();
  if (!root.is_object()) return corrupt("the header is not a JSON object");
  const std::span<const std::byte> data = file.subspan(8 + header_size);
  std::vector<WeightView> tensors;
  tensors.reserve(root.size());
  Status status = ok_status();
  root.for_each_member([&](std::string_view name, JsonView value) {
    if (name == "__metadata__") return true;
    Result<WeightView> tensor = read_tensor(name, value, data);
    if (!tensor.ok()) {
      status = std::move(tensor).error();
      return false;
    }
    tensors.push_back(std::move(tensor).value());
    return true;
  });
  QUIPU_TRY_OK(std::move(status));
  QUIPU_TRY_OK(check_apart(tensors));
  return tensors;
}

}  // namespace quipu::embed
