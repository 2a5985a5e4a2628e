#include "quipu/base/file_system.h"

#include <algorithm>

namespace quipu {
namespace {

constexpr std::size_t kReadBytesMin = std::size_t{64} << 10U;
// Far deeper than anything of ours; bounds the recursion of remove_tree.
constexpr std::size_t kTreeDepthMax = 128;

Status write_beside(FileSystem& fs, const std::string& path, std::string_view content) {
  QUIPU_TRY(const std::unique_ptr<WritableFile> file, fs.open_writable(path, OpenMode::kTruncate));
  QUIPU_TRY_OK(file->append(std::as_bytes(std::span(content.data(), content.size()))));
  QUIPU_TRY_OK(file->sync());
  return file->close();
}

Status remove_tree_at(FileSystem& fs, const std::string& path, std::size_t depth) {
  if (depth > kTreeDepthMax) {
    return Error{.code = ErrorCode::kIo,
                 .message = "cannot remove " + path + ": directories are nested deeper than " +
                            std::to_string(kTreeDepthMax)};
  }
  // A removal first, a look second: a symbolic link goes away itself, not what it points to.
  const Status removed = fs.remove_file(path);
  if (removed.ok() || removed.error().code == ErrorCode::kNotFound) return ok_status();
  if (!fs.is_directory(path)) return removed.error();
  QUIPU_TRY(const std::vector<std::string> names, fs.list(path));
  for (const std::string& name : names) {
    QUIPU_TRY_OK(remove_tree_at(fs, path + "/" + name, depth + 1));
  }
  return fs.remove_directory(path);
}

}  // namespace

std::string parent_directory(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return path.empty() ? "" : ".";
  path = path.substr(0, slash);
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path.empty() ? "/" : std::string(path);
}

Result<std::string> read_file(FileSystem& fs, const std::string& path, std::uint64_t size_max) {
  QUIPU_TRY(const std::unique_ptr<RandomAccessFile> file, fs.open_random_access(path));
  std::string content;
  // The size may be 0 for the system's pseudo files, so the end is where a read comes back short.
  std::size_t part = kReadBytesMin;
  if (file->size() <= size_max) part = std::max(part, static_cast<std::size_t>(file->size()) + 1);
  for (;;) {
    const std::size_t before = content.size();
    if (std::max<std::uint64_t>(before, file->size()) > size_max) {
      return Error{.code = ErrorCode::kResourceExhausted,
                   .message = path + " has " +
                              std::to_string(std::max<std::uint64_t>(before, file->size())) +
                              " bytes or more, the limit is " + std::to_string(size_max),
                   .reason = "file_too_large"};
    }
    content.resize(before + part);
    QUIPU_TRY(const std::size_t got,
              file->read(before, std::as_writable_bytes(std::span(&content[before], part))));
    content.resize(before + got);
    if (got < part && content.size() <= size_max) return content;
  }
}

Status write_file_atomically(FileSystem& fs, const std::string& path, std::string_view content) {
  const std::string beside = path + ".tmp";
  Status done = write_beside(fs, beside, content);
  if (done.ok()) done = fs.rename(beside, path);
  if (!done.ok()) {
    // The first error is the one to report; a left-over file is overwritten by the next attempt.
    static_cast<void>(fs.remove_file(beside));
    return done;
  }
  return fs.sync_directory(parent_directory(path));
}

Status remove_tree(FileSystem& fs, const std::string& path) { return remove_tree_at(fs, path, 0); }

}  // namespace quipu
