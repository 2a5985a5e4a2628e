// Parts of graphs that several models have.
#pragma once

#include <cstdint>
#include <vector>
#include <openvino/core/node.hpp>
#include <openvino/core/node_output.hpp>

#include "quipu/embed/runtime.h"

namespace quipu::embed::graph {

using Node = ov::Output<ov::Node>;

template <typename Op, typename... Args>
[[nodiscard]] Node make(Args&&... args) {
  return std::make_shared<Op>(std::forward<Args>(args)...)->output(0);
}

[[nodiscard]] Node numbers(const std::vector<std::int64_t>& values);  // i64 [values.size()]
[[nodiscard]] Node number(float value);                               // f32, a scalar

// [N, H] from [T, H]: the largest of the tokens that `pool` [N, T] chooses.
[[nodiscard]] Node max_over(const Node& hidden, const Node& pool);
[[nodiscard]] Node unit_length(const Node& rows);
[[nodiscard]] Node activate(const Node& input, Activation activation);
// Over the last axis, without gain and bias.
[[nodiscard]] Node layer_normal(const Node& input, double eps);
// x / sqrt(mean(x^2) + eps) over the last axis (Zhang and Sennrich, 2019), without gain.
[[nodiscard]] Node rms_normal(const Node& input, double eps);

// [T, heads * size] to [1, heads, T, size], and back.
[[nodiscard]] Node to_heads(const Node& input, std::uint32_t heads, std::uint32_t size);
[[nodiscard]] Node from_heads(const Node& input, std::uint32_t heads, std::uint32_t size);

// Rotary positions (Su et al., RoFormer, 2021) in the layout that turns the first half of a head
// against the second.
struct Rotation {
  Node cos;  // [T, size]
  Node sin;
};
// Of the tokens' `positions` [T], all below `positions_max`.
[[nodiscard]] Rotation rotation(const Node& positions, std::uint32_t positions_max,
                                std::uint32_t size, double base);
// Turns [1, heads, T, size].
[[nodiscard]] Node rotate(const Node& heads, const Rotation& by, std::uint32_t size);

// The masks, true where the token of the row sees that of the column: bool [1, 1, T, T].
[[nodiscard]] Node same_text(const Node& texts);
// Both, and the column's token is not behind the row's.
[[nodiscard]] Node not_behind(const Node& mask, const Node& positions);
// Both, and the two are at most `reach` tokens apart.
[[nodiscard]] Node within_reach(const Node& mask, const Node& positions, std::uint32_t reach);

}  // namespace quipu::embed::graph
