// Where the parts of a tokenizer put their tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quipu::text {

// The bytes of the original text that a token stands for.
struct TokenSpan {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const TokenSpan&, const TokenSpan&) = default;
};

// How many white space characters a token's own text begins and ends with.
struct TokenEdges {
  std::uint32_t leading = 0;
  std::uint32_t trailing = 0;
};

// Counts every token and keeps the first `kept_max`. Threads: one.
class TokenSink {
 public:
  TokenSink(std::vector<std::uint32_t>& ids, std::vector<TokenSpan>& spans, std::size_t kept_max)
      : ids_(ids), spans_(spans), kept_before_(ids.size()), kept_max_(kept_max) {}

  void add(std::uint32_t id, std::uint32_t begin, std::uint32_t end) {
    if (count_ < kept_max_) {
      ids_.push_back(id);
      // Reordered marks can end before they begin; a span never does.
      spans_.push_back({begin, end < begin ? begin : end});
    }
    ++count_;
  }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  // Forgets all tokens after the first `count`, which was count() before.
  void roll_back(std::size_t count) {
    count_ = count;
    const std::size_t kept = kept_before_ + (count < kept_max_ ? count : kept_max_);
    ids_.resize(kept);
    spans_.resize(kept);
  }

  // Asks for what some post-processors need besides: note_edges() behind each add().
  void want_edges(std::vector<TokenEdges>* edges) noexcept { edges_ = edges; }
  [[nodiscard]] bool wants_edges() const noexcept { return edges_ != nullptr; }
  void note_edges(TokenEdges edges) {
    if (count_ <= kept_max_) edges_->push_back(edges);
  }

 private:
  std::vector<std::uint32_t>& ids_;
  std::vector<TokenSpan>& spans_;
  std::size_t kept_before_;
  std::size_t kept_max_;
  std::size_t count_ = 0;
  std::vector<TokenEdges>* edges_ = nullptr;
};

}  // namespace quipu::text
