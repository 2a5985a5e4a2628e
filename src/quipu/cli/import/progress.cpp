#include "quipu/cli/import/progress.h"

#include <algorithm>
#include <utility>

#include "quipu/base/file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/quote.h"
#include "quipu/cli/context.h"

namespace quipu::cli {
namespace {

constexpr std::uint64_t kFileBytesMax = 64U << 20;
constexpr std::uint64_t kFormat = 1;

Error no_progress_file(const std::string& path) {
  return {ErrorCode::kInvalidArgument,
          quipu::format("{} is no progress file of an import; --restart replaces it, --progress "
                        "names another",
                        in_quotes(path, 4096)),
          "bad_progress"};
}

}  // namespace

Result<ImportProgress> ImportProgress::open(std::string path, std::string source, bool restart) {
  ImportProgress progress(std::move(path), std::move(source));
  FileSystem& fs = posix_file_system();
  if (restart || !fs.exists(progress.path_)) return progress;
  QUIPU_TRY(const std::string text, read_file(fs, progress.path_, kFileBytesMax));
  const auto parsed = JsonDocument::parse(text);
  if (!parsed.ok() || count_of(parsed.value().root(), "format") != kFormat) {
    return no_progress_file(progress.path_);
  }
  const JsonView root = parsed.value().root();
  if (text_of(root, "source") != progress.source_) {
    return Error{ErrorCode::kFailedPrecondition,
                 quipu::format("{} is the progress of an import from {}; finish that, or name "
                               "another file with --progress, or forget it with --restart",
                               in_quotes(progress.path_, 4096), text_of(root, "source")),
                 "other_source"};
  }
  bool well = true;
  if (const auto copies = root.find("collections")) {
    copies->for_each_element([&](JsonView item) {
      CopyProgress& copy = progress.copies_.emplace_back();
      copy.name = text_of(item, "name");
      copy.target = text_of(item, "target");
      copy.state = flag_of(item, "done") ? CopyState::kDone : CopyState::kStarted;
      copy.points = count_of(item, "points");
      const auto offset = item.find("offset");
      if (offset && !offset->is_null()) copy.offset = offset->to_string();
      well = well && !copy.name.empty() && !copy.target.empty();
      return well;
    });
  }
  if (!well) return no_progress_file(progress.path_);
  return progress;
}

CopyProgress* ImportProgress::find(std::string_view name, std::string_view target) {
  const auto found = std::find_if(copies_.begin(), copies_.end(), [&](const CopyProgress& copy) {
    return copy.name == name && copy.target == target;
  });
  return found == copies_.end() ? nullptr : &*found;
}

CopyProgress& ImportProgress::add(std::string name, std::string target) {
  CopyProgress& copy = copies_.emplace_back();
  copy.name = std::move(name);
  copy.target = std::move(target);
  return copy;
}

void ImportProgress::forget(std::string_view name, std::string_view target) {
  std::erase_if(copies_, [&](const CopyProgress& copy) {
    return copy.name == name && copy.target == target;
  });
}

Status ImportProgress::save() const {
  std::string text;
  JsonWriter out(text);
  out.begin_object().key("format").value(kFormat);
  out.key("source").value(std::string_view(source_)).key("collections").begin_array();
  for (const CopyProgress& copy : copies_) {
    out.begin_object().key("name").value(std::string_view(copy.name));
    out.key("target").value(std::string_view(copy.target));
    out.key("done").value(copy.state == CopyState::kDone);
    out.key("points").value(copy.points).key("offset");
    if (copy.offset.empty()) {
      out.null();
    } else {
      out.raw(copy.offset);
    }
    out.end_object();
  }
  out.end_array().end_object();
  text += '\n';
  return write_file_atomically(posix_file_system(), path_, text);
}

Status ImportProgress::remove_file() const {
  if (!posix_file_system().exists(path_)) return ok_status();
  return posix_file_system().remove_file(path_);
}

bool ImportProgress::all_done() const {
  return std::all_of(copies_.begin(), copies_.end(),
                     [](const CopyProgress& copy) { return copy.state == CopyState::kDone; });
}

}  // namespace quipu::cli
