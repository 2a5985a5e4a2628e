#include "quipu/query/rank/average.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "quipu/base/format.h"

namespace quipu::query {
namespace {

using Values = std::span<const VectorValue>;

Error invalid(std::string message) {
  return Error{.code = ErrorCode::kInvalidArgument,
               .message = std::move(message),
               .reason = "invalid_query"};
}

std::string_view kind_name(const VectorValue& value) {
  constexpr std::string_view kNames[] = {"a dense vector", "a sparse vector", "a multivector"};
  return kNames[value.index()];
}

// Numbers in one row; 0 for sparse vectors, which have no dimension of their own.
std::size_t row_size(const VectorValue& value) {
  if (const auto* const dense = std::get_if<std::vector<float>>(&value)) return dense->size();
  const auto* const multi = std::get_if<MultiValues>(&value);
  return multi == nullptr || multi->rows == 0 ? 0 : multi->values.size() / multi->rows;
}

Status check_alike(const VectorValue& first, Values values, std::string_view side) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i].index() != first.index()) {
      return invalid(
          format("{} example {} is {}, but the first positive one is {}; an average "
                 "needs vectors of one kind",
                 side, i, kind_name(values[i]), kind_name(first)));
    }
    if (row_size(values[i]) != row_size(first)) {
      return invalid(format("{} example {} has {} dimensions, but the first positive one has {}",
                            side, i, row_size(values[i]), row_size(first)));
    }
  }
  return ok_status();
}

// Adds `weight` times each of `values` to `sum`.
void add(Values values, double weight, std::vector<double>& sum) {
  for (const VectorValue& value : values) {
    const auto& dense = std::get<std::vector<float>>(value);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += weight * static_cast<double>(dense[i]);
  }
}

void add(Values values, double weight, std::map<std::uint32_t, double>& sum) {
  for (const VectorValue& value : values) {
    const auto& sparse = std::get<SparseValues>(value);
    for (std::size_t i = 0; i < sparse.indices.size(); ++i) {
      sum[sparse.indices[i]] += weight * static_cast<double>(sparse.values[i]);
    }
  }
}

void append(Values values, float sign, MultiValues& rows) {
  for (const VectorValue& value : values) {
    const auto& multi = std::get<MultiValues>(value);
    rows.rows += multi.rows;
    for (const float number : multi.values) rows.values.push_back(sign * number);
  }
}

}  // namespace

Result<VectorValue> recommended_average(Values positive, Values negative) {
  if (positive.empty()) {
    return invalid("a recommendation by average_vector needs at least one positive example");
  }
  const VectorValue& first = positive.front();
  QUIPU_TRY_OK(check_alike(first, positive, "positive"));
  QUIPU_TRY_OK(check_alike(first, negative, "negative"));
  const double liked = (negative.empty() ? 1.0 : 2.0) / static_cast<double>(positive.size());
  const double disliked = negative.empty() ? 0 : -1.0 / static_cast<double>(negative.size());
  if (std::holds_alternative<MultiValues>(first)) {
    MultiValues rows;
    append(positive, 1, rows);
    append(negative, -1, rows);
    return VectorValue(std::move(rows));
  }
  if (const auto* const dense = std::get_if<std::vector<float>>(&first)) {
    std::vector<double> sum(dense->size(), 0);
    add(positive, liked, sum);
    add(negative, disliked, sum);
    std::vector<float> average;
    average.reserve(sum.size());
    for (const double number : sum) average.push_back(static_cast<float>(number));
    return VectorValue(std::move(average));
  }
  std::map<std::uint32_t, double> sum;
  add(positive, liked, sum);
  add(negative, disliked, sum);
  SparseValues average;
  for (const auto& [index, weight] : sum) {
    average.indices.push_back(index);
    average.values.push_back(static_cast<float>(weight));
  }
  return VectorValue(std::move(average));
}

}  // namespace quipu::query
