// The two kinds of models that OpenVINO runs for us.
#pragma once

#include <memory>
#include <openvino/runtime/core.hpp>

#include "quipu/embed/runtime.h"

namespace quipu::embed {

// An encoder from weights, over packed texts. OpenVINO's exceptions pass through both.
[[nodiscard]] Result<std::unique_ptr<RuntimeModel>> make_packed_model(ov::Core& core,
                                                                      const RuntimeModelSpec& spec,
                                                                      const ov::AnyMap& options);
// An ONNX or OpenVINO file, over batches of texts of like length, padded at their ends.
[[nodiscard]] Result<std::unique_ptr<RuntimeModel>> make_padded_model(ov::Core& core,
                                                                      const RuntimeModelSpec& spec,
                                                                      const ov::AnyMap& options);

// The precision that a compiled model computes in, as "f32" or "bf16".
[[nodiscard]] std::string precision_of(const ov::CompiledModel& model);

}  // namespace quipu::embed
