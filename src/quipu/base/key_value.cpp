#include "quipu/base/key_value.h"

#include "quipu/assert.h"

namespace quipu {

std::string_view family_name(Family family) noexcept {
  switch (family) {
    case Family::kMeta: return "meta";
    case Family::kLog: return "log";
    case Family::kPoints: return "points";
    case Family::kVectors: return "vectors";
    case Family::kEdges: return "edges";
    case Family::kAccess: return "access";
    case Family::kDedup: return "dedup";
    case Family::kJobs: return "jobs";
    case Family::kHistory: return "history";
    case Family::kAudit: return "audit";
    case Family::kViews: return "views";
  }
  QUIPU_ASSERT(false && "a Family out of range");
  return "";
}

}  // namespace quipu
