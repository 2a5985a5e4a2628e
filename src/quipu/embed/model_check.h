// A check of one model on this machine: `quipu model check`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "quipu/base/clock.h"
#include "quipu/base/file_system.h"
#include "quipu/embed/embedder.h"
#include "quipu/embed/embedding_service.h"
#include "quipu/result.h"

namespace quipu::embed {

struct ModelCheck {
  bool good = false;
  std::string problem;  // why not; empty when good
  ModelInfo info;
  std::string runtime;          // its name and version
  bool digest_matches = false;  // the weights, read anew, against the digest kept beside them
  double load_ms = 0;
  double first_ms = 0;           // the first text, for which kernels are made
  double text_ms = 0;            // the median of short texts, each alone on one thread
  double tokens_per_second = 0;  // of all fixed texts, on one thread, by wall clock
  std::uint32_t texts = 0;
  std::uint32_t tokens = 0;
  // Between the vectors of the precision in use and those of f32; both 1 when that is f32.
  double cosine_min = 1;
  double cosine_mean = 1;
};

// Loads the model, apart from any other in the process, embeds fixed texts and compares the
// precision in use with f32: good when every vector is finite, of unit length if the model says so,
// and within cosine 0.999 of f32. Takes a second or two.
// Errors: as Embedder::model() and loading; a model that loads and gives bad vectors is no error.
[[nodiscard]] Result<ModelCheck> check_model(const EmbedderOptions& options, std::string_view name,
                                             FileSystem& fs, Clock& clock);

}  // namespace quipu::embed
