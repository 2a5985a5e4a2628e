#include "quipu/metric.h"

#include <string>

#include "quipu/base/quote.h"

namespace quipu {

std::string_view metric_name(Metric metric) noexcept {
  switch (metric) {
    case Metric::kCosine: return "cosine";
    case Metric::kDot: return "dot";
    case Metric::kEuclidean: return "euclidean";
    case Metric::kManhattan: return "manhattan";
  }
  QUIPU_ASSERT(false && "a Metric out of range: decoders must check before they cast");
  return "";
}

Result<Metric> parse_metric(std::string_view name) {
  for (const Metric metric :
       {Metric::kCosine, Metric::kDot, Metric::kEuclidean, Metric::kManhattan}) {
    if (metric_name(metric) == name) return metric;
  }
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = "metric " + in_quotes(name) +
                          " is unknown; use cosine, dot, euclidean or manhattan",
               .reason = "unknown_metric"};
}

}  // namespace quipu
