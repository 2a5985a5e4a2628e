#include "quipu/cli/ingest/scan.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"

namespace quipu::cli {
namespace {

namespace fs = std::filesystem;

fs::path absolute_path(const std::string& path) {
  std::error_code failed;
  fs::path absolute = fs::absolute(path, failed).lexically_normal();
  // "folder/" has an empty last part.
  if (!absolute.has_filename() && absolute.has_parent_path()) absolute = absolute.parent_path();
  return absolute;
}

std::string source_of(const fs::path& absolute, const fs::path& base) {
  if (base.empty()) return absolute.string();
  const fs::path relative = absolute.lexically_relative(base);
  const bool outside = relative.empty() || *relative.begin() == "..";
  return outside ? absolute.string() : relative.string();
}

Error io_error(const fs::path& path, const std::error_code& code) {
  const bool missing = code == std::errc::no_such_file_or_directory;
  return {missing ? ErrorCode::kNotFound : ErrorCode::kIo,
          quipu::format("{}: {}", in_quotes(path.string(), 4096),
                        missing ? "there is no such file or folder" : code.message()),
          missing ? "file_not_found" : "file_unreadable"};
}

class Scanner {
 public:
  explicit Scanner(const std::string& base) {
    if (!base.empty()) base_ = absolute_path(base);
  }

  Status add(const std::string& path) {
    const fs::path absolute = absolute_path(path);
    std::error_code failed;
    const fs::file_status status = fs::status(absolute, failed);
    if (!fs::exists(status)) {
      return io_error(absolute, std::make_error_code(std::errc::no_such_file_or_directory));
    }
    if (fs::is_directory(status)) return add_folder(absolute);
    return add_file(absolute);
  }

  ScanResult take() {
    const auto by_source = [](const auto& a, const auto& b) { return a.source < b.source; };
    std::sort(result_.files.begin(), result_.files.end(), by_source);
    const auto same = [](const auto& a, const auto& b) { return a.source == b.source; };
    result_.files.erase(std::unique(result_.files.begin(), result_.files.end(), same),
                        result_.files.end());
    std::sort(result_.skipped.begin(), result_.skipped.end(), by_source);
    for (const ScannedFile& file : result_.files) result_.bytes += file.bytes;
    return std::move(result_);
  }

 private:
  Status add_file(const fs::path& path) {
    std::error_code failed;
    if (!fs::is_regular_file(path, failed)) {
      skip(path, "not_a_file", "it is neither a file nor a folder");
      return ok_status();
    }
    const std::uintmax_t bytes = fs::file_size(path, failed);
    if (failed) return io_error(path, failed);
    if (result_.files.size() >= kIngestFilesMax) {
      return Error{
          ErrorCode::kResourceExhausted,
          quipu::format("there are more than {} files; ingest them in parts", kIngestFilesMax),
          "too_many_files"};
    }
    result_.files.push_back({path.string(), source_of(path, base_), bytes});
    return ok_status();
  }

  Status add_folder(const fs::path& folder) {
    std::error_code failed;
    fs::recursive_directory_iterator entry(folder, fs::directory_options::none, failed);
    if (failed) return io_error(folder, failed);
    while (entry != fs::recursive_directory_iterator()) {
      QUIPU_TRY_OK(add_entry(entry));
      entry.increment(failed);
      if (!failed) continue;
      // A folder that may not be listed: the others go on.
      skip(folder, "folder_unreadable", failed.message());
      break;
    }
    return ok_status();
  }

  Status add_entry(fs::recursive_directory_iterator& entry) {
    std::error_code failed;
    if (entry->path().filename().string().starts_with('.')) {
      if (entry->is_directory(failed)) entry.disable_recursion_pending();
      return ok_status();
    }
    if (entry->is_symlink(failed)) {
      skip(entry->path(), "symbolic_link", "symbolic links inside folders are not followed");
      return ok_status();
    }
    if (!entry->is_directory(failed)) return add_file(entry->path());
    if (fs::directory_iterator(entry->path(), failed); failed) {
      skip(entry->path(), "folder_unreadable", failed.message());
      entry.disable_recursion_pending();
    }
    return ok_status();
  }

  void skip(const fs::path& path, std::string_view reason, std::string detail) {
    result_.skipped.push_back({source_of(path, base_), std::string(reason), std::move(detail)});
  }

  fs::path base_;
  ScanResult result_;
};

}  // namespace

Result<ScanResult> scan_files(const std::vector<std::string>& paths, const std::string& base) {
  Scanner scanner(base);
  for (const std::string& path : paths) QUIPU_TRY_OK(scanner.add(path));
  return scanner.take();
}

}  // namespace quipu::cli
