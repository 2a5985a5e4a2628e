// One approximate-nearest-neighbour library as a process: the harness speaks to every peer, ours
// among them, in the same lines of JSON (bench/README.md), so that none shares a heap, a thread
// pool or an allocator's history with another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bench/common/npy.h"
#include "quipu/result.h"

namespace quipu::bench {

struct BuildParams {
  std::size_t rows = 0;  // the first of the matrix
  std::size_t threads = 1;
  std::uint32_t m = 16;
  std::uint32_t ef_construction = 200;
  std::string work_dir;  // an empty folder of this worker's own
};

// Threads: one.
class AnnPeer {
 public:
  virtual ~AnnPeer() = default;
  // Called once. The vectors are of unit length and compared by cosine; row numbers are the ids.
  virtual Status build(const NpyMatrix& base, const BuildParams& params) = 0;
  virtual Status set_effort(std::uint32_t ef) = 0;
  // Writes the nearest rows, nearest first; returns how many there were.
  virtual Result<std::size_t> search(std::span<const float> query,
                                     std::span<std::uint32_t> ids) = 0;
};

// Answers requests from standard input until it ends. Returns the exit status.
int serve_ann(AnnPeer& peer);

}  // namespace quipu::bench
