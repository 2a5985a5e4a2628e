#include <string_view>

#include "quipu/embed/runtime.h"

namespace quipu::embed {

std::string_view pooling_name(Pooling pooling) noexcept {
  switch (pooling) {
    case Pooling::kMean: return "mean";
    case Pooling::kCls: return "cls";
    case Pooling::kMax: return "max";
    case Pooling::kLast: return "last";
  }
  return "mean";
}

std::string_view model_task_name(ModelTask task) noexcept {
  return task == ModelTask::kScore ? "score" : "embed";
}

}  // namespace quipu::embed
