#include "quipu/query/plan/slot_truth.h"

#include <bit>
#include <utility>

#include "quipu/assert.h"

namespace quipu::query {

SlotTruth SlotTruth::exactly(index::SlotBitmap slots) {
  SlotTruth truth;
  truth.bounded_ = true;
  truth.least_ = std::move(slots);
  return truth;
}

SlotTruth SlotTruth::between(index::SlotBitmap least, index::SlotBitmap most) {
  SlotTruth truth = exactly(std::move(least));
  truth.most_ = std::move(most);
  truth.settle();
  return truth;
}

void SlotTruth::settle() {
  if (most_.has_value() && most_->count() == least_.count()) most_.reset();
}

void SlotTruth::and_with(const SlotTruth& other) {
  if (bounded_ && other.bounded_) {
    if (!exact() || !other.exact()) {
      if (!most_.has_value()) most_ = least_;
      most_->intersect(other.most());
    }
  } else if (bounded_) {
    if (!most_.has_value()) most_ = least_;
  } else if (other.bounded_) {
    bounded_ = true;
    most_ = other.most();
  }
  least_.intersect(other.least_);
  settle();
}

void SlotTruth::and_not(const SlotTruth& other) {
  QUIPU_ASSERT(bounded_);
  if (!exact() || !other.exact()) {
    if (!most_.has_value()) most_ = least_;
    most_->subtract(other.least_);
  }
  if (other.bounded_) {
    least_.subtract(other.most());
  } else {
    least_.clear();
  }
  settle();
}

void SlotTruth::or_with(const SlotTruth& other) {
  if (!bounded_ || !other.bounded_) {
    bounded_ = false;
    most_.reset();
  } else if (!exact() || !other.exact()) {
    if (!most_.has_value()) most_ = least_;
    most_->unite(other.most());
  }
  least_.unite(other.least_);
  settle();
}

void SlotTruth::weaken() {
  if (bounded_ && !most_.has_value()) most_ = std::move(least_);
  least_ = index::SlotBitmap();
  settle();
}

void SlotCounter::add(const index::SlotBitmap& slots) {
  std::vector<std::uint64_t> carry(slots.words().begin(), slots.words().end());
  for (std::size_t bit = 0;; ++bit) {
    std::uint64_t any = 0;
    for (const std::uint64_t word : carry) any |= word;
    if (any == 0) return;
    if (bit == bits_.size()) bits_.emplace_back();
    std::vector<std::uint64_t>& digits = bits_[bit];
    if (digits.size() < carry.size()) digits.resize(carry.size());
    for (std::size_t i = 0; i < carry.size(); ++i) {
      const std::uint64_t both = digits[i] & carry[i];
      digits[i] ^= carry[i];
      carry[i] = both;
    }
  }
}

index::SlotBitmap SlotCounter::at_least(std::uint64_t count) const {
  QUIPU_ASSERT(count >= 1);
  index::SlotBitmap found;
  if (static_cast<std::size_t>(std::bit_width(count)) > bits_.size()) return found;
  std::size_t words = 0;
  for (const auto& digits : bits_) words = std::max(words, digits.size());
  std::vector<std::uint64_t> result(words);
  for (std::size_t i = 0; i < words; ++i) {
    // From the highest bit on: larger so far, or equal so far.
    std::uint64_t larger = 0;
    std::uint64_t equal = ~std::uint64_t{0};
    for (std::size_t bit = bits_.size(); bit-- > 0;) {
      const std::uint64_t digit = i < bits_[bit].size() ? bits_[bit][i] : 0;
      if (((count >> bit) & 1U) != 0) {
        equal &= digit;
      } else {
        larger |= equal & digit;
        equal &= ~digit;
      }
    }
    result[i] = larger | equal;
  }
  found.unite_words(std::move(result));
  return found;
}

}  // namespace quipu::query
