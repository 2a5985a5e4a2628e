// What a graph or a scan needs to know of vectors: how far rows are from a query. Whether rows are
// floats or codes, and what the metric is, stays behind this.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace quipu::index {

// As many rows as are scored at a time, at most.
inline constexpr std::size_t kScoreBatchMax = 256;

// A query made ready for one kind of stored vectors. Smaller is nearer; never NaN; the same query
// and row give the same bits whatever the batch.
template <typename S>
concept QueryScorer = requires(const S& scorer, std::uint32_t row, const std::uint32_t* rows,
                               std::size_t count, float* out) {
  { scorer.score(row) } -> std::same_as<float>;
  // out[i] = score(rows[i]); count is at most kScoreBatchMax.
  { scorer.score(rows, count, out) } -> std::same_as<void>;
  // Asks for the row's vector ahead of its use.
  { scorer.prefetch(row) } -> std::same_as<void>;
};

template <typename S>
concept VectorSpace = requires(const S& space, const float* query, std::uint32_t row) {
  typename S::Scorer;
  requires QueryScorer<typename S::Scorer>;
  // The query is borrowed for the scorer's life.
  { space.bind(query) } -> std::same_as<typename S::Scorer>;
  // A stored row as the query.
  { space.bind_row(row) } -> std::same_as<typename S::Scorer>;
};

}  // namespace quipu::index
