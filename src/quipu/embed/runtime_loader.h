// Finds and opens the module that runs models.
#pragma once

#include <string>

#include "quipu/embed/runtime.h"
#include "quipu/result.h"

namespace quipu::embed {

// The OpenVINO runtime from libquipu_openvino.so, opened on first use and kept until the process
// ends. Looked for in `runtime_dir`, if given; else in $QUIPU_RUNTIME_DIR, if set; else beside the
// executable, in ../lib/quipu from there, and where the system's loader looks.
// Errors: kUnavailable ("embedding_runtime_missing") with every place and what the loader said.
// Threads: any.
[[nodiscard]] Result<Runtime*> open_runtime(const std::string& runtime_dir);

// Whether this CPU computes in bfloat16, so that a model will run in it.
[[nodiscard]] bool cpu_has_bf16() noexcept;

}  // namespace quipu::embed
