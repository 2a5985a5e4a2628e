// `quipu ingest`: files into a collection, reading, embedding and writing at once.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quipu/cli/context.h"
#include "quipu/cli/ingest/chunks.h"
#include "quipu/cli/ingest/scan.h"

namespace quipu::cli {

struct IngestArguments {
  std::vector<std::string> paths;
  std::string collection = "documents";
  std::string base;
  std::string receipts;  // a file that gets one JSON line for each acknowledged point
  ChunkOptions chunks;
  std::size_t batch_chunks = 64;
  std::size_t parallel = 2;  // batches under way at once
  std::size_t file_bytes_max = 32U << 20;
  bool verbose = false;
};

struct IngestReport {
  std::size_t files = 0;   // whose chunks are all acknowledged
  std::size_t chunks = 0;  // acknowledged
  std::size_t created = 0;
  std::size_t updated = 0;
  std::size_t removed = 0;  // of earlier, longer versions of the files
  std::size_t truncated = 0;
  std::uint64_t tokens = 0;
  double elapsed_s = 0;
  bool interrupted = false;
  bool estimated = false;  // the model was not here: chunks were cut by estimate
  std::vector<SkippedFile> skipped;
};

// Ingests and tells how it went. Ctrl-C ends it after the batches that are under way; a second one
// ends the process. Returns the exit code.
[[nodiscard]] int ingest(Context& context, const IngestArguments& arguments);

// The work itself, for tests: `stop` ends it early.
[[nodiscard]] Result<IngestReport> run_ingest(Context& context, const IngestArguments& arguments,
                                              const std::atomic<bool>& stop);

}  // namespace quipu::cli
