// The embedder of a process: registry, tokenizers, cache, queue and runtime behind `Embedder`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/file_system.h"
#include "quipu/base/metrics.h"
#include "quipu/embed/embedder.h"
#include "quipu/embed/runtime.h"
#include "quipu/result.h"

namespace quipu::embed {

struct EmbedderOptions {
  // Searched in order; a model NAME is the folder DIR/NAME.
  std::vector<std::string> model_dirs;
  std::uint64_t cache_bytes = 64U << 20;  // of vectors in memory; 0 keeps none
  // Texts computed at once, each on one core; 0: as many as the machine has cores.
  std::size_t threads = 0;
  std::size_t queue_tokens_max = 256U << 10;  // waiting for one model
  // "f32", "bf16", or "": $QUIPU_PRECISION if set, else bf16 where the CPU has it.
  std::string precision;
  // Where libquipu_openvino.so is; "" for the usual places (runtime_loader.h).
  std::string runtime_dir;
  // Where compiled models may be kept, so that later loads are quicker; "" for nowhere.
  std::string compile_cache_dir;
  FileSystem* file_system = nullptr;  // null: the machine's
  Runtime* runtime = nullptr;         // null: the module's, opened when first needed
};

// Cheap: reads no model. `metrics` and `clock`, and what the options point to, outlive the result,
// which outlives all calls to it.
// Errors: kInvalidArgument for an unknown precision.
[[nodiscard]] Result<std::unique_ptr<Embedder>> make_embedder(EmbedderOptions options,
                                                              MetricsRegistry& metrics,
                                                              Clock& clock);

// The precision asked for: options.precision, or $QUIPU_PRECISION, or "".
// Errors: kInvalidArgument naming what is known.
[[nodiscard]] Result<std::string> chosen_precision(const EmbedderOptions& options);

}  // namespace quipu::embed
