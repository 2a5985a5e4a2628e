// What FaultFileSystem knows of a directory tree: for each file and directory what is synced and
// what only the running system sees. Knows nothing of faults and of power cuts.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/result.h"

namespace quipu::detail {

struct FaultNode;
using FaultNodePtr = std::shared_ptr<FaultNode>;
using FaultEntries = std::map<std::string, FaultNodePtr>;

// One change of a directory's entries that is not synced. A rename within it is one change.
struct FaultChange {
  std::uint64_t number = 0;  // ascending over the whole tree
  std::string removed;       // "" for none
  std::string added;         // "" for none
  FaultNodePtr node;         // what `added` names
  // The other directory of a rename between two; both sides have the same number.
  std::weak_ptr<FaultNode> partner;
};

// A file or a directory, whatever its names. Threads: none of its own.
struct FaultNode {
  // A hard link to the file that outlives its removal; "" for directories. Removed with the node.
  FaultNode(FileSystem& base, std::string shadow_path);
  ~FaultNode();
  FaultNode(const FaultNode&) = delete;
  FaultNode& operator=(const FaultNode&) = delete;

  [[nodiscard]] bool is_directory() const { return shadow.empty(); }

  FileSystem& fs;
  const std::string shadow;

  // A file's synced content is the first `floor` bytes of the present one, then `cut`: what
  // unsynced truncations took away.
  std::uint64_t floor = 0;
  std::string cut;
  std::uint64_t size = 0;  // present

  [[nodiscard]] std::uint64_t synced_size() const { return floor + cut.size(); }
  void mark_synced();
  // To be called before the file is cut (or extended) to `new_size`.
  Status note_truncate(std::uint64_t new_size);

  // A directory's entries: as synced, as they are, and the way from the one to the other.
  FaultEntries synced;
  FaultEntries present;
  std::deque<FaultChange> pending;
};

// Makes the changes up to and with `number` of `directory` part of what is synced, and with every
// half of a rename between directories its other half (and so all before that one).
void commit_changes(FaultNode& directory, std::uint64_t number);

// Path text: "a//b/./c/../d" -> "a/b/d"; a leading slash stays.
[[nodiscard]] std::string normal_path(std::string_view path);

class FaultTree {
 public:
  FaultTree(FileSystem& base, const std::string& root);

  // Takes what is below the root as synced. Links every file into the shadow folder.
  Status load();
  // Removes the shadow folder and forgets all nodes.
  Status unload();

  // Whether `path` is the root or below it.
  [[nodiscard]] bool contains(const std::string& path) const;
  // Null when there is none, or outside the root.
  [[nodiscard]] FaultNodePtr find(const std::string& path) const;
  [[nodiscard]] const FaultNodePtr& root() const { return root_node_; }
  [[nodiscard]] const std::string& root_path() const { return root_; }

  // Bookkeeping for changes that the base has just done. Paths are below the root.
  Result<FaultNodePtr> add_file(const std::string& path);
  Status add_directory(const std::string& path);
  void remove(const std::string& path);
  void link(const std::string& from, const std::string& to);
  void rename(const std::string& from, const std::string& to);

  // Every node that a name leads to, synced or present, directories before what is in them; in an
  // order that depends on nothing but the names.
  [[nodiscard]] std::vector<FaultNodePtr> nodes() const;

 private:
  Status load_directory(FaultNode& directory, const std::string& path, std::size_t depth);
  Result<FaultNodePtr> make_file(const std::string& path, std::uint64_t size);
  // The directory that `path` is in, and the last part of its name.
  [[nodiscard]] std::pair<FaultNodePtr, std::string> place_of(const std::string& path) const;
  void change(FaultNode& directory, FaultChange entry);

  FileSystem& fs_;
  std::string root_;
  std::string shadow_;       // the folder of the links
  std::string link_prefix_;  // of each link's path
  FaultNodePtr root_node_;
  std::uint64_t files_made_ = 0;
  std::uint64_t changes_made_ = 0;
};

}  // namespace quipu::detail
