// Pooling and normalisation as graph nodes, for our own graphs and for those read from files.
#pragma once

#include <openvino/core/node_output.hpp>

namespace quipu::embed::graph {

using Node = ov::Output<ov::Node>;

// The largest of each column over the tokens chosen by `pool`: hidden [T, H] and pool [N, T], 1 or
// 0, give [N, H]. A text that chooses none gives very small numbers.
[[nodiscard]] Node max_over(const Node& hidden, const Node& pool);
// Rows divided by their length, or by 1e-12 if that is larger.
[[nodiscard]] Node unit_length(const Node& rows);

}  // namespace quipu::embed::graph
