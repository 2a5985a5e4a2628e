#include "quipu/base/fault_tree.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <utility>

#include "quipu/assert.h"

namespace quipu::detail {
namespace {

constexpr std::size_t kTreeDepthMax = 128;

Result<std::string> read_range(FileSystem& fs, const std::string& path, std::uint64_t begin,
                               std::uint64_t end) {
  QUIPU_TRY(const std::unique_ptr<RandomAccessFile> file, fs.open_random_access(path));
  std::string bytes(static_cast<std::size_t>(end - begin), '\0');
  QUIPU_TRY(const std::size_t got,
            file->read(begin, std::as_writable_bytes(std::span(bytes.data(), bytes.size()))));
  if (got == bytes.size()) return bytes;
  return Error{.code = ErrorCode::kIo, .message = path + " is shorter than was accounted for"};
}

// Nodes remove their links when they go, which may be after the next tree has come: no two trees
// may give a link the same name.
std::uint64_t next_tree_number() {
  static std::atomic<std::uint64_t> last = 0;
  return ++last;
}

void apply_change(FaultEntries& entries, const FaultChange& change) {
  if (!change.removed.empty()) entries.erase(change.removed);
  if (!change.added.empty()) entries[change.added] = change.node;
}

}  // namespace

FaultNode::FaultNode(FileSystem& base, std::string shadow_path)
    : fs(base), shadow(std::move(shadow_path)) {}

FaultNode::~FaultNode() {
  // The folder of the links is removed as a whole at the end; a link that stays only costs space.
  if (!is_directory()) static_cast<void>(fs.remove_file(shadow));
}

void FaultNode::mark_synced() {
  floor = size;
  cut.clear();
}

Status FaultNode::note_truncate(std::uint64_t new_size) {
  if (new_size < floor) {
    QUIPU_TRY(std::string taken, read_range(fs, shadow, new_size, floor));
    cut.insert(0, taken);
    floor = new_size;
  }
  size = new_size;
  return ok_status();
}

void commit_changes(FaultNode& directory, std::uint64_t number) {
  while (!directory.pending.empty() && directory.pending.front().number <= number) {
    const FaultChange change = std::move(directory.pending.front());
    directory.pending.pop_front();
    apply_change(directory.synced, change);
    if (const FaultNodePtr other = change.partner.lock()) commit_changes(*other, change.number);
  }
}

std::string normal_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t slash = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, slash - at);
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    at = slash + 1;
  }
  std::string text = path.starts_with('/') ? "/" : "";
  for (std::size_t index = 0; index < parts.size(); ++index) {
    if (index > 0) text += '/';
    text += parts[index];
  }
  return text.empty() ? "." : text;
}

FaultTree::FaultTree(FileSystem& base, const std::string& root)
    : fs_(base),
      root_(normal_path(root)),
      shadow_(root_ + ".unsynced"),
      link_prefix_(shadow_ + "/" + std::to_string(next_tree_number()) + "-") {}

Status FaultTree::load() {
  // What an earlier process left when it was killed: its files are in the root as well.
  QUIPU_TRY_OK(remove_tree(fs_, shadow_));
  QUIPU_TRY_OK(fs_.create_directories(shadow_));
  root_node_ = std::make_shared<FaultNode>(fs_, "");
  return load_directory(*root_node_, root_, 0);
}

Status FaultTree::load_directory(FaultNode& directory, const std::string& path, std::size_t depth) {
  if (depth > kTreeDepthMax) {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = path + " is nested deeper than " + std::to_string(kTreeDepthMax)};
  }
  QUIPU_TRY(const std::vector<std::string> names, fs_.list(path));
  for (const std::string& name : names) {
    const std::string inside = path + "/" + name;
    FaultNodePtr node;
    if (fs_.is_directory(inside)) {
      node = std::make_shared<FaultNode>(fs_, "");
      QUIPU_TRY_OK(load_directory(*node, inside, depth + 1));
    } else {
      // Two names of one file become two files here: syncing one says nothing about the other,
      // which is only stricter.
      QUIPU_TRY(const std::uint64_t size, fs_.file_size(inside));
      QUIPU_TRY(node, make_file(inside, size));
      node->mark_synced();
    }
    directory.synced[name] = node;
    directory.present[name] = node;
  }
  return ok_status();
}

Status FaultTree::unload() {
  root_node_.reset();
  return remove_tree(fs_, shadow_);
}

bool FaultTree::contains(const std::string& path) const {
  const std::string normal = normal_path(path);
  return normal == root_ || (normal.starts_with(root_) && normal[root_.size()] == '/');
}

FaultNodePtr FaultTree::find(const std::string& path) const {
  const std::string normal = normal_path(path);
  if (!contains(normal)) return nullptr;
  std::string_view rest = std::string_view(normal).substr(root_.size());
  FaultNodePtr node = root_node_;
  while (!rest.empty() && node != nullptr) {
    rest.remove_prefix(1);  // the slash
    const std::string name(rest.substr(0, rest.find('/')));
    rest.remove_prefix(name.size());
    const auto found = node->present.find(name);
    node = found == node->present.end() ? nullptr : found->second;
  }
  return node;
}

std::pair<FaultNodePtr, std::string> FaultTree::place_of(const std::string& path) const {
  const std::string normal = normal_path(path);
  const std::size_t slash = normal.rfind('/');
  FaultNodePtr directory = find(normal.substr(0, slash));
  QUIPU_ASSERT(directory != nullptr);  // The base has done the change, so it is there.
  return {std::move(directory), normal.substr(slash + 1)};
}

void FaultTree::change(FaultNode& directory, FaultChange entry) {
  apply_change(directory.present, entry);
  directory.pending.push_back(std::move(entry));
}

Result<FaultNodePtr> FaultTree::make_file(const std::string& path, std::uint64_t size) {
  const std::string shadow = link_prefix_ + std::to_string(++files_made_);
  QUIPU_TRY_OK(fs_.hard_link(path, shadow));
  FaultNodePtr node = std::make_shared<FaultNode>(fs_, shadow);
  node->size = size;
  return node;
}

Result<FaultNodePtr> FaultTree::add_file(const std::string& path) {
  QUIPU_TRY(const FaultNodePtr node, make_file(path, 0));
  const auto [directory, name] = place_of(path);
  change(*directory,
         {.number = ++changes_made_, .removed = {}, .added = name, .node = node, .partner = {}});
  return node;
}

Status FaultTree::add_directory(const std::string& path) {
  const auto [directory, name] = place_of(path);
  change(*directory, {.number = ++changes_made_,
                      .removed = {},
                      .added = name,
                      .node = std::make_shared<FaultNode>(fs_, ""),
                      .partner = {}});
  return ok_status();
}

void FaultTree::remove(const std::string& path) {
  const auto [directory, name] = place_of(path);
  change(*directory,
         {.number = ++changes_made_, .removed = name, .added = {}, .node = nullptr, .partner = {}});
}

void FaultTree::link(const std::string& from, const std::string& to) {
  const FaultNodePtr node = find(from);
  QUIPU_ASSERT(node != nullptr);
  const auto [directory, name] = place_of(to);
  change(*directory,
         {.number = ++changes_made_, .removed = {}, .added = name, .node = node, .partner = {}});
}

void FaultTree::rename(const std::string& from, const std::string& to) {
  const FaultNodePtr node = find(from);
  QUIPU_ASSERT(node != nullptr);
  // Renaming one name of a file to another of its names does nothing.
  if (find(to) == node) return;
  const auto [source, old_name] = place_of(from);
  const auto [target, new_name] = place_of(to);
  const std::uint64_t number = ++changes_made_;
  if (source == target) {
    change(*target,
           {.number = number, .removed = old_name, .added = new_name, .node = node, .partner = {}});
    return;
  }
  change(*target,
         {.number = number, .removed = {}, .added = new_name, .node = node, .partner = source});
  change(*source,
         {.number = number, .removed = old_name, .added = {}, .node = nullptr, .partner = target});
}

std::vector<FaultNodePtr> FaultTree::nodes() const {
  std::vector<FaultNodePtr> found = {root_node_};
  std::set<const FaultNode*> seen = {root_node_.get()};
  const auto visit = [&](const FaultNodePtr& node) {
    if (node != nullptr && seen.insert(node.get()).second) found.push_back(node);
  };
  for (std::size_t index = 0; index < found.size(); ++index) {
    const FaultNodePtr node = found[index];  // A copy: visiting moves the vector.
    for (const auto& [name, child] : node->synced) visit(child);
    for (const FaultChange& change : node->pending) visit(change.node);
    for (const auto& [name, child] : node->present) visit(child);
  }
  return found;
}

}  // namespace quipu::detail
