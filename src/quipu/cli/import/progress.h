// What an import has reached, in a file that outlives it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/result.h"

namespace quipu::cli {

enum class CopyState : std::uint8_t {
  kStarted,  // its collection may have been made; points from `offset` on are still to come
  kDone,     // all points were copied, and the counts agreed
};

struct CopyProgress {
  std::string name;    // at the source
  std::string target;  // here
  CopyState state = CopyState::kStarted;
  std::string offset;  // the next point's id as JSON; "": from the beginning
  std::uint64_t points = 0;
};

// Threads: one.
class ImportProgress {
 public:
  // Reads the file if there is one, and it is of this source. Errors: kFailedPrecondition
  // ("other_source") when it is of another; kInvalidArgument when it is no such file.
  [[nodiscard]] static Result<ImportProgress> open(std::string path, std::string source,
                                                   bool restart);

  // Null when nothing is known of it. Valid until add().
  [[nodiscard]] CopyProgress* find(std::string_view name, std::string_view target);
  CopyProgress& add(std::string name, std::string target);
  void forget(std::string_view name, std::string_view target);
  // Replaces the file as one.
  [[nodiscard]] Status save() const;
  // When everything is done.
  [[nodiscard]] Status remove_file() const;
  [[nodiscard]] bool empty() const noexcept { return copies_.empty(); }
  [[nodiscard]] bool all_done() const;

 private:
  ImportProgress(std::string path, std::string source)
      : path_(std::move(path)), source_(std::move(source)) {}

  std::string path_;
  std::string source_;
  std::vector<CopyProgress> copies_;
};

}  // namespace quipu::cli
