// What reading a configuration and making an analyzer share.
#pragma once

#include <string_view>

#include "quipu/result.h"
#include "quipu/text/analysis/analyzer.h"

namespace quipu::text::analysis {

// Errors: kInvalidArgument ("invalid_analyzer") naming the member of `field`.
Status check_analyzer(const AnalyzerConfig& config, std::string_view field);

// Lists sorted, without duplicates; equal for configurations that mean the same.
[[nodiscard]] AnalyzerConfig canonical(AnalyzerConfig config);

}  // namespace quipu::text::analysis
