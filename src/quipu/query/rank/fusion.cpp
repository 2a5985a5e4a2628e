#include "quipu/query/rank/fusion.h"

#include <cmath>
#include <limits>

namespace quipu::query {
namespace {

double weight_of(const FusionQuery& query, std::size_t source) {
  return source < query.weights.size() ? query.weights[source] : 1;
}

// 0 at `low`, 1 at `high`, which is another number.
struct Line {
  double low;
  double high;
  [[nodiscard]] double at(double score) const { return (score - low) / (high - low); }
};

// From three standard deviations below the mean to as many above.
Line spread(std::span<const float> scores) {
  const auto count = static_cast<double>(scores.size());
  double mean = 0;
  for (const float score : scores) mean += static_cast<double>(score) / count;
  double squares = 0;
  for (const float score : scores) {
    const double difference = static_cast<double>(score) - mean;
    squares += difference * difference;
  }
  const double deviation = std::sqrt(squares / (count - 1));
  return {mean - 3 * deviation, mean + 3 * deviation};
}

}  // namespace

void weigh_source(const FusionQuery& query, std::size_t source, bool smaller_is_better,
                  std::span<const float> scores, std::span<double> parts) {
  const double weight = weight_of(query, source);
  if (query.kind == FusionKind::kRrf) {
    for (std::size_t rank = 0; rank < parts.size(); ++rank) {
      const double place = static_cast<double>(rank) + 1;
      parts[rank] = weight <= 0 ? 0 : 1 / (place / weight + (query.k - 1));
    }
    return;
  }
  if (scores.empty()) return;
  const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
  // Asked of the scores themselves: the deviation of equal numbers may come out as a little more
  // than 0.
  if (*least == *most) {
    std::fill(parts.begin(), parts.end(), 0.5 * weight);
    return;
  }
  Line line = query.kind == FusionKind::kDbsf ? spread(scores) : Line{*least, *most};
  if (smaller_is_better) std::swap(line.low, line.high);
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] = weight * line.at(scores[i]);
}

float fused_score(std::span<const FusionPart> parts) noexcept {
  constexpr double kMost = std::numeric_limits<float>::max();
  double sum = 0;
  for (const FusionPart& part : parts) sum += part.part;
  return static_cast<float>(std::clamp(sum, -kMost, kMost));
}

}  // namespace quipu::query
