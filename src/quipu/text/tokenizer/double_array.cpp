#include "quipu/text/tokenizer/double_array.h"

#include <algorithm>

namespace quipu::text {

// Places nodes breadth-first. Free places are a ring; a node's children go to the first block where
// all fit, after few tries to the array's end, so that building stays linear.
struct DoubleArray::Builder {
  static constexpr int kTriesMax = 48;

  explicit Builder(std::vector<Unit>& units) : units_(units) {
    units_.clear();
    grow();
    take(0);
  }

  void grow() {
    const auto start = static_cast<std::uint32_t>(units_.size());
    units_.resize(units_.size() + 256);
    next_.resize(units_.size());
    previous_.resize(units_.size());
    for (std::uint32_t i = start; i < start + 256; ++i) {
      next_[i] = i + 1;
      previous_[i] = i == 0 ? npos() : i - 1;
    }
    next_[start + 255] = npos();
    previous_[start] = last_;
    if (last_ == npos()) {
      first_ = start;
    } else {
      next_[last_] = start;
    }
    last_ = start + 255;
    taken_.resize(units_.size(), false);
  }

  void take(std::uint32_t place) {
    taken_[place] = true;
    (previous_[place] == npos() ? first_ : next_[previous_[place]]) = next_[place];
    (next_[place] == npos() ? last_ : previous_[next_[place]]) = previous_[place];
  }

  std::uint32_t find_base(const std::vector<unsigned char>& labels) {
    int tries = 0;
    for (std::uint32_t place = first_; place != npos(); place = next_[place]) {
      if (++tries > kTriesMax) break;
      const std::uint32_t base = place ^ labels[0];
      if (std::all_of(labels.begin(), labels.end(),
                      [&](unsigned char label) { return !taken_[base ^ label]; })) {
        return base;
      }
    }
    const auto base = static_cast<std::uint32_t>(units_.size());
    grow();
    return base;
  }

  // Children of `node`: the groups of [from, to) by their byte at `depth`.
  struct Task {
    std::uint32_t node;
    std::size_t from;
    std::size_t to;
    std::size_t depth;
  };
  void place_children(const Task& task, const std::vector<Entry>& entries,
                      std::vector<Task>& queue) {
    std::size_t from = task.from;
    if (entries[from].first.size() == task.depth) {
      units_[task.node].value = entries[from].second;
      ++from;
    }
    std::vector<unsigned char> labels;
    std::vector<std::size_t> starts;
    for (std::size_t i = from; i < task.to; ++i) {
      const auto label = static_cast<unsigned char>(entries[i].first[task.depth]);
      if (labels.empty() || labels.back() != label) {
        labels.push_back(label);
        starts.push_back(i);
      }
    }
    if (labels.empty()) return;
    starts.push_back(task.to);
    const std::uint32_t base = find_base(labels);
    units_[task.node].base = base;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::uint32_t child = base ^ labels[i];
      take(child);
      units_[child].parent = task.node;
      queue.push_back({child, starts[i], starts[i + 1], task.depth + 1});
    }
  }

  std::vector<Unit>& units_;
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> previous_;
  std::vector<bool> taken_;
  std::uint32_t first_ = npos();
  std::uint32_t last_ = npos();
};

Result<DoubleArray> DoubleArray::build(std::vector<Entry> entries) {
  std::sort(entries.begin(), entries.end());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].first.empty()) {
      return Error{ErrorCode::kInvalidArgument, "the vocabulary has an empty token"};
    }
    if (i > 0 && entries[i].first == entries[i - 1].first) {
      return Error{ErrorCode::kInvalidArgument,
                   "the vocabulary has the token '" + entries[i].first + "' twice"};
    }
  }
  DoubleArray array;
  if (entries.empty()) return array;
  Builder builder(array.units_);
  std::vector<Builder::Task> queue{{root(), 0, entries.size(), 0}};
  for (std::size_t done = 0; done < queue.size(); ++done) {
    const Builder::Task task = queue[done];
    builder.place_children(task, entries, queue);
  }
  return array;
}

std::uint32_t DoubleArray::find_node(std::string_view prefix) const noexcept {
  std::uint32_t at = root();
  for (const char c : prefix) {
    const std::uint32_t next = units_[at].base ^ static_cast<unsigned char>(c);
    if (units_[next].parent != at) return npos();
    at = next;
  }
  return at;
}

std::string DoubleArray::key_of(std::uint32_t node) const {
  std::string reversed;
  while (node != root()) {
    const std::uint32_t parent = units_[node].parent;
    reversed += static_cast<char>(units_[parent].base ^ node);
    node = parent;
  }
  return {reversed.rbegin(), reversed.rend()};
}

std::uint32_t DoubleArray::find(std::string_view key) const noexcept {
  const std::uint32_t node = find_node(key);
  return node == npos() || units_[node].value == kNoValue ? npos() : units_[node].value;
}

}  // namespace quipu::text
