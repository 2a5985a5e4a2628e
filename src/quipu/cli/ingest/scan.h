// Which files an ingest reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quipu/result.h"

namespace quipu::cli {

struct ScannedFile {
  std::string path;    // to open it
  std::string source;  // its name in the store: absolute, or relative to the base folder
  std::uint64_t bytes = 0;
};
struct SkippedFile {
  std::string source;
  std::string reason;  // a stable word: "document_binary", "symbolic_link", ...
  std::string detail;  // a sentence
};
struct ScanResult {
  std::vector<ScannedFile> files;  // in the order of their sources
  std::vector<SkippedFile> skipped;
  std::uint64_t bytes = 0;
};

inline constexpr std::size_t kIngestFilesMax = 1'000'000;

// Lists the files that `paths` name: files themselves, and folders with all that is in them, but
// for what is hidden (a name that starts with a dot) and for symbolic links, which may lead in
// circles or to the same text twice. What a path names outright is taken even so. A file named
// twice comes once. `base`: sources are relative to this folder; "" for absolute ones. A file
// outside of it keeps its absolute name. Errors: kNotFound naming a path that is not there, kIo,
// kResourceExhausted past kIngestFilesMax.
[[nodiscard]] Result<ScanResult> scan_files(const std::vector<std::string>& paths,
                                            const std::string& base);

}  // namespace quipu::cli
