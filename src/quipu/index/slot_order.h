// Which of two slots comes first where nothing else tells them apart.
#pragma once

#include "quipu/ids.h"

namespace quipu::index {

// A strict order. Slots are given as points come, so their own order is another one in every
// history and for every number of shards; callers who want one that is not hand in theirs.
// Threads: any.
class SlotOrder {
 public:
  virtual ~SlotOrder() = default;
  [[nodiscard]] virtual bool before(SlotId a, SlotId b) const noexcept = 0;
};

}  // namespace quipu::index
