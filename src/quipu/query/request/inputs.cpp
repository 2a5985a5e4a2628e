#include "quipu/query/request/inputs.h"

#include <type_traits>
#include <variant>
#include <vector>

namespace quipu::query {

void for_each_input(const StageQuery& query, const std::function<void(const VectorInput&)>& visit) {
  const auto pairs = [&visit](const std::vector<ContextPair>& context) {
    for (const ContextPair& pair : context) {
      visit(pair.positive);
      visit(pair.negative);
    }
  };
  std::visit(
      [&](const auto& q) {
        using Query = std::decay_t<decltype(q)>;
        if constexpr (std::is_same_v<Query, NearestQuery>) {
          visit(q.input);
        } else if constexpr (std::is_same_v<Query, RecommendQuery>) {
          for (const VectorInput& input : q.positive) visit(input);
          for (const VectorInput& input : q.negative) visit(input);
        } else if constexpr (std::is_same_v<Query, FeedbackQuery>) {
          visit(q.target);
          for (const auto& item : q.feedback) visit(item.example);
        } else if constexpr (requires { q.context; }) {
          if constexpr (requires { q.target; }) visit(q.target);
          pairs(q.context);
        }
      },
      query);
}

bool has_text(const StageQuery& query) {
  bool found = false;
  for_each_input(query, [&found](const VectorInput& input) {
    found = found || std::holds_alternative<TextInput>(input);
  });
  return found;
}

}  // namespace quipu::query
