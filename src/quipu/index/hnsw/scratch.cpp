#include "quipu/index/hnsw/scratch.h"

#include <utility>

namespace quipu::index::hnsw {
namespace {

std::vector<std::unique_ptr<Scratch>>& spare() {
  thread_local std::vector<std::unique_ptr<Scratch>> scratches;
  return scratches;
}

}  // namespace

void NodeSet::reset(std::uint32_t bound) {
  for (const std::uint32_t word : touched_) words_[word] = 0;
  touched_.clear();
  const std::size_t words = (std::size_t{bound} + 63) / 64;
  // A quarter more than needed, so that a growing graph does not resize it for every walk.
  if (words_.size() < words) words_.resize(words + words / 4);
}

ScratchLease::ScratchLease() {
  if (spare().empty()) {
    scratch_ = std::make_unique<Scratch>();
  } else {
    scratch_ = std::move(spare().back());
    spare().pop_back();
  }
}

ScratchLease::~ScratchLease() { spare().push_back(std::move(scratch_)); }

}  // namespace quipu::index::hnsw
