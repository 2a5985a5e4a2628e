#include "quipu/api/calls/collection_snapshots.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "quipu/api/calls/extras.h"
#include "quipu/base/bytes.h"
#include "quipu/base/format.h"
#include "quipu/base/json.h"
#include "quipu/base/quote.h"
#include "quipu/base/sha256.h"
#include "quipu/telemetry/request_id.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api {
namespace {

constexpr std::string_view kSnapshotEnding = ".snapshot";
constexpr std::string_view kDigestEnding = ".sha256";
constexpr std::size_t kSnapshotNameBytesMax = 200;  // with endings of its own it fits 255
constexpr std::string_view kUploads = ".uploads";   // no tenant's name begins with a dot
constexpr std::size_t kFileBlock = 1U << 20;
constexpr std::size_t kFormHeadBytesMax = 16U << 10;

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

Error snapshot_not_found(std::string_view name) {
  return Error{ErrorCode::kNotFound, format("there is no snapshot {}", in_quotes(name)),
               "snapshot_not_found"};
}

// "2026-11-21-22-47-02-123" of a time.
std::string time_in_name(std::int64_t time_us) {
  std::string text = telemetry::rfc3339(time_us);
  std::erase(text, 'Z');
  for (char& c : text) {
    if (c < '0' || c > '9') c = '-';
  }
  return text.substr(0, 23);
}

Result<std::string> digest_of_file(FileSystem& fs, const std::string& path) {
  QUIPU_TRY(const std::unique_ptr<RandomAccessFile> file, fs.open_random_access(path));
  Sha256 digest;
  std::string block(kFileBlock, '\0');
  for (std::uint64_t offset = 0;;) {
    QUIPU_TRY(const std::size_t count,
              file->read(offset, std::as_writable_bytes(std::span(block.data(), block.size()))));
    if (count == 0) break;
    digest.update(std::string_view(block).substr(0, count));
    offset += count;
  }
  return digest.hex();
}

}  // namespace

Status check_snapshot_name(std::string_view name) {
  if (is_plain_name(name) && name.ends_with(kSnapshotEnding) &&
      name.size() > kSnapshotEnding.size() && name.size() <= kSnapshotNameBytesMax) {
    return ok_status();
  }
  return Error{ErrorCode::kInvalidArgument,
               format("the snapshot's name {} is not valid: at most {} of [A-Za-z0-9_.-], not "
                      "beginning with '.', ending in {}",
                      in_quotes(name), kSnapshotNameBytesMax, kSnapshotEnding),
               "invalid_name"};
}

Result<CollectionSnapshots> CollectionSnapshots::of(const Call& call, std::string_view collection) {
  Core& core = call.core();
  const std::string& root = core.options.collection_snapshots_dir;
  if (root.empty()) {
    return Error{ErrorCode::kUnimplemented, "this server has no folder for snapshots", "not_built"};
  }
  std::string own(collection);
  if (const auto info = core.engine.collection(call.tenant(), collection); info.ok()) {
    own = info.value().name;
  } else if (!is_plain_name(own) || own.size() > kSnapshotNameBytesMax) {
    return Error{ErrorCode::kInvalidArgument,
                 format("the collection's name {} is not valid: 1 to {} of [A-Za-z0-9_.-], not "
                        "beginning with '.'",
                        in_quotes(own), kSnapshotNameBytesMax),
                 "invalid_name"};
  }
  CollectionSnapshots made(core, call.tenant(), std::move(own));
  made.root_ = root;
  made.folder_ = root + "/" + made.tenant_ + "/" + made.collection_;
  return made;
}

Status CollectionSnapshots::write_digest(const std::string& name, const std::string& sha256) const {
  return write_file_atomically(posix_file_system(),
                               folder_ + "/" + name + std::string(kDigestEnding), sha256 + "\n");
}

Result<SnapshotFile> CollectionSnapshots::describe_file(const std::string& name) const {
  FileSystem& fs = posix_file_system();
  const std::string path = folder_ + "/" + name;
  SnapshotFile file{.name = name, .size = 0, .sha256 = {}, .made_us = 0};
  QUIPU_TRY(file.size, fs.file_size(path));
  QUIPU_TRY(file.made_us, fs.modified_us(path));
  const auto digest = read_file(fs, path + std::string(kDigestEnding), 256);
  if (digest.ok() && digest.value().size() == 65) {
    file.sha256 = digest.value().substr(0, 64);
    return file;
  }
  // It was put here by hand, or a crash came between the two.
  QUIPU_TRY(file.sha256, digest_of_file(fs, path));
  QUIPU_TRY_OK(write_digest(name, file.sha256));
  return file;
}

Result<std::vector<SnapshotFile>> CollectionSnapshots::list() const {
  QUIPU_TRY_OK(core_->engine.collection(tenant_, collection_));
  FileSystem& fs = posix_file_system();
  std::vector<SnapshotFile> files;
  if (!fs.exists(folder_)) return files;
  QUIPU_TRY(std::vector<std::string> names, fs.list(folder_));
  std::ranges::sort(names);
  for (const std::string& name : names) {
    if (!check_snapshot_name(name).ok()) continue;
    auto file = describe_file(name);
    // Somebody may have deleted it meanwhile.
    if (!file.ok() && file.error().code == ErrorCode::kNotFound) continue;
    if (!file.ok()) return std::move(file).error();
    files.push_back(std::move(file).value());
  }
  return files;
}

Result<SnapshotFile> CollectionSnapshots::make() const {
  QUIPU_TRY(const CollectionInfo info, core_->engine.collection(tenant_, collection_));
  QUIPU_TRY(const std::string extras, load_extras(core_->engine, info.id));
  QUIPU_TRY_OK(posix_file_system().create_directories(folder_));
  std::string note;
  JsonWriter out(note);
  out.begin_object();
  if (extras != "{}") out.key("qdrant").raw(extras);
  out.end_object();
  // Two of one millisecond have different names.
  static std::atomic<std::uint32_t> number{0};
  const std::string name =
      format("{}-{}-{}{}", collection_.substr(0, 120), time_in_name(core_->clock.now_us()),
             number.fetch_add(1), kSnapshotEnding);
  QUIPU_TRY(const CollectionSnapshot taken,
            core_->engine.snapshot_collection(tenant_, collection_, folder_ + "/" + name, note));
  QUIPU_TRY_OK(write_digest(name, taken.sha256));
  return describe_file(name);
}

Result<std::string> CollectionSnapshots::path_of(std::string_view name) const {
  QUIPU_TRY_OK(check_snapshot_name(name));
  std::string path = folder_ + "/" + std::string(name);
  if (posix_file_system().exists(path)) return path;
  // Of a collection that is not there this is the first thing to say.
  QUIPU_TRY_OK(core_->engine.collection(tenant_, collection_));
  return snapshot_not_found(name);
}

Result<SnapshotFile> CollectionSnapshots::find(std::string_view name) const {
  QUIPU_TRY_OK(path_of(name));
  return describe_file(std::string(name));
}

Status CollectionSnapshots::remove(std::string_view name) const {
  QUIPU_TRY(const std::string path, path_of(name));
  QUIPU_TRY_OK(remove_tree(posix_file_system(), path));
  QUIPU_TRY_OK(remove_tree(posix_file_system(), path + std::string(kDigestEnding)));
  return posix_file_system().sync_directory(folder_);
}

Result<SnapshotFile> CollectionSnapshots::add(std::string_view name,
                                              const std::string& path) const {
  QUIPU_TRY_OK(check_snapshot_name(name));
  FileSystem& fs = posix_file_system();
  const std::string target = folder_ + "/" + std::string(name);
  if (fs.exists(target)) {
    return Error{ErrorCode::kAlreadyExists,
                 format("the snapshot {} exists already", in_quotes(name)), "snapshot_exists"};
  }
  QUIPU_TRY(const CollectionSnapshot checked, core_->engine.check_collection_snapshot(path));
  QUIPU_TRY_OK(fs.create_directories(folder_));
  {
    QUIPU_TRY(const std::unique_ptr<WritableFile> file, fs.open_writable(path, OpenMode::kAppend));
    QUIPU_TRY_OK(file->sync());
    QUIPU_TRY_OK(file->close());
  }
  QUIPU_TRY_OK(write_digest(std::string(name), checked.sha256));
  QUIPU_TRY_OK(fs.rename(path, target));
  QUIPU_TRY_OK(fs.sync_directory(folder_));
  return describe_file(std::string(name));
}

Result<CollectionInfo> CollectionSnapshots::recover(const SnapshotRecovery& request) const {
  Engine& engine = core_->engine;
  const auto before = engine.collection(tenant_, collection_);
  QUIPU_TRY(
      const CollectionRecovery recovered,
      engine.recover_collection(
          tenant_, collection_,
          {.path = request.path, .sha256 = request.sha256, .shard_count = request.shard_count}));
  // As with a collection that is made: a crash before this leaves one without its clients' options,
  // whose recovery was not acknowledged.
  const auto note = JsonDocument::parse(recovered.snapshot.note);
  const auto extras = note.ok() ? note.value().root().find("qdrant") : std::nullopt;
  if (extras && extras->is_object()) {
    QUIPU_TRY_OK(change_extras(
        engine, recovered.collection.id,
        [&](std::string_view) -> Result<std::string> { return extras->to_string(); }));
  }
  if (before.ok()) QUIPU_TRY_OK(drop_extras(engine, before.value().id));
  return recovered.collection;
}

Result<std::string> new_upload_path(const std::string& root) {
  const std::string folder = root + "/" + std::string(kUploads);
  QUIPU_TRY_OK(posix_file_system().create_directories(folder));
  return folder + "/" + telemetry::make_request_id();
}

Status remove_uploads(const std::string& root) {
  return remove_tree(posix_file_system(), root + "/" + std::string(kUploads));
}

// ---------------------------------------------------------------- what callers send and get

Upload::~Upload() {
  // What was taken over is not here any more; what cannot be removed, the next start removes.
  static_cast<void>(remove_tree(posix_file_system(), path).ok());
}

Result<std::shared_ptr<const Upload>> upload_of(const Call& call,
                                                const CollectionSnapshots& folder) {
  const Request& request = call.request();
  if (request.upload != nullptr) return request.upload;
  if (request.body.empty()) {
    return Error{ErrorCode::kInvalidArgument, "the body is empty; this route takes a snapshot",
                 "body_required"};
  }
  QUIPU_TRY(const std::string path, new_upload_path(folder.root()));
  auto upload = std::make_shared<Upload>(path);
  QUIPU_TRY(const std::unique_ptr<WritableFile> file,
            posix_file_system().open_writable(path, OpenMode::kTruncate));
  QUIPU_TRY_OK(file->append(as_byte_span(request.body)));
  QUIPU_TRY_OK(file->close());
  return std::shared_ptr<const Upload>(std::move(upload));
}

namespace {

Error malformed_form(std::string_view what) {
  return Error{ErrorCode::kInvalidArgument, format("the multipart/form-data body {}", what),
               "malformed_multipart"};
}

// The boundary of a Content-Type header.
Result<std::string> form_boundary(const Call& call) {
  const std::string_view type = call.header("Content-Type").value_or("");
  constexpr std::string_view kName = "boundary=";
  const std::size_t at = type.find(kName);
  if (!type.starts_with("multipart/form-data") || at == std::string_view::npos) {
    return malformed_form("needs a Content-Type of multipart/form-data with its boundary");
  }
  std::string_view boundary = type.substr(at + kName.size());
  boundary = boundary.substr(0, boundary.find(';'));
  if (boundary.size() >= 2 && boundary.front() == '"') {
    boundary = boundary.substr(1, boundary.size() - 2);
  }
  if (boundary.empty() || boundary.size() > 70) return malformed_form("has no usable boundary");
  return std::string(boundary);
}

Result<std::string> read_range(const RandomAccessFile& file, std::uint64_t offset,
                               std::size_t size) {
  std::string bytes(size, '\0');
  QUIPU_TRY(const std::size_t count,
            file.read(offset, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
  bytes.resize(count);
  return bytes;
}

}  // namespace

Result<std::shared_ptr<const Upload>> part_of_form(const Call& call,
                                                   const CollectionSnapshots& folder,
                                                   const Upload& upload) {
  QUIPU_TRY(const std::string boundary, form_boundary(call));
  FileSystem& fs = posix_file_system();
  QUIPU_TRY(const std::unique_ptr<RandomAccessFile> form, fs.open_random_access(upload.path));
  QUIPU_TRY(const std::string head, read_range(*form, 0, kFormHeadBytesMax));
  const std::string first = "--" + boundary + "\r\n";
  const std::size_t head_end = head.find("\r\n\r\n");
  if (!head.starts_with(first) || head_end == std::string::npos) {
    return malformed_form("does not begin with a part");
  }
  if (head.substr(0, head_end).find("name=\"snapshot\"") == std::string::npos) {
    return malformed_form("has another part than \"snapshot\" first");
  }
  const std::string last = "\r\n--" + boundary + "--";
  const std::uint64_t begin = head_end + 4;
  const std::size_t tail_size =
      static_cast<std::size_t>(std::min<std::uint64_t>(form->size() - begin, last.size() + 4'096));
  QUIPU_TRY(const std::string tail, read_range(*form, form->size() - tail_size, tail_size));
  const std::size_t tail_at = tail.rfind(last);
  if (tail_at == std::string::npos) return malformed_form("has no end");
  const std::uint64_t end = form->size() - tail_size + tail_at;
  QUIPU_TRY(const std::string path, new_upload_path(folder.root()));
  auto part = std::make_shared<Upload>(path);
  QUIPU_TRY(const std::unique_ptr<WritableFile> file, fs.open_writable(path, OpenMode::kTruncate));
  for (std::uint64_t offset = begin; offset < end;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(kFileBlock, end - offset));
    QUIPU_TRY(const std::string block, read_range(*form, offset, size));
    if (block.size() != size) return malformed_form("was cut short");
    QUIPU_TRY_OK(file->append(as_byte_span(block)));
    offset += size;
  }
  QUIPU_TRY_OK(file->close());
  return std::shared_ptr<const Upload>(std::move(part));
}

Response snapshot_response(const SnapshotFile& file, const std::string& path) {
  Response response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Quipu-Sha256", file.sha256);
  response.headers.emplace_back("Content-Disposition",
                                format("attachment; filename=\"{}\"", file.name));
  response.file_path = path;
  return response;
}

}  // namespace quipu::api
