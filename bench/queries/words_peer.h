// One full-text library as a process, in the lines of JSON of bench/queries/README.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::bench {

// Threads: one.
class WordsPeer {
 public:
  virtual ~WordsPeer() = default;
  // Called once, with the first `count` lines of `texts`; numbers of lines, from 0, are the ids.
  // `work_dir` is an empty folder of this worker's own. Returns with everything searchable and
  // merged.
  virtual Status build(std::ifstream& texts, std::size_t count, const std::string& work_dir) = 0;
  // Texts with any of the words of `query` (distinct, with a space between), best first by BM25.
  // `ids` and `scores` have the same size. Returns how many were filled.
  virtual Result<std::size_t> search(const std::string& query, std::span<std::uint32_t> ids,
                                     std::span<float> scores) = 0;
  // Members for the answer to `build`: what the library says about its index.
  virtual void about(JsonWriter& writer) const = 0;
};

// Answers requests from standard input until it ends. Returns the exit status.
int serve_words(WordsPeer& peer);

}  // namespace quipu::bench
